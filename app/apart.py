"""Reads that compute for long, in processes of low priority beside this one.

Python computes on one core in each process. A thread that makes JSON of 20 000 labels takes turns with the threads that
write what annotators place, and these need many turns for each label: some such reads at a time delay every write by
seconds. In a process of their own they get what nobody else needs.
"""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from functools import cache, partial
from typing import TypeVar

from anyio import BrokenWorkerProcess, CapacityLimiter, to_process
from pydantic import SecretStr
from sqlalchemy.orm import Session

from app.database import Database, connect
from app.errors import Busy
from app.settings import Settings
from app.storage import Storage, open_storage
from app.turns import FairTurns

#: Processes, of which one lab holds half at most. Each keeps some hundred megabytes until it was idle for five minutes.
_PLACES = 2
_POLITE = 15  # of 19: what decodes frames comes first
_MEMORY_BYTES = 4 * 2**30

Answer = TypeVar("Answer")
#: What is sent to such a process and back is pickled: a function of a module, or a ``partial`` of one.
Act = Callable[[Session, Storage], Answer]


class Apart:
    """Does reading transactions in other processes. These begin with the first, and anew where they died.

    Args:
        settings: Which database and which storage.
        memory_bytes: What each process may write to. Files and libraries that it maps to read are not among that.
    """

    def __init__(self, settings: Settings, *, memory_bytes: int = _MEMORY_BYTES) -> None:
        # The token is for who reads the metrics, and would be masked here.
        self._settings = settings.model_copy(update={"metrics_token": SecretStr("")}).model_dump_json()
        self._memory_bytes = memory_bytes
        self._turns = FairTurns(_PLACES, _PLACES // 2)
        self._processes = CapacityLimiter(_PLACES)

    async def __call__(self, act: Act[Answer], lab_id: int) -> Answer:
        """Do something in a transaction when it is the lab's turn.

        Raises:
            Busy: The process ended over it, or it takes more memory than there is for it.
        """
        read = partial(_read, self._settings, self._memory_bytes, act)
        async with self._turns.of(lab_id):
            try:
                return await to_process.run_sync(read, cancellable=True, limiter=self._processes)
            except MemoryError as error:
                raise Busy("this takes more memory than there is for it; ask for less at a time") from error
            except BrokenWorkerProcess as error:
                raise Busy("the process that reads this ended over it; ask again") from error


def _read(settings: str, memory_bytes: int, act: Act[Answer]) -> Answer:
    database, storage = _opened(settings, memory_bytes)
    with database.session(readonly=True) as session:
        return act(session, storage)


@cache
def _opened(settings: str, memory_bytes: int) -> tuple[Database, Storage]:
    """The database and the storage with which this process works from its first task on."""
    os.nice(_POLITE)
    _, most = resource.getrlimit(resource.RLIMIT_DATA)
    bound = memory_bytes if most == resource.RLIM_INFINITY else min(memory_bytes, most)
    resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
    chosen = Settings.model_validate_json(settings)
    return connect(chosen.database), open_storage(chosen)
