"""The likely owner of a request, before its key was checked: labs take turns also at having their keys checked."""

from __future__ import annotations

import threading
from hashlib import sha256

from cachetools import FIFOCache
from fastapi import Request
from fastapi.security.utils import get_authorization_scheme_param

#: Name of the cookie that stands for a browser's session.
SESSION_COOKIE = "posetween_session"

_MOST = 10_000


class Faces:
    """Remembers which lab showed which key or cookie. It lets nobody in: a key that was revoked stays remembered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._labs: FIFOCache[bytes, int] = FIFOCache(_MOST)

    def note(self, request: Request, lab_id: int) -> None:
        """A request turned out to be a lab's."""
        face = shown(request)
        with self._lock:
            self._labs[face] = lab_id

    def lab_of(self, request: Request) -> int | None:
        """The lab that showed last what a request shows; None where nobody did."""
        return self.lab_with(shown(request))

    def lab_with(self, face: bytes) -> int | None:
        """The lab that showed last what has this digest, see ``shown``; None where nobody did."""
        with self._lock:
            return self._labs.get(face)


def shown(request: Request) -> bytes:
    """Digest of the key that a request shows, else of its session: whatever else it shows, it is the same caller's."""
    scheme, key = get_authorization_scheme_param(request.headers.get("authorization"))
    is_key = scheme.lower() == "bearer" and bool(key)
    face = f"key {key}" if is_key else f"session {request.cookies.get(SESSION_COOKIE, '')}"
    return sha256(face.encode()).digest()
