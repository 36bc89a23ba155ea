"""Scheduling of fitting: as many steps as the time allows."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from statistics import median

#: Gives seconds since some time in the past.
Clock = Callable[[], float]

#: Beside other work, fitting may take this many times as long by the clock on the wall.
PATIENCE = 3.0

_RECENT = 8  # steps whose median tells how long a step takes
_FIRST = 4  # steps before which nothing is foretold: the first ones take longer


def own_time() -> Clock:
    """A clock, from now on, of what this thread got of a processor; at least a ``PATIENCE``-th of the wall's time.

    On a quiet machine that is the time on the wall. Beside other work it is less: what others took does not count, but
    only up to a point.
    """
    computed, passed = time.thread_time(), time.monotonic()
    return lambda: max(time.thread_time() - computed, (time.monotonic() - passed) / PATIENCE)


class FittingPace:
    """The number of steps that there is time for, of those asked for.

    That is all of them as long as the steps taken lately would get there in time, whatever the exact times; so where a
    machine is fast enough, nothing that follows from this depends on the clock.

    Args:
        steps: Asked for.
        until: When the last of them shall be done, by ``clock``.
        clock: Tells the time.

    Attributes:
        done: Steps that were taken.
        planned: How many there will be in all.
        seconds: That a step takes, by ``clock``; 0 before the first one.
    """

    def __init__(self, steps: int, until: float, clock: Clock) -> None:
        self._asked, self._until, self._clock = steps, until, clock
        self._last = clock()
        self._recent: deque[float] = deque(maxlen=_RECENT)
        self._share = 0.0
        self.done, self.planned, self.seconds = 0, steps, 0.0

    @property
    def share(self) -> float:
        """The share of the steps that are done, for the learning rate; it never falls, and ends at 1."""
        return self._share

    def step(self) -> bool:
        """Count a step; tells whether another one shall follow."""
        now = self._clock()
        self._recent.append(now - self._last)
        self._last = now
        self.done += 1
        self.seconds = median(self._recent)
        if self.done >= _FIRST and now + (self._asked - self.done) * self.seconds > self._until:
            left = int((self._until - now) / self.seconds) if self.seconds > 0 else 0
            self.planned = min(self._asked, self.done + max(0, left))
        else:
            self.planned = self._asked
        if now >= self._until:
            self.planned = min(self.planned, self.done)
        self._share = max(self._share, self.done / self.planned)
        return self.done < self.planned
