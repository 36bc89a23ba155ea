"""Limits of connections: heads of requests are bounded in size and time, and connections in number.

uvicorn watches connections that rest between two requests. A request whose head or body never ends rests nowhere, and
takes a file from a process that may open only so many.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

log = logging.getLogger(__name__)

#: Largest head of a request: its line and headers.
MAX_HEAD_BYTES = 64 * 1024

#: Seconds that a head may take; a body that nobody reads any more may take as long to end.
HEAD_SECONDS = 10.0

# Files that are no connections: of the database, videos, pipes to child processes. A process with few has fewer.
_OTHER_FILES = 256
_MOST_FILES = 65_536

_REFUSAL = (
    "HTTP/1.1 {status}\r\nContent-Type: application/problem+json\r\nContent-Length: {size}\r\nConnection: close\r\n"
)
_PROBLEM = '{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}","errors":[]}}'


def protocol(most: int) -> partial[LimitedConnection]:
    """The HTTP protocol for the connections of a process, of which there are so many at most.

    As many as the process may open files for: it is allowed to open as many as the system lets it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    files = most if soft == resource.RLIM_INFINITY else max(soft - _OTHER_FILES, soft // 2)
    return partial(LimitedConnection, most=min(most, files))


class LimitedConnection(HttpToolsProtocol):
    """One connection. Where there are too many, one without a request under way makes room for the next.

    Args:
        most: How many there may be.
    """

    def __init__(self, *given: Any, most: int, **named: Any) -> None:
        super().__init__(*given, **named)
        self._most = most
        self._since = time.monotonic()
        self._deadline: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._heads = 0
        self._in_head = True
        self._in_body = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        if len(self.connections) > self._most and not self._make_room():
            log.warning("a connection is refused: %d are open, each with a request under way", self._most)
            self._refuse(503, "Busy", f"this process keeps {self._most} connections (POSETWEEN_MAX_CONNECTIONS)")
            return
        self._end_in(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._go_on()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self.transport.is_closing():
            return
        if self._in_head and self.waits and self._deadline is None:
            self._since = time.monotonic()
            self._end_in(HEAD_SECONDS)
        was = self._in_head, self._heads
        super().data_received(data)
        if was == (True, self._heads):
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                sentence = f"the line and the headers of a request may have {MAX_HEAD_BYTES} bytes together"
                self._refuse(431, "Request header fields too large", sentence)

    def on_headers_complete(self) -> None:
        """See httptools."""
        self._go_on()
        self._in_head, self._in_body = False, True
        self._heads, self._head_bytes = self._heads + 1, 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """See httptools."""
        self._in_head, self._in_body = True, False
        if self.waits:
            self._go_on()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """See uvicorn."""
        super().on_response_complete()
        self._since = time.monotonic()
        if self._in_body:
            # The client may still be sending, and shall see the answer: closed at once, a connection may lose it.
            self._end_in(HEAD_SECONDS)

    @property
    def waits(self) -> bool:
        """Return whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    def _make_room(self) -> bool:
        waiting = [
            one for one in self.connections if isinstance(one, LimitedConnection) and one is not self and one.waits
        ]
        if not waiting:
            return False
        min(waiting, key=lambda one: one._since).transport.abort()
        return True

    def _end_in(self, seconds: float) -> None:
        self._go_on()
        self._deadline = self.loop.call_later(seconds, self.transport.abort)

    def _go_on(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(self, status: int, title: str, detail: str) -> None:
        problem = _PROBLEM.format(title=title, status=status, detail=detail).encode()
        head = _REFUSAL.format(status=f"{status} {title}", size=len(problem))
        self.transport.write(f"{head}\r\n".encode() + problem)
        self.transport.close()
