"""A proxy before an S3 server that fails some of the calls: answers 500, or says nothing until the client gives up."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import suppress
from random import Random
from typing import Any

_FAILED = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_SILENT_SECONDS = 30.0
_HEAD_BYTES = 2**16


class FailingProxy:
    """Passes calls on, one a connection, in a thread of its own.

    Args:
        port: Of the server, on loopback.
        rng: Says which calls fail.

    Attributes:
        port: Where it listens.
        share: How many of the calls fail.
        failed: How many have.
    """

    def __init__(self, port: int, rng: Random) -> None:
        self.share = 0.0
        self.failed = 0
        self.port = 0
        self._server_port = port
        self._rng = rng
        self._loop = asyncio.new_event_loop()
        self._listening = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself keeps no hold of them
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._listening.wait()

    def close(self) -> None:
        """End."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0, limit=_HEAD_BYTES))
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        self._loop.run_forever()
        server.close()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.close()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._held(self._serve(reader, writer))

    def _held(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if self._rng.random() < self.share:
                self.failed += 1
                await self._fail(reader, writer)
            else:
                await self._pass_on(head, reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            with suppress(OSError):
                writer.close()

    async def _fail(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._rng.random() < 0.5:
            writer.write(_FAILED)
            await writer.drain()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_SILENT_SECONDS):
                while await reader.read(_HEAD_BYTES):
                    pass

    async def _pass_on(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._server_port)
        # One call a connection, so that each is passed on or failed on its own.
        request, _, fields = head.partition(b"\r\n")
        kept = [field for field in fields.split(b"\r\n") if not field.lower().startswith(b"connection:")]
        server_writer.write(request + b"\r\nConnection: close\r\n" + b"\r\n".join(kept))
        sending = self._held(_copy(reader, server_writer))
        try:
            await _copy(server_reader, writer)
        finally:
            sending.cancel()
            server_writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(_HEAD_BYTES):
            target.write(piece)
            await target.drain()
