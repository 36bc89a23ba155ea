"""The log of requests: a line for each, its share in the metrics, and an id to ask about it by."""

from __future__ import annotations

import logging
import re
import time
import uuid
from dataclasses import dataclass
from urllib.parse import quote

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.body_limit import is_lifted
from app.logs import about
from app.metrics import ApiMetrics

log = logging.getLogger(__name__)

_KEY = "posetween.exchange"

_HEADER = b"x-request-id"
_GOOD_ID = re.compile(rb"[A-Za-z0-9.-]{1,64}")

#: What a scraper, a load balancer or a supervisor asks for all day.
_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})

#: Label of requests that no route took, and of methods that nobody knows: both can be made up without end.
OTHER = "other"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_PATH_CHARACTERS = 300


@dataclass(slots=True)
class Exchange:
    """A request and its answer, as far as they have come."""

    id: str
    lab_id: int | None = None
    key_id: int | None = None
    bytes_in: int = 0
    bytes_out: int = 0
    status: int = 0
    answered: bool = False


class RequestLog:
    """ASGI middleware that logs, counts and names every request.

    Args:
        app: What it stands before; the error page must be inside.
        prefix: What the routers of the API hang on: FastAPI's routes do not know it.
        metrics: What to count in.
    """

    def __init__(self, app: ASGIApp, prefix: str, metrics: ApiMetrics) -> None:
        self.app = app
        self.prefix = prefix
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        exchange = scope[_KEY] = Exchange(_chosen_id(scope))
        began = time.perf_counter()

        async def receiving() -> Message:
            message = await receive()
            if size := len(message.get("body", b"")):
                exchange.bytes_in += size
                if is_lifted(scope):
                    self.metrics.upload_bytes.labels(self._route(scope)).inc(size)
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_HEADER, exchange.id.encode())]
            elif message["type"] == "http.response.body":
                exchange.bytes_out += len(message.get("body", b""))
                exchange.answered = not message.get("more_body", False)
            await send(message)

        fault: Exception | None = None
        self.metrics.in_flight.inc()
        with about(request_id=exchange.id):
            try:
                await self.app(scope, receiving, sending)
            except Exception as error:
                fault = error
                if not exchange.answered:
                    raise  # the server cuts the connection; else it need not tell once more what is told here
            finally:
                self.metrics.in_flight.dec()
                self._tell(scope, exchange, time.perf_counter() - began, fault)

    def _tell(self, scope: Scope, exchange: Exchange, seconds: float, fault: Exception | None) -> None:
        route, method, status = self._route(scope), scope["method"], exchange.status or 500
        known = method if method in _METHODS else OTHER
        self.metrics.requests.labels(known, route, f"{status // 100}xx").observe(seconds)
        level = logging.DEBUG if route in _PROBES else logging.INFO
        if fault is not None or status >= 500:
            level = logging.ERROR if fault is not None else logging.WARNING
        if log.isEnabledFor(level):
            fields = {
                "method": known,
                "route": route,
                # Its query may carry secrets.
                "path": quote(scope["path"], errors="replace")[:_PATH_CHARACTERS],
                "status": status,
                "ms": round(seconds * 1000, 1),
                "lab_id": exchange.lab_id,
                "key_id": exchange.key_id,
                "bytes_in": exchange.bytes_in,
                "bytes_out": exchange.bytes_out,
            }
            log.log(level, "request", extra=fields, exc_info=fault)

    def _route(self, scope: Scope) -> str:
        template: str | None = getattr(scope.get("route"), "path", None)
        if template is None:
            return OTHER
        inside = scope["path"].startswith(self.prefix) and not template.startswith(self.prefix)
        return self.prefix + template if inside else template


def note_caller(request: Request, lab_id: int, key_id: int | None) -> None:
    """Say whose request it is."""
    exchange: Exchange | None = request.scope.get(_KEY)
    if exchange is not None:
        exchange.lab_id, exchange.key_id = lab_id, key_id


def id_of(request: Request) -> str | None:
    """The id of a request; None where nothing logs requests."""
    exchange: Exchange | None = request.scope.get(_KEY)
    return exchange.id if exchange is not None else None


def _chosen_id(scope: Scope) -> str:
    """The client's id of the request, where that is short and plain, else a new one."""
    for name, value in scope["headers"]:
        if name == _HEADER and _GOOD_ID.fullmatch(value):
            return str(value, "ascii")
    return uuid.uuid4().hex
