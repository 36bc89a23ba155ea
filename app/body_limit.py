"""A ceiling for request bodies, so that nobody can fill the memory with one."""

from __future__ import annotations

from fastapi import Request
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LIFTED = "posetween.body_limit_lifted"


class BodyLimit:
    """ASGI middleware that refuses a body as soon as it is known to be too large, when a route reads it.

    Args:
        app: What it stands before.
        max_bytes: The largest body.
    """

    def __init__(self, app: ASGIApp, max_bytes: int) -> None:
        self.app = app
        self.max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, counting its body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        taken = 0

        async def counting() -> Message:
            nonlocal taken
            if _LIFTED in scope:
                return await receive()
            if declared.isdecimal() and int(declared) > self.max_bytes:
                raise self._too_large()
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self.max_bytes:
                raise self._too_large()
            return message

        await self.app(scope, counting, send)

    def _too_large(self) -> HTTPException:
        # No ServiceError: while it reads JSON, FastAPI lets only its own kind through.
        return HTTPException(413, f"a body may have {self.max_bytes} bytes")


def is_lifted(scope: Scope) -> bool:
    """Whether a request brings the bytes of a file."""
    return _LIFTED in scope


def lift(request: Request) -> None:
    """Let a route take in a body of any size; it counts for itself."""
    request.scope[_LIFTED] = True
