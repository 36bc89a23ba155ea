"""Bytes that arrive without having been announced: they count against what a lab may have as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.labs.quotas import OverQuota

#: How many bytes are let in before it is asked again how much room there is; less where there is little.
_AT_ONCE, _SHARE = 8 * 2**20, 32


class Arrivals:
    """The whole videos that are on their way in requests of this process, by lab."""

    def __init__(self) -> None:
        self._bodies: dict[int, list[ArrivingBody]] = {}

    def of(self, lab_id: int, before: ArrivingBody | None = None) -> int:
        """Bytes of a lab that are on their way; of those that began before a body, which come first."""
        bodies = self._bodies.get(lab_id, [])
        return sum(body.size for body in (bodies if before is None else bodies[: bodies.index(before) + 1]))

    @contextmanager
    def arriving(self, lab_id: int, announced: int) -> Iterator[ArrivingBody]:
        """Count a body for the length of a block."""
        body = ArrivingBody(announced)
        self._bodies.setdefault(lab_id, []).append(body)
        try:
            yield body
        finally:
            self._bodies[lab_id].remove(body)
            if not self._bodies[lab_id]:
                del self._bodies[lab_id]


@dataclass(eq=False)
class ArrivingBody:
    """A body on its way; ``size`` is what was announced, and what has come without that."""

    size: int

    def count(self, size: int) -> None:
        """Count bytes that were not announced."""
        self.size += size


async def within(
    body: AsyncIterator[bytes], room: Callable[[], Awaitable[int]], count: Callable[[int], None] = lambda _: None
) -> AsyncIterator[bytes]:
    """A body that ends where a lab has no room for more of it; what there was room for is given.

    Args:
        body: The pieces.
        room: Asks how many more bytes the lab has room for.
        count: Told of each piece that is let in.

    Raises:
        OverQuota: It has none.
    """
    allowed = 0
    async for piece in body:
        if len(piece) > allowed:
            left = max(0, await room())
            if len(piece) > left:
                count(left)
                yield piece[:left]
                raise OverQuota(
                    "this lab has no room for more of this; whoever runs this installation can allow it more"
                )
            allowed = max(len(piece), min(_AT_ONCE, left // _SHARE))
        allowed -= len(piece)
        count(len(piece))
        yield piece
