"""Slots: places of a worker process for one job each, of certain queues.

A worker has one slot for what computes. One that does quick jobs has two more, each a thread: one for jobs of the
queue ``cpu`` that take long (a child process decodes for an ingest), and one for quick ones of it. So an export starts
while an hour of video is ingested, and while a small propagation is computed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING

from app.database import TROUBLE
from app.settings import CPU, CPU_QUICK, QUICK, Settings

if TYPE_CHECKING:
    from worker.worker import Worker

log = logging.getLogger(__name__)

_IN_A_ROW = 10


class Slot:
    """A place for one job.

    What is quick comes first. After ten quick jobs in a row it is the turn of one that takes long, so that many quick
    ones do not keep it waiting for ever. Alike queues take turns.

    Args:
        queues: Whose jobs are done here.
        helps: Whether parts of jobs that other workers hold are computed here while no job waits.
    """

    def __init__(self, queues: Sequence[str], *, helps: bool = False) -> None:
        self.helps = helps
        self._quick = [queue for queue in queues if queue in QUICK.values()]
        self._long = [queue for queue in queues if queue not in QUICK.values()]
        self._in_a_row = 0

    @property
    def queues(self) -> list[str]:
        """The queues whose jobs are done here, those first whose turn it is."""
        return self._long + self._quick if self._in_a_row >= _IN_A_ROW else self._quick + self._long

    def served(self, queue: str) -> None:
        """Hear that a job of a queue is done here now."""
        alike = self._quick if queue in self._quick else self._long
        alike.append(alike.pop(alike.index(queue)))
        self._in_a_row = self._in_a_row + 1 if alike is self._quick else 0


def main_slot(settings: Settings) -> Slot:
    """The slot for what computes. Quick workers help nobody: a segment can take long."""
    return Slot(settings.queues, helps=settings.lane == "all")


def side_slots(settings: Settings) -> list[Slot]:
    """The slots that a worker has besides."""
    return [Slot((CPU_QUICK, CPU)), Slot((CPU_QUICK,))] if settings.lane == "quick" and settings.queue != "gpu" else []


@contextmanager
def beside(settings: Settings, worker: Worker, stopping: threading.Event) -> Iterator[None]:
    """Do the jobs of the slots besides for the length of a block, each in a thread; afterwards ``stopping`` is set."""
    threads = [
        threading.Thread(target=partial(copy_context().run, _serve, settings, worker, slot, stopping), name=f"slot-{n}")
        for n, slot in enumerate(side_slots(settings), 2)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def _serve(settings: Settings, worker: Worker, slot: Slot, stopping: threading.Event) -> None:
    while not stopping.is_set():
        if not _one(worker, slot):
            stopping.wait(settings.poll_seconds)


def _one(worker: Worker, slot: Slot) -> bool:
    try:
        return worker.do_one(slot)
    except TROUBLE:
        # A job that was under way comes back when its lease ends.
        log.warning("the database does not answer", exc_info=True)
    except Exception:
        log.exception("no job could be done")
    return False
