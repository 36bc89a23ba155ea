"""What a job sees while it runs: where things are, and one way to write that holds only as long as the lease."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from app.database import Database
from app.jobs import ledger
from app.jobs.ledger import Claim, Fenced
from app.settings import Settings
from app.storage import Storage

log = logging.getLogger(__name__)


class Cancelled(Exception):
    """Somebody asked for an end."""


class Stopping(Exception):
    """The worker shuts down; the job goes back to the queue and on from its last segment."""


class JobFailed(Exception):
    """The job cannot be done, and trying again would not help; the text is for people."""


class Context:
    """A claimed job, its heartbeat, and the places it reads and writes.

    The heartbeat runs in a thread of its own and only proves that the process lives; what it hears (a cancellation, a
    lost lease) reaches the job at its next ``step``.
    """

    def __init__(
        self, settings: Settings, database: Database, storage: Storage, held: Claim, stopping: threading.Event
    ) -> None:
        self.settings = settings
        self.database = database
        self.storage = storage
        self.held = held
        self._stopping = stopping
        self._ended = threading.Event()
        self._cancelled = threading.Event()
        self._fenced = threading.Event()
        self._shown: tuple[int, str] | None = None

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Renew the lease for the length of a block."""
        thread = threading.Thread(target=self._beat, name=f"heartbeat-{self.held.job_id}", daemon=True)
        thread.start()
        try:
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
            ledger.fence(session, self.held)
            yield session

    def step(self, progress: float, stage: str) -> None:
        """Say how far the job is, and hear whether it shall go on. Call it several times a second.

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
        shown = int(progress * 100), stage
        if shown != self._shown:
            self._shown = shown
            with self.database.session() as session:
                ledger.fence(session, self.held, progress=min(progress, 1.0), stage=stage)

    def _beat(self) -> None:
        # Cancellation shall be heard within a second or two, whatever the lease.
        pause = min(self.settings.lease_seconds / 3, 1.0)
        while not self._ended.wait(pause):
            try:
                with self.database.session() as session:
                    if ledger.heartbeat(session, self.held, self.settings.lease_seconds):
                        self._cancelled.set()
            except Fenced:
                self._fenced.set()
                return
            except OperationalError:
                # The lease outlives a few beats that the database has no time or room for.
                log.warning("job %d: no heartbeat this time", self.held.job_id, exc_info=True)
