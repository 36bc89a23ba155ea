"""Headers that every answer carries, whoever made it: what a browser must not do with it, and how long to keep it."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ADDED = "posetween.security_headers"

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Not "no-referrer": with it, browsers send "Origin: null" from forms of our own pages.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_YEAR = 365 * 24 * 3600
_NOTHING = "default-src 'none'; frame-ancestors 'none'"
_PAGE = "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"


class SecurityHeaders:
    """ASGI middleware that adds headers to every answer; those that a handler set itself stay as they are.

    Args:
        app: What it stands before; the error page must be inside.
        prefix: Answers below this path carry data and are not to be kept.
        policies: Content security policy of each page; answers that are no page may load nothing.
    """

    def __init__(self, app: ASGIApp, prefix: str, policies: Mapping[str, str]) -> None:
        self.app = app
        self.prefix = prefix
        self.policies = policies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, adding to its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def adding(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in {**self._common(scope), **scope.get(_ADDED, {})}.items():
                    headers.setdefault(name, value)
                message["headers"] = headers.raw
            await send(message)

        await self.app(scope, receive, adding)

    def _common(self, scope: Scope) -> dict[str, str]:
        headers = {**_ALWAYS, "Content-Security-Policy": self.policies.get(scope["path"], _NOTHING)}
        if scope["scheme"] == "https":
            headers["Strict-Transport-Security"] = f"max-age={_YEAR}"
        if scope["path"].startswith(self.prefix):
            headers["Cache-Control"] = "no-store"
        return headers


def add(request: Request, headers: Mapping[str, str]) -> None:
    """Have the answer to a request carry these, also when it is an error or one that FastAPI did not make."""
    request.scope.setdefault(_ADDED, {}).update(headers)


def page_policies(app: FastAPI, home: str) -> dict[str, str]:
    """The content security policy of each page: its own files, and the scripts and styles that stand in it as they were
    written.

    Args:
        app: The application, for its documentation pages.
        home: Source of the status page.
    """
    assert app.openapi_url is not None
    swagger = get_swagger_ui_html(
        openapi_url=app.openapi_url,
        title="",
        oauth2_redirect_url=app.swagger_ui_oauth2_redirect_url,
        swagger_ui_parameters=app.swagger_ui_parameters,
    )
    script = _digests("script", bytes(swagger.body).decode())
    # Both documentation pages make their styles while they run, and ReDoc a worker out of a blob.
    docs = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'"
    status = f"default-src 'none'; style-src {_digests('style', home)}; {_PAGE}"
    return {
        "/": status,
        "/status": status,
        "/docs": f"{docs}; script-src 'self' {script}; {_PAGE}",
        "/redoc": f"{docs}; worker-src blob:; {_PAGE}",
    }


def _digests(tag: str, html: str) -> str:
    blocks = re.findall(rf"<{tag}>(.*?)</{tag}>", html, re.DOTALL)
    digests = (hashlib.sha256(block.encode()).digest() for block in blocks)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
