"""Pacing of one key or session while other labs send requests too.

Every request takes the one thread that reads them all for some milliseconds, also one that is answered from what is
kept. A client that sends the next as soon as the last was answered, over a few connections, takes all of its time: the
writes of others wait for it, and what decodes frames for them gets no processor. So such a client waits a little before
each request, while others are there. Nobody is refused for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import anyio
from cachetools import LRUCache
from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app.faces import Faces, shown

_MOST_CALLERS = 10_000
#: A lab is there for so long after a request.
_THERE_SECONDS = 2.0
_BURST_SECONDS = 4.0
#: The longest that a request waits here: it holds its connection meanwhile.
_WAIT_SECONDS = 2.0


class Pace:
    """Tells how long a request should wait, see Generic Cell Rate Algorithm (ITU-T I.371).

    Args:
        per_second: Requests a second of one key or session, beyond a burst of four seconds' worth; 0 for any number.
        clock: Seconds that never go back.
    """

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = 1 / per_second if per_second else 0.0
        self._clock = clock
        self._due: LRUCache[bytes, float] = LRUCache(_MOST_CALLERS)  # when the next request of a caller were on time
        self._lab_id: int | None = None  # that asked last
        self._other_at = -float("inf")  # when another one did
        self._asked_at = -float("inf")

    def wait(self, caller: bytes, lab_id: int) -> float:
        """Count a request; gives the seconds that it should wait.

        Args:
            caller: Which key or session it shows.
            lab_id: Whose that is.
        """
        now = self._clock()
        if lab_id != self._lab_id:
            self._other_at, self._lab_id = self._asked_at, lab_id
        self._asked_at = now
        if not self._interval:
            return 0.0
        due = max(self._due.get(caller, now), now)
        longest = _WAIT_SECONDS if now - self._other_at < _THERE_SECONDS else 0.0
        early = min(due - now - _BURST_SECONDS, longest)
        self._due[caller] = now + _BURST_SECONDS + early + self._interval
        return max(0.0, early)


class Paced:
    """ASGI middleware that has requests wait.

    Args:
        app: What it stands before.
        pace: Tells how long.
        faces: Tell whose a request seems to be; who is not known is not waited for.
    """

    def __init__(self, app: ASGIApp, pace: Pace, faces: Faces) -> None:
        self.app = app
        self.pace = pace
        self.faces = faces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on when it is time."""
        if scope["type"] == "http":
            caller = shown(Request(scope))
            lab_id = self.faces.lab_with(caller)
            if lab_id is not None and (seconds := self.pace.wait(caller, lab_id)):
                await anyio.sleep(seconds)
        await self.app(scope, receive, send)
