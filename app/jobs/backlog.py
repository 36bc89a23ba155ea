"""The backlog of the ledger for a scraper, in a few questions that indexes answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Select, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.database import Database, clock
from app.jobs.states import QUEUED, RUNNING
from app.settings import QUEUES
from app.tables import Job, Upload
from app.timed_probe import TimedProbe

_PATIENCE_SECONDS = 2.0
_FRESH_SECONDS = 2.0


@dataclass(frozen=True)
class Backlog:
    """The jobs that wait and those under way.

    Attributes:
        jobs: How many, by queue and state.
        oldest: Seconds since the oldest waiting job was made, by queue; 0 where none waits.
        expired: How many running jobs have a lease that ran out, by queue.
        uploads: How many uploads in pieces are open.
    """

    jobs: dict[tuple[str, str], int] = field(default_factory=dict)
    oldest: dict[str, float] = field(default_factory=dict)
    expired: dict[str, int] = field(default_factory=dict)
    uploads: int = 0


def look(session: Session) -> Backlog:
    """Ask the ledger."""
    counted = {(row.queue, row.state): row for row in session.execute(unfinished())}
    expired = {row.queue: row.number for row in session.execute(lapsed())}
    now = datetime.now(UTC)
    oldest = dict.fromkeys(QUEUES, 0.0)
    for queue in QUEUES:
        if (row := counted.get((queue, QUEUED))) is not None:
            made = session.scalar(select(Job.created_at).where(Job.id == row.first))
            oldest[queue] = max(0.0, (now - made).total_seconds()) if made is not None else 0.0
    return Backlog(
        jobs={
            (queue, state): counted[queue, state].number if (queue, state) in counted else 0
            for queue in QUEUES
            for state in (QUEUED, RUNNING)
        },
        oldest=oldest,
        expired={queue: expired.get(queue, 0) for queue in QUEUES},
        uploads=session.scalar(open_uploads()) or 0,
    )


def unfinished() -> Select[str, str, int, int]:
    """Jobs that have not ended, by queue and state: how many, and the first one's id; out of ``ix_job_claim`` alone."""
    return (
        select(Job.queue, Job.state, func.count().label("number"), func.min(Job.id).label("first"))
        .where(Job.queue.in_(QUEUES), Job.state.in_((QUEUED, RUNNING)))
        .group_by(Job.queue, Job.state)
    )


def lapsed() -> Select[str, int]:
    """Running jobs whose lease ran out, by queue; looks at the running ones."""
    return (
        select(Job.queue, func.count().label("number"))
        .where(Job.queue.in_(QUEUES), Job.state == RUNNING, Job.lease_until < clock())
        .group_by(Job.queue)
    )


def open_uploads() -> Select[int]:
    """Uploads in pieces that are neither finished nor ended; out of ``ix_upload_state_expires_at``."""
    return select(func.count()).where(Upload.state == "open")


class BacklogCollector(Collector):
    """The ledger's metrics, as of a moment ago; a database that does not answer costs a scrape two seconds, once.

    Args:
        database: The ledger's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._backlog = TimedProbe(self._ask, patience=_PATIENCE_SECONDS, fresh=_FRESH_SECONDS)

    def describe(self) -> Iterable[Metric]:
        """The metrics, without asking the database for their values."""
        return _families(Backlog(), answers=False)

    def collect(self) -> Iterable[Metric]:
        """The metrics; without values but for ``posetween_ledger_up`` where the database does not answer."""
        try:
            return _families(self._backlog.answer(), answers=True)
        except (SQLAlchemyError, TimeoutError):
            return _families(Backlog(), answers=False)

    def _ask(self) -> Backlog:
        with self._database.session(readonly=True) as session:
            if session.get_bind().dialect.name == "postgresql":
                # What is set locally is set for a transaction, which readers have none of otherwise.
                session.connection(execution_options={"isolation_level": "READ COMMITTED"})
                session.execute(text(f"SET LOCAL statement_timeout = '{_PATIENCE_SECONDS:g}s'"))
            return look(session)


def _families(backlog: Backlog, *, answers: bool) -> list[Metric]:
    up = GaugeMetricFamily("posetween_ledger_up", "Whether the database answered in time")
    up.add_metric([], float(answers))
    jobs = GaugeMetricFamily("posetween_jobs", "Jobs that have not ended", labels=["queue", "state"])
    for (queue, state), number in backlog.jobs.items():
        jobs.add_metric([queue, state], number)
    oldest = GaugeMetricFamily(
        "posetween_oldest_waiting_job_seconds", "Since the oldest waiting job was made; 0: none", labels=["queue"]
    )
    for queue, seconds in backlog.oldest.items():
        oldest.add_metric([queue], seconds)
    expired = GaugeMetricFamily("posetween_expired_leases", "Running jobs whose lease ran out", labels=["queue"])
    for queue, number in backlog.expired.items():
        expired.add_metric([queue], number)
    uploads = GaugeMetricFamily("posetween_uploads_open", "Uploads in pieces that are under way")
    if answers:
        uploads.add_metric([], backlog.uploads)
    return [up, jobs, oldest, expired, uploads]
