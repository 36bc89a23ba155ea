"""The port where a worker shows its metrics."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hmac import compare_digest
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import ThreadingWSGIServer, make_wsgi_app

from app.settings import Settings


class AddressTaken(Exception):
    """The port cannot be had; the text is for people."""


@contextmanager
def shown(settings: Settings, registry: CollectorRegistry) -> Iterator[None]:
    """Serve a registry for the length of a block, where the settings name a port for it.

    Raises:
        AddressTaken: The port cannot be had.
    """
    host, port = settings.worker_metrics_host, settings.worker_metrics_port
    if not port:
        yield
        return
    try:
        server = make_server(host, port, _app(settings, registry), _server(host), _Silent)
    except OSError as error:
        raise AddressTaken(
            f"cannot show metrics on {host}:{port}: {error.strerror or error}; each worker of a machine needs a port "
            "of its own (POSETWEEN_WORKER_METRICS_PORT)"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _app(settings: Settings, registry: CollectorRegistry) -> Any:
    token = settings.metrics_token.get_secret_value()
    wanted = f"Bearer {token}".encode()
    metrics = make_wsgi_app(registry)

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if token and not compare_digest(environ.get("HTTP_AUTHORIZATION", "").encode(), wanted):
            start_response("401 Unauthorized", [("WWW-Authenticate", "Bearer"), ("Content-Type", "text/plain")])
            return [b"send 'Authorization: Bearer <token>' with POSETWEEN_METRICS_TOKEN\n"]
        if environ["PATH_INFO"] != "/metrics":
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"there is only /metrics\n"]
        return metrics(environ, start_response)  # type: ignore[no-any-return]

    return app


def _server(host: str) -> type[ThreadingWSGIServer]:
    class Server(ThreadingWSGIServer):
        address_family = socket.AF_INET6 if ":" in host else socket.AF_INET

    return Server


class _Silent(WSGIRequestHandler):
    timeout = 10  # seconds that a connection may stand still

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: a scrape every few seconds is no news."""
