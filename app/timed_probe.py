"""Asking a database, a store or a broker that may not answer, without waiting for it for ever."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Answer = TypeVar("Answer")


class TimedProbe(Generic[Answer]):
    """A question that is asked in a thread of its own, by one thread at a time, and whose answer is good for a while.

    Where an earlier asking still waits, that one is waited for: a server that hangs costs one thread, not one a call.

    Args:
        ask: Finds the answer, or raises; the exception is an answer too.
        patience: Seconds to wait for it.
        fresh: Seconds for which it is good.
    """

    def __init__(self, ask: Callable[[], Answer], *, patience: float, fresh: float) -> None:
        self._ask = ask
        self._patience = patience
        self._fresh = fresh
        self._lock = threading.Lock()
        self._asked: Future[Answer] | None = None
        self._answered_at = -float("inf")

    def answer(self) -> Answer:
        """The answer.

        Raises:
            TimeoutError: It did not come in time.
        """
        return self._put().result(self._patience)

    async def awaited(self) -> Answer:
        """The answer, without holding up the event loop or one of its threads.

        Raises:
            TimeoutError: It did not come in time.
        """
        async with asyncio.timeout(self._patience):
            return await asyncio.wrap_future(self._put())

    def _put(self) -> Future[Answer]:
        with self._lock:
            asked = self._asked
            if asked is None or (asked.done() and time.monotonic() - self._answered_at >= self._fresh):
                asked = self._asked = Future()
                asked.set_running_or_notify_cancel()  # who stops waiting does not cancel it for others
                threading.Thread(target=self._find, args=(asked,), name="question", daemon=True).start()
            return asked

    def _find(self, asked: Future[Answer]) -> None:
        try:
            answer = self._ask()
        except BaseException as error:
            self._answered_at = time.monotonic()
            asked.set_exception(error)
        else:
            self._answered_at = time.monotonic()
            asked.set_result(answer)
