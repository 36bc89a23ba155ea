"""Requests under way by lab: so many at most, that one lab's do not take every connection."""

from __future__ import annotations

import threading
from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import TooMany

_PRESENT = "posetween.present"
_RETRY_SECONDS = 1


class Presence:
    """Counts the requests of this process that are under way.

    Args:
        most: How many of them one lab may have.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._of: Counter[int] = Counter()

    def enter(self, scope: Scope, lab_id: int) -> None:
        """Count a request, once.

        Raises:
            TooMany: The lab has as many as it may.
        """
        with self._lock:
            if _PRESENT in scope:
                return
            if self._of[lab_id] >= self.most:
                sentence = f"{self.most} requests of this lab are under way (half of POSETWEEN_MAX_CONNECTIONS)"
                raise TooMany(f"{sentence}; send this again in a moment", retry_after=_RETRY_SECONDS)
            self._of[lab_id] += 1
            scope[_PRESENT] = lab_id

    def leave(self, scope: Scope) -> None:
        """A request is over."""
        lab_id: int | None = scope.get(_PRESENT)
        if lab_id is not None:
            with self._lock:
                self._of[lab_id] -= 1
                if not self._of[lab_id]:
                    del self._of[lab_id]


class Present:
    """ASGI middleware that notices when a request is over.

    Args:
        app: What it stands before.
        presence: What counts.
    """

    def __init__(self, app: ASGIApp, presence: Presence) -> None:
        self.app = app
        self.presence = presence

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        try:
            await self.app(scope, receive, send)
        finally:
            self.presence.leave(scope)
