"""The context of a running job: where things are, and one way to write that holds only as long as the lease."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import blobs
from app.database import TROUBLE, Database
from app.errors import NoSpace, database_trouble
from app.incoming import check_disk
from app.jobs import ledger, segments, states
from app.jobs import log as lines
from app.jobs.ledger import Claim, Fenced
from app.labs import quotas
from app.labs.quotas import OverQuota
from app.settings import Settings
from app.storage import Storage, Stored
from app.tables import Job
from worker.metrics import WorkerMetrics

log = logging.getLogger(__name__)

_SHOWN_SECONDS = 1.0  # between two small parts of progress that are written
_AGAIN_SECONDS = 0.2  # between two tries of a transaction

Result = TypeVar("Result")


class Cancelled(Exception):
    """Somebody asked for an end."""


class Stopping(Exception):
    """The worker shuts down; the job goes back to the queue and on from its last segment."""


class GivesWay(Stopping):
    """Something more urgent waits for this worker; the job goes back to the queue meanwhile."""


class TakesLong(Exception):
    """The job was taken for a quick one and is none; ``queue`` is where it belongs."""

    def __init__(self, queue: str) -> None:
        super().__init__(queue)
        self.queue = queue


class JobFailed(Exception):
    """The job cannot be done, and trying again would not help; the text is for people."""


class MissingFile(Exception):
    """A file that the job needs is not in the storage; it may be back later. The text is for people."""


class TooLittleMemory(Exception):
    """A segment does not fit into memory even in the smallest steps; the text is for people."""


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
        self._told = ""
        self._room, self._asked_room_at = 0, -float("inf")

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Renew the lease for the length of a block, and count its seconds."""
        beat = partial(copy_context().run, self._beat)  # its lines tell whose heart beats
        thread = threading.Thread(target=beat, name=f"heartbeat-{self.held.job_id}", daemon=True)
        thread.start()
        try:
            with self.metrics.device_usage.working(self.held.kind) as self.device_use:
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

    @contextmanager
    def keeping(self, stored: Iterable[Stored]) -> Iterator[Session]:
        """A transaction like ``writing`` whose rows refer to objects that were just put; where it fails they go again.

        Args:
            stored: The objects.

        Raises:
            Fenced: The lease was lost; nothing is written.
            Busy: An object was removed since it was put.
        """
        kept = list(stored)
        try:
            with self.writing() as session:
                for one in kept:
                    blobs.record(session, self.storage, one)
                yield session
        except TROUBLE:
            raise  # who has no time or room for the rows has none to say so either
        except BaseException:
            blobs.set_aside(self.database, {one.sha256 for one in kept})
            raise

    def check_room(self, size: int) -> None:
        """Refuse to let files of the job grow on, which are not on record yet; asks now and then.

        Args:
            size: Bytes that they have.

        Raises:
            NoSpace: Only the reserve of the disk is left.
            OverQuota: The lab has no room for them.
        """
        check_disk(self.settings.scratch_dir)
        if not self.settings.max_lab_bytes:
            return
        if time.monotonic() - self._asked_room_at > _SHOWN_SECONDS:
            with self.database.session(readonly=True) as session:
                lab_id = session.get_one(Job, self.held.job_id).lab_id
                self._room = self.settings.max_lab_bytes - quotas.stored_bytes(session, lab_id)
            self._asked_room_at = time.monotonic()
        if size > self._room:
            raise OverQuota(quotas.over(self.settings.max_lab_bytes))

    def check_quota(self, session: Session) -> None:
        """Refuse what a transaction has put on record, where the lab has no room for it.

        Raises:
            OverQuota: It has none.
        """
        quotas.check_made(session, self.settings, session.get_one(Job, self.held.job_id).lab_id)

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
        self.check_cancelled()
        shown, now = (int(progress * 100), int(progress * 10_000), stage), time.monotonic()
        plainly = self._shown is None or (shown[0], stage) != (self._shown[0], self._shown[2])
        if plainly or (shown != self._shown and now - self._shown_at >= _SHOWN_SECONDS):
            self._shown, self._shown_at = shown, now
            left = None if remaining is None else round(remaining, 1)
            try:
                with self.database.session() as session:
                    ledger.fence(session, self.held, progress=min(progress, 1.0), stage=stage, remaining_seconds=left)
                    if (doing := stage.partition(":")[0]) != self._told:  # what follows counts
                        ledger.tell(session, self.held, lines.STAGE, doing)
            except TROUBLE:
                self._shown = None
                log.warning("no progress is told this time", exc_info=True)
            else:
                self._told = doing

    def warn(self, text: str) -> None:
        """Write a warning into the job's log; where the database does not answer it goes without.

        Args:
            text: For people.

        Raises:
            Fenced: The lease was lost.
        """
        with suppress(*TROUBLE), self.writing() as session:
            lines.add(session, [self.held.job_id], lines.WARNING, text, self.held.owner)

    def warn_out_of_memory(self, sentence: str) -> None:
        """Count that memory ran out and less is done at a time, and warn of it."""
        self.metrics.spared.inc()
        self.warn(sentence)

    def insist(self, act: Callable[[], Result]) -> Result:
        """Do a transaction, and do it again while the database has no time for it, for as long as a lease is.

        Args:
            act: The transaction, which can be done again: also where it was committed and nobody heard of that.

        Raises:
            Cancelled: Somebody asked for an end.
            Stopping: The worker shuts down.
            Fenced: The lease was lost.
        """
        until = time.monotonic() + self.settings.lease_seconds
        while True:
            try:
                return act()
            except TROUBLE as error:
                if time.monotonic() > until or isinstance(database_trouble(error), NoSpace):
                    raise
                log.warning("the database does not answer; once more", exc_info=True)
            self.check_cancelled()
            time.sleep(_AGAIN_SECONDS)

    def check_cancelled(self) -> None:
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
    """The context of a worker that helps with a job which another one holds.

    ``held`` names the job; its token is worth nothing, that of each segment counts.
    """

    def step(self, progress: float, stage: str, remaining: float | None = None) -> None:
        """Hear whether the help shall go on; progress is for the job's holder to write.

        Raises:
            Cancelled: Somebody asked for an end.
            Stopping: The worker shuts down.
            Fenced: The job has ended.
        """
        self.check_cancelled()

    def _fence(self, session: Session) -> None:
        segments.fence(session, self.held.job_id)

    def _renew(self, session: Session) -> bool:
        row = session.execute(select(Job.state, Job.cancel_requested).where(Job.id == self.held.job_id)).one()
        if row.state in states.FINISHED:
            raise Fenced(f"job {self.held.job_id} has ended")
        return bool(row.cancel_requested)
