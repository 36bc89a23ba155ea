"""Leases after the database's clock was set back: none may end later than one that begins now."""

from __future__ import annotations

from sqlalchemy import and_, select, tuple_, update
from sqlalchemy.orm import Session

from app.jobs.ledger import LONGEST_PAUSE, after
from app.jobs.states import QUEUED, RUNNING
from app.settings import QUEUES
from app.tables import Job, JobSegment


def shorten(session: Session, lease_seconds: float) -> None:
    """End leases and pauses that reach too far into the future when those end that begin now.

    Without this the job of a worker that died would wait for as long as the clock was set back. A worker that lives
    renews its lease a moment later, however long it is.

    Args:
        session: The transaction.
        lease_seconds: How long a lease is.
    """
    running = and_(Job.queue.in_(QUEUES), Job.state == RUNNING)
    paused = and_(Job.queue.in_(QUEUES), Job.state == QUEUED)
    for which, longest in ((running, lease_seconds), (paused, LONGEST_PAUSE)):
        beyond = select(Job.id).where(which, Job.lease_until > after(longest)).with_for_update(skip_locked=True)
        session.execute(
            update(Job).where(Job.id.in_(beyond)).values(lease_until=after(longest)),
            execution_options={"synchronize_session": False},
        )
    place = tuple_(JobSegment.job_id, JobSegment.track_number, JobSegment.start)
    taken = (
        select(JobSegment.job_id, JobSegment.track_number, JobSegment.start)
        .where(JobSegment.job_id.in_(select(Job.id).where(running)), JobSegment.sha256.is_(None))
        .where(JobSegment.lease_until > after(lease_seconds))
        .with_for_update(skip_locked=True)
    )
    session.execute(
        update(JobSegment).where(place.in_(taken)).values(lease_until=after(lease_seconds)),
        execution_options={"synchronize_session": False},
    )
