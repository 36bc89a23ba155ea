"""The segments of a propagation: which worker computes which, and until when.

The worker that holds the job and those that help it take segments the same way, each with a lease and a fencing token
of its own, ``(owner, attempt)``. A worker that lost a segment cannot write it any more; one that died gives it back by
letting its lease run out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Update, and_, exists, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from app.database import clock
from app.jobs.ledger import Fenced, after
from app.jobs.states import FINISHED, RUNNING
from app.tables import Job, JobSegment


@dataclass(frozen=True)
class Taken:
    """A segment that a worker took; ``(owner, attempt)`` is the fencing token."""

    job_id: int
    track: int
    start: int
    input_sha256: str
    owner: str
    attempt: int


def take(
    session: Session, job_id: int, owner: str, lease_seconds: float, count: int, *, most_attempts: int | None = None
) -> list[Taken]:
    """Take the first segments of a job that nobody computes.

    Args:
        session: The transaction.
        job_id: The job.
        owner: Who takes them.
        lease_seconds: For how long.
        count: How many at most.
        most_attempts: Leave those alone that were taken so often: they may be what kills workers.
    """
    wanted = [JobSegment.job_id == job_id, _free()]
    if most_attempts is not None:
        wanted.append(JobSegment.attempt < most_attempts)
    chosen = session.execute(
        select(JobSegment.track_number, JobSegment.start)
        .where(*wanted)
        .order_by(JobSegment.start, JobSegment.track_number)
        .limit(count)
        .with_for_update(skip_locked=True)
    ).all()
    if not chosen:
        return []
    rows = session.execute(
        update(JobSegment)
        .where(
            JobSegment.job_id == job_id, tuple_(JobSegment.track_number, JobSegment.start).in_(list(map(tuple, chosen)))
        )
        .values(owner=owner, attempt=JobSegment.attempt + 1, lease_until=after(lease_seconds))
        .returning(JobSegment.track_number, JobSegment.start, JobSegment.input_sha256, JobSegment.attempt)
        .execution_options(synchronize_session=False)
    ).all()
    taken = [Taken(job_id, row.track_number, row.start, row.input_sha256, owner, row.attempt) for row in rows]
    return sorted(taken, key=lambda one: (one.start, one.track))


def renew(session: Session, job_id: int, owner: str, lease_seconds: float) -> None:
    """Keep what a worker holds of a job."""
    session.execute(_held(job_id, owner).values(lease_until=after(lease_seconds)))


def record(session: Session, taken: Taken, sha256: str) -> None:
    """Say that a segment is done; saying the same again changes nothing.

    Raises:
        Fenced: The segment is no longer this worker's.
    """
    result = session.execute(
        update(JobSegment)
        .where(
            JobSegment.job_id == taken.job_id,
            JobSegment.track_number == taken.track,
            JobSegment.start == taken.start,
            JobSegment.input_sha256 == taken.input_sha256,
            JobSegment.owner == taken.owner,
            JobSegment.attempt == taken.attempt,
            or_(JobSegment.sha256.is_(None), JobSegment.sha256 == sha256),
        )
        .values(sha256=sha256, lease_until=None)
        .execution_options(synchronize_session=False)
    )
    if not result.rowcount:  # type: ignore[attr-defined]
        raise Fenced(f"segment {taken.start} of track {taken.track} of job {taken.job_id} is somebody else's")


def give_back(session: Session, job_id: int, owner: str) -> None:
    """Leave what a worker holds of a job to others, as if it had not been taken."""
    session.execute(_held(job_id, owner).values(owner=None, lease_until=None, attempt=JobSegment.attempt - 1))


def unfinished(session: Session, job_id: int) -> int:
    """The number of segments of a job that are not done."""
    query = select(func.count()).where(JobSegment.job_id == job_id, JobSegment.sha256.is_(None))
    return session.execute(query).scalar_one()


def unfinished_frames(session: Session, job_id: int) -> int:
    """The number of frames, once for each track, in the segments of a job that are not done."""
    query = select(func.sum(JobSegment.stop - JobSegment.start))
    # Postgres gives a sum of its integers as a decimal.
    return int(session.scalar(query.where(JobSegment.job_id == job_id, JobSegment.sha256.is_(None))) or 0)


def share(session: Session, job_id: int) -> None:
    """Let other workers help with a job."""
    session.execute(update(Job).where(Job.id == job_id).values(shared=True))


def find(session: Session, kinds: Sequence[str], queues: Sequence[str], without: Collection[int] = ()) -> Job | None:
    """The most urgent job that a worker without one can help with.

    Args:
        session: The transaction.
        kinds: What the worker can do.
        queues: Whose jobs it does.
        without: Jobs that it cannot help with.
    """
    free = exists().where(JobSegment.job_id == Job.id, _free(), JobSegment.attempt < Job.max_attempts)
    return session.scalars(
        select(Job)
        .where(Job.queue.in_(queues), Job.state == RUNNING, Job.kind.in_(kinds), Job.id.not_in(without))
        .where(Job.shared, ~Job.cancel_requested, free)
        .order_by(Job.priority.desc(), Job.turn, Job.id)
        .limit(1)
    ).one_or_none()


def fence(session: Session, job_id: int) -> None:
    """Hold a job's row for this transaction on behalf of somebody who helps with it.

    Raises:
        Fenced: The job has ended, or shall.
    """
    alive = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state.not_in(FINISHED), ~Job.cancel_requested)
        .values(version=Job.version + 1)
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if alive is None:
        raise Fenced(f"job {job_id} needs no more help")


def _free() -> ColumnElement[bool]:
    return and_(JobSegment.sha256.is_(None), or_(JobSegment.lease_until.is_(None), JobSegment.lease_until < clock()))


def _held(job_id: int, owner: str) -> Update:
    mine = and_(JobSegment.job_id == job_id, JobSegment.owner == owner, JobSegment.sha256.is_(None))
    return update(JobSegment).where(mine).execution_options(synchronize_session=False)
