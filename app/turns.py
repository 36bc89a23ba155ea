"""Fair admission to transactions, threads and cores, so many at a time: labs that wait take turns.

What a client sends is never waited for while any of these is held, see ``app.dependencies``.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from app.database import Database

# Python computes on one core: more at a time would only delay the thread that reads all requests.
_GLANCES = 3
_PARSES = 2
_CONVERSIONS = 2
_LARGE_READS = 4
# What waits for a child process or for storage.
_SLOW = 8

Answer = TypeVar("Answer")


class FairTurns:
    """A semaphore that goes round the labs that wait, however much each of them asks for.

    Args:
        places: How many may hold it at a time.
        share: How many of them one lab may hold; all where None.
    """

    def __init__(self, places: int, share: int | None = None) -> None:
        self._free = places
        self._moved_at = time.monotonic()
        self._share = share or places
        self._held: Counter[int | None] = Counter()
        self._waiting: OrderedDict[int | None, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def of(self, lab_id: int | None) -> AsyncIterator[None]:
        """Hold a place for the length of a block.

        Args:
            lab_id: For whom; None for the service itself.
        """
        if self._free and self._held[lab_id] < self._share and lab_id not in self._waiting:
            self._take(lab_id)
        else:
            await self._wait(lab_id)
        try:
            yield
        finally:
            self._give_back(lab_id)

    def stands_still(self) -> float:
        """Seconds for which somebody has waited and nobody has got or left a place; 0 where nobody waits."""
        return time.monotonic() - self._moved_at if self._waiting else 0.0

    async def _wait(self, lab_id: int | None) -> None:
        mine = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(lab_id, deque()).append(mine)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._give_back(lab_id)  # it was given at the same moment
            else:
                self._leave(lab_id, mine)
            raise

    def _take(self, lab_id: int | None) -> None:
        self._free -= 1
        self._moved_at = time.monotonic()
        self._held[lab_id] += 1

    def _give_back(self, lab_id: int | None) -> None:
        self._free += 1
        self._moved_at = time.monotonic()
        self._held[lab_id] -= 1
        if not self._held[lab_id]:
            del self._held[lab_id]
        self._hand_on()

    def _hand_on(self) -> None:
        # A lab that holds its share is passed over; one that is served stands at the end of the row again.
        for lab_id in [*self._waiting]:
            if not self._free:
                return
            if self._held[lab_id] < self._share:
                queue = self._waiting.pop(lab_id)
                queue.popleft().set_result(None)
                self._take(lab_id)
                if queue:
                    self._waiting[lab_id] = queue

    def _leave(self, lab_id: int | None, mine: asyncio.Future[None]) -> None:
        queue = self._waiting.get(lab_id)
        if queue is not None and mine in queue:
            queue.remove(mine)
            if not queue:
                del self._waiting[lab_id]


class FairThreads:
    """Threads that labs take turns at, see ``FairTurns``."""

    def __init__(self, places: int, share: int) -> None:
        self._turns = FairTurns(places, share)
        self._threads = CapacityLimiter(places)

    async def run(self, act: Callable[[], Answer], lab_id: int | None) -> Answer:
        """Do something in one of them, for a lab; None for whoever is not known."""
        async with self._turns.of(lab_id):
            return await run_sync(act, limiter=self._threads)


@dataclass(frozen=True)
class Turns:
    """The limits that requests wait for, on the event loop.

    A request keeps its connection while it waits for a thread. Were there more such requests than connections, or two
    writers on SQLite, the threads would all be taken by requests that wait for a connection or the write lock.

    Attributes:
        reading: Reading transactions.
        large: Reading transactions that compute for long.
        writing: Writing transactions.
        storing: Putting objects into storage that rows are about to refer to. Where one writes at a time this is that
            turn (see ``app.blobs.drop_unused``); elsewhere nobody shall wait for a store to write to the database.
        parsing: Reading bodies that take noticeable time.
        converting: Reading files of other tools in child processes, which may take a minute: nobody who writes labels
            waits for that.
        checking: Threads that look whose a key is; nothing else uses them, so that nothing can fill them.
        glancing: Threads that look up a thing or two and wait for no storage.
        fetching: Threads that fetch and check whole files for those who download them.
        slow: Threads that wait for a child process or for storage.
    """

    reading: FairTurns
    large: FairTurns
    writing: FairTurns
    storing: FairTurns
    parsing: FairTurns = field(default_factory=lambda: FairTurns(_PARSES, 1))
    converting: FairTurns = field(default_factory=lambda: FairTurns(_CONVERSIONS, 1))
    checking: FairThreads = field(default_factory=lambda: FairThreads(_GLANCES, _GLANCES - 1))
    glancing: FairThreads = field(default_factory=lambda: FairThreads(_GLANCES, _GLANCES - 1))
    fetching: FairThreads = field(default_factory=lambda: FairThreads(_SLOW, _SLOW // 2))
    slow: CapacityLimiter = field(default_factory=lambda: CapacityLimiter(_SLOW))

    @classmethod
    def of(cls, database: Database) -> Turns:
        """Turns in as many transactions as a database has room for."""
        writing = FairTurns(database.writers)
        return cls(
            reading=FairTurns(database.readers, database.readers * 3 // 4),
            large=FairTurns(_LARGE_READS, _LARGE_READS // 2),
            writing=writing,
            storing=writing if database.writers == 1 else FairTurns(_SLOW, _SLOW // 2),
        )

    @asynccontextmanager
    async def recording(self, lab_id: int | None, store: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
        """Put an object into storage, then hold the turn to write for the length of a block.

        Args:
            lab_id: For whom.
            store: Puts the object.
        """
        async with self.storing.of(lab_id):
            await store()
            if self.storing is self.writing:
                yield
                return
        async with self.writing.of(lab_id):
            yield
