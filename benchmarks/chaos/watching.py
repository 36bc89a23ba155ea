"""What is seen of the ledger while it is harmed: a few looks a second, and every change of a segment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select, text
from sqlalchemy.exc import SQLAlchemyError

from app.database import Database, clock
from app.jobs.states import QUEUED, RUNNING
from app.tables import Job
from benchmarks.chaos.installation import Installation, owner_pid
from benchmarks.chaos.processes import alive

_LOOK_SECONDS = 0.2

_LOG = """CREATE TABLE chaos_segment
(job_id BIGINT, track_number BIGINT, start BIGINT, input_sha256 TEXT, before TEXT, after TEXT)"""
_NOTE = "INSERT INTO chaos_segment VALUES (NEW.job_id, NEW.track_number, NEW.start, NEW.input_sha256, {}, NEW.sha256)"
_SQLITE = (
    f"CREATE TRIGGER chaos_new AFTER INSERT ON job_segment BEGIN {_NOTE.format('NULL')}; END",
    f"CREATE TRIGGER chaos_change AFTER UPDATE ON job_segment WHEN OLD.sha256 IS NOT NEW.sha256 "
    f"BEGIN {_NOTE.format('OLD.sha256')}; END",
)
_POSTGRES = (
    f"CREATE FUNCTION chaos_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
    f"IF TG_OP = 'INSERT' THEN {_NOTE.format('NULL')}; ELSE {_NOTE.format('OLD.sha256')}; END IF; RETURN NULL; END $$",
    "CREATE TRIGGER chaos_new AFTER INSERT ON job_segment FOR EACH ROW EXECUTE FUNCTION chaos_note()",
    "CREATE TRIGGER chaos_change AFTER UPDATE ON job_segment FOR EACH ROW "
    "WHEN (OLD.sha256 IS DISTINCT FROM NEW.sha256) EXECUTE FUNCTION chaos_note()",
)


def log_segments(database: Database) -> None:
    """Have the database itself note each digest that a segment's row ever had, and what stood there before."""
    triggers = _SQLITE if database.engine.dialect.name == "sqlite" else _POSTGRES
    with database.session() as session:
        for statement in (_LOG, *triggers):
            session.execute(text(statement))


@dataclass(frozen=True)
class Sample:
    """One look at the ledger.

    Attributes:
        at: When, on the monotonic clock.
        back: Whether every process was there and did its work.
        orphans: Jobs that run without a worker: it is gone, or its lease is over.
        waiting: Jobs that wait, while no worker has any; but not those that pause after an attempt that broke.
    """

    at: float
    back: bool
    orphans: frozenset[int] = frozenset()
    waiting: frozenset[int] = frozenset()


def look(installation: Installation) -> Sample:
    """Look at the ledger."""
    at, back = time.monotonic(), installation.is_back()
    try:
        with installation.database.session(readonly=True) as session:
            query = select(Job.id, Job.state, Job.owner, (Job.lease_until < clock()).label("over"))
            rows = session.execute(query.where(Job.state.in_((QUEUED, RUNNING)))).all()
    except SQLAlchemyError:
        return Sample(at, False)
    running = [row for row in rows if row.state == RUNNING]
    orphans = frozenset(row.id for row in running if row.over or not alive(owner_pid(row.owner)))
    waiting = frozenset() if running else frozenset(row.id for row in rows if row.over in (None, True))
    return Sample(at, back, orphans, waiting)


class Watcher:
    """Looks at the ledger again and again; a thread.

    Args:
        installation: Whose.
        heard: Called with each look.
    """

    def __init__(self, installation: Installation, heard: Callable[[Sample], None]) -> None:
        self._installation = installation
        self._heard = heard
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            self._heard(look(self._installation))
