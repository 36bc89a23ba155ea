"""What a job sees while it runs: where things are, and one way to write that holds only as long as the lease."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.database import TROUBLE, Database
from app.jobs import ledger, segments, states
from app.jobs.ledger import Claim, Fenced
from app.settings import Settings
from app.storage import Storage
from app.tables import Job
from worker.metrics import WorkerMetrics

log = logging.getLogger(__name__)

_SHOWN_SECONDS = 1.0  # between two small parts of progress that are written


class Cancelled(Exception):
    """Somebody asked for an end."""


class Stopping(Exception):
    """The worker shuts down; the job goes back to the queue and on from its last segment."""


class TakesLong(Exception):
    """The job was taken for a quick one and is none; ``queue`` is where it belongs."""

    def __init__(self, queue: str) -> None:
        super().__init__(queue)
        self.queue = queue


class JobFailed(Exception):
    """The job cannot be done, and trying again would not help; the text is for people."""


class Missing(Exception):
    """A file that the job needs is not in the storage; it may be back later. The text is for people."""


class Context:
    """A claimed job, its heartbeat, and the places it reads and writes.

    The heartbeat runs in a thread of its own and only proves that the process lives; what it hears (a cancellation, a
    lost lease) reaches the job at its next ``step``.
    """

    def __init__(
        self,
        settings: Settings,
        database: Database,
        storage: Storage,
        held: Claim,
        stopping: threading.Event,
        metrics: WorkerMetrics | None = None,
    ) -> None:
        self.settings = settings
        self.metrics = metrics or WorkerMetrics(settings)
        self.database = database
        self.storage = storage
        self.held = held
        self._stopping = stopping
        self._ended = threading.Event()
        self._cancelled = threading.Event()
        self._fenced = threading.Event()
        self._shares = threading.Event()
        self._shown: tuple[int, int, str] | None = None
        self._shown_at = 0.0

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Renew the lease for the length of a block, and count its seconds."""
        beat = partial(copy_context().run, self._beat)  # its lines tell whose heart beats
        thread = threading.Thread(target=beat, name=f"heartbeat-{self.held.job_id}", daemon=True)
        thread.start()
        try:
            with self.metrics.busy.working(self.held.kind) as self.stint:
                yield
        finally:
            self._ended.set()
            thread.join()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that can only be committed while the lease holds.

        Raises:
            Fenced: The lease was lost; nothing is written.
        """
        with self.database.session() as session:
            self._fence(session)
            yield session

    def step(self, progress: float, stage: str, remaining: float | None = None) -> None:
        """Say how far the job is, and hear whether it shall go on. Call it several times a second.

        Args:
            progress: From 0 to 1. It is written at each hundredth, and smaller parts once a second.
            stage: What the job is doing.
            remaining: Seconds that it will still take, where that can be told.

        Raises:
            Cancelled: Somebody asked for an end.
            Stopping: The worker shuts down.
            Fenced: The lease was lost.
        """
        self.listen()
        shown, now = (int(progress * 100), int(progress * 10_000), stage), time.monotonic()
        plainly = self._shown is None or (shown[0], stage) != (self._shown[0], self._shown[2])
        if plainly or (shown != self._shown and now - self._shown_at >= _SHOWN_SECONDS):
            self._shown, self._shown_at = shown, now
            left = None if remaining is None else round(remaining, 1)
            with self.database.session() as session:
                ledger.fence(session, self.held, progress=min(progress, 1.0), stage=stage, remaining_seconds=left)

    def listen(self) -> None:
        """Hear whether the job shall go on; costs nothing.

        Raises:
            Cancelled: Somebody asked for an end.
            Stopping: The worker shuts down.
            Fenced: The lease was lost.
        """
        if self._fenced.is_set():
            raise Fenced(f"job {self.held.job_id} lost its lease")
        if self._cancelled.is_set():
            raise Cancelled
        if self._stopping.is_set():
            raise Stopping

    @contextmanager
    def sharing(self) -> Iterator[None]:
        """Renew the segments that this worker takes as well, and give back at the end what it has not finished."""
        self._shares.set()
        try:
            yield
        finally:
            self._shares.clear()
            with suppress(SQLAlchemyError), self.database.session() as session:
                segments.give_back(session, self.held.job_id, self.held.owner)

    def _fence(self, session: Session) -> None:
        ledger.fence(session, self.held)

    def _renew(self, session: Session) -> bool:
        return ledger.heartbeat(session, self.held, self.settings.lease_seconds)

    def _beat(self) -> None:
        # Cancellation shall be heard within a second or two, whatever the lease.
        pause = min(self.settings.lease_seconds / 3, 1.0)
        while not self._ended.wait(pause):
            try:
                with self.database.session() as session:
                    if self._renew(session):
                        self._cancelled.set()
                    if self._shares.is_set():
                        segments.renew(session, self.held.job_id, self.held.owner, self.settings.lease_seconds)
            except Fenced:
                self._fenced.set()
                return
            except TROUBLE:
                # The lease outlives a few beats that the database has no time or room for.
                log.warning("no heartbeat this time", exc_info=True)


class HelperContext(Context):
    """What a worker sees that helps with a job which another one holds.

    ``held`` names the job; its token is worth nothing, that of each segment counts.
    """

    def step(self, progress: float, stage: str, remaining: float | None = None) -> None:
        """Hear whether the help shall go on; progress is for the job's holder to write.

        Raises:
            Cancelled: Somebody asked for an end.
            Stopping: The worker shuts down.
            Fenced: The job has ended.
        """
        self.listen()

    def _fence(self, session: Session) -> None:
        segments.fence(session, self.held.job_id)

    def _renew(self, session: Session) -> bool:
        row = session.execute(select(Job.state, Job.cancel_requested).where(Job.id == self.held.job_id)).one()
        if row.state in states.FINISHED:
            raise Fenced(f"job {self.held.job_id} has ended")
        return bool(row.cancel_requested)
