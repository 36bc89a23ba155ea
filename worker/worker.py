"""A worker: claims a job and does it, or helps with one that another worker holds."""

from __future__ import annotations

import logging
import os
import socket
import threading
import uuid
from contextlib import ExitStack
from functools import partial
from types import TracebackType

from app.database import connect
from app.jobs import ledger, segments
from app.jobs import log as lines
from app.jobs.ledger import Claim, Fenced
from app.jobs.notifier import Notifier
from app.logs import about
from app.observed_storage import ObservedStorage
from app.settings import Settings
from app.storage import open_storage
from worker.context import Cancelled, HelperContext, Stopping
from worker.erasing import Erasing
from worker.execute import run_job
from worker.maintenance import Maintenance
from worker.metrics import WorkerMetrics
from worker.metrics_port import shown
from worker.registry import HELPED, KINDS, load_helper
from worker.slots import Slot, main_slot

log = logging.getLogger(__name__)


class Worker:
    """A worker process; a context manager.

    Args:
        settings: Where things are.
        stopping: Set when the process shall end.
    """

    def __init__(self, settings: Settings, stopping: threading.Event) -> None:
        self._settings = settings
        self._stopping = stopping
        # Never used twice, not even by the same process: it is half of the fencing token.
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._database = connect(settings.database)
        self._metrics = WorkerMetrics(settings)
        self._storage = open_storage(settings, partial(ObservedStorage, self._metrics.storage))
        self._notifier = Notifier(settings.broker_url) if settings.broker_url else None
        if self._notifier is not None:
            self._notifier.attach(self._database)
        self._maintenance = Maintenance(settings, self._database, self._notifier)
        self._erasing = Erasing(settings, self._database, self._storage)
        self._main = main_slot(settings)
        self._unhelpable: set[int] = set()  # jobs that this worker cannot help with
        self._reporting = ExitStack()

    def __enter__(self) -> Worker:
        """Begin.

        Raises:
            AddressTaken: The port for the metrics cannot be had.
        """
        self._reporting.enter_context(shown(self._settings, self._metrics.registry))
        self._reporting.enter_context(about(worker=self.owner))
        self._storage.sweep()
        self._maintenance.start()
        self._erasing.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._erasing.stop()
        self._maintenance.stop()
        if self._notifier is not None:
            self._notifier.close()
        self._database.dispose()
        self._reporting.close()

    def do_one(self, slot: Slot | None = None) -> bool:
        """Do the job whose turn it is, or where none waits a part of a job that another worker holds.

        Args:
            slot: Which jobs; those of the settings where left out.

        Returns:
            Whether there was anything to do.
        """
        slot = slot or self._main
        if (held := self._claim(slot)) is not None:
            slot.served(held.queue)
            run_job(self._settings, self._database, self._storage, held, self._stopping, self._metrics)
            return True
        return slot.helps and self._help()

    def _claim(self, slot: Slot) -> Claim | None:
        queues = slot.queues
        # Who only reads keeps nobody from writing, however many workers look.
        with self._database.session(readonly=True) as session:
            if not ledger.waits(session, list(KINDS), queues):
                return None
        with self._database.session() as session:
            return ledger.claim(session, self.owner, self._settings.lease_seconds, list(KINDS), queues)

    def _help(self) -> bool:
        with self._database.session(readonly=True) as session:
            job = segments.find(session, list(HELPED), self._settings.queues, self._unhelpable)
        if job is None:
            return False
        if self._notifier is not None:
            # One helper calls the next: nobody knows how many are idle.
            self._notifier.publish(job.queue, job.id)
        held = Claim(job.id, job.kind, self.owner, job.attempt, job.params)
        context = HelperContext(self._settings, self._database, self._storage, held, self._stopping, self._metrics)
        with about(job_id=job.id, job_kind=job.kind, attempt=job.attempt):
            log.info("helping begins")
            try:
                with context.writing() as session:
                    lines.add(session, [job.id], lines.HELPED, owner=self.owner)
                with context.heartbeat():
                    if not load_helper(job.kind)(context, self._nobody_waits):
                        self._unhelpable.add(job.id)
            except (Fenced, Cancelled, Stopping):
                pass
            except Exception:
                # Whoever holds the job comes upon the same, and says so on the job.
                log.exception("helping broke")
                self._unhelpable.add(job.id)
            log.info("helping ends")
        return True

    def _nobody_waits(self) -> bool:
        with self._database.session(readonly=True) as session:
            return not ledger.waits(session, list(KINDS), self._settings.queues)
