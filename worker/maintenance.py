"""Maintenance by workers: take jobs back from workers that are gone, and ring again where nobody heard."""

from __future__ import annotations

import logging
import threading
from contextvars import copy_context
from functools import partial
from pathlib import Path

from app.database import TROUBLE, Database
from app.jobs import held, leases, ledger, periodic_tasks, segments
from app.jobs.notifier import Notifier
from app.settings import Settings
from worker.registry import HELPED

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0


class Maintenance:
    """A thread of a worker process that does the duties when no other process does.

    Args:
        settings: How often.
        database: The ledger's.
        notifier: To ring with, where there is a broker.
    """

    def __init__(self, settings: Settings, database: Database, notifier: Notifier | None) -> None:
        self._settings = settings
        self._database = database
        self._notifier = notifier
        self._ended = threading.Event()
        self._thread = threading.Thread(target=partial(copy_context().run, self._run), name="maintenance", daemon=True)

    def start(self) -> None:
        """Look for workers that are gone at once, then begin."""
        try:
            self._reap()
            self._show_life()
        except TROUBLE:
            log.warning("the database does not answer", exc_info=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(min(_PAUSE_SECONDS, self._settings.lease_seconds / 2)):
            try:
                if self._mine(periodic_tasks.REAP, self._settings.lease_seconds / 2):
                    self._reap()
                if self._notifier is not None and self._mine(periodic_tasks.RING, self._settings.ring_seconds):
                    self._publish_again(self._notifier)
                self._show_life()
            except TROUBLE:
                log.warning("the database does not answer", exc_info=True)
            except Exception:
                log.exception("a duty could not be done")

    def _show_life(self) -> None:
        if self._settings.alive_file:
            Path(self._settings.alive_file).touch()

    def _mine(self, duty: str, seconds: float) -> bool:
        with self._database.session(readonly=True) as session:
            if not periodic_tasks.due(session, duty, seconds):
                return False
        with self._database.session() as session:
            return periodic_tasks.take(session, duty, seconds)

    def _reap(self) -> None:
        with self._database.session() as session:
            leases.shorten(session, self._settings.lease_seconds)
            if gone := ledger.reap(session):
                log.warning("%d jobs were held by workers that do not answer", gone)
            held.settle(session)

    def _publish_again(self, notifier: Notifier) -> None:
        """Ring for what waits in a queue of which no message is left: those messages were lost, or do not suffice."""
        with self._database.session(readonly=True) as session:
            waiting = ledger.overdue(session, self._settings.ring_seconds)
            for queue, jobs in waiting.items():
                if (job := segments.find(session, list(HELPED), [queue])) is not None:
                    jobs.append(job.id)
        for queue, jobs in waiting.items():
            if jobs and not notifier.count_pending(queue):
                log.info("ringing again for %d jobs of the queue %s", len(jobs), queue)
                for job_id in jobs:
                    notifier.publish(queue, job_id)
