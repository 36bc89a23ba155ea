"""One after another from many queues: the first of each, then the second of each, in pages of bounded work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")


@dataclass(frozen=True)
class Spot:
    """How far somebody has come.

    Attributes:
        turn: The place in each queue, from 0.
        last: The last queue that was looked at in this turn, 0 for none.
        found: Whether any queue had anything in this turn so far.
    """

    turn: int = 0
    last: int = 0
    found: bool = False


@dataclass(frozen=True)
class Dealt(Generic[Item]):
    """A page: its items with the number of their queue, where to go on, and the queues that were looked at."""

    items: list[tuple[int, Item]]
    next: Spot | None
    queues: dict[int, list[Item]]


def deal(
    numbers: Sequence[int], queue_of: Callable[[int], list[Item]], *, spot: Spot, limit: int, most: int
) -> Dealt[Item]:
    """Take items in turn.

    Args:
        numbers: Of the queues, ascending, from 1.
        queue_of: Makes a queue, which takes its time.
        spot: Where to begin.
        limit: Most items.
        most: Most queues that are made; there may be fewer items than ``limit`` then.
    """
    queues: dict[int, list[Item]] = {}
    items: list[tuple[int, Item]] = []
    turn, last, found = spot.turn, spot.last, spot.found
    while numbers:
        for number in numbers:
            if number <= last:
                continue
            if len(items) == limit or (number not in queues and len(queues) == most):
                return Dealt(items, Spot(turn, last, found), queues)
            if number not in queues:
                queues[number] = queue_of(number)
            if turn < len(queues[number]):
                items.append((number, queues[number][turn]))
                found = True
            last = number
        if not found:
            break
        turn, last, found = turn + 1, 0, False
    return Dealt(items, None, queues)
