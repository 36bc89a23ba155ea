"""The headers that tus wants of every request and every answer."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.uploads.protocol import VERSION

_OVERRIDES = {"PATCH", "DELETE", "HEAD"}


class TusHeaders:
    """ASGI middleware that names the version in each answer, lets none be cached, and heeds method overrides.

    Args:
        app: What it stands before.
        path: Where uploads are.
    """

    def __init__(self, app: ASGIApp, path: str) -> None:
        self.app = app
        self.path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http" or not self._ours(scope["path"].removeprefix(scope.get("root_path", ""))):
            await self.app(scope, receive, send)
            return
        wanted = Headers(scope=scope).get("x-http-method-override", "").upper()
        if scope["method"] == "POST" and wanted in _OVERRIDES:
            # In place: those outside of this look into the scope for the route, and for headers to add.
            scope["method"] = wanted

        async def naming(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({"Tus-Resumable": VERSION, "Tus-Version": VERSION, "Cache-Control": "no-store"})
            await send(message)

        await self.app(scope, receive, naming)

    def _ours(self, path: str) -> bool:
        return path == self.path or path.startswith(f"{self.path}/")
