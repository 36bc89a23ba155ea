"""Which lab's frames are decoded next: each gets time by how many people of it wait.

Start-time fair queueing (Goyal, Vin and Cheng, 1996) over the labs that wait. Were labs all equal, one client that asks
without a pause would have half of the decoding to itself, and a hundred annotators of another lab the other half.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

#: Keys and sessions of a lab that count. More make its share no larger, or a lab would make itself keys to have more.
MOST_CALLERS = 16

_USUAL_SECONDS = 0.2
_REMEMBERED = 0.9


class Shares:
    """Seconds that labs had and are owed."""

    def __init__(self) -> None:
        self._now = 0.0
        self._due: dict[int | None, float] = {}  # of labs that had more than others, when they are on time again
        self._usual = _USUAL_SECONDS

    def next(self, waiting: Mapping[int | None, Collection[object]]) -> int | None:
        """The lab whose turn it is, of equals the one named first.

        Args:
            waiting: The callers that wait, by lab; at least one lab.
        """
        lab_id = min(waiting, key=lambda one: self._due.get(one, self._now))
        self._now = max(self._now, self._due.get(lab_id, self._now))
        self._due = {one: due for one, due in self._due.items() if due > self._now}
        return lab_id

    def begin(self, lab_id: int | None, callers: int) -> float:
        """Count a turn that a lab has, of the usual length; gives that, in seconds.

        Args:
            lab_id: Whose turn.
            callers: How many of it wait.
        """
        self._charge(lab_id, callers, self._usual)
        return self._usual

    def end(self, lab_id: int | None, callers: int, counted: float, seconds: float) -> None:
        """Count what a turn took beyond what was counted when it began, or less.

        Args:
            lab_id: Whose turn.
            callers: As when it began.
            counted: What ``begin`` gave.
            seconds: What it took.
        """
        self._charge(lab_id, callers, seconds - counted)
        self._usual = _REMEMBERED * self._usual + (1 - _REMEMBERED) * seconds

    def _charge(self, lab_id: int | None, callers: int, seconds: float) -> None:
        share = min(max(callers, 1), MOST_CALLERS)
        self._due[lab_id] = self._due.get(lab_id, self._now) + seconds / share
