"""The job ledger: who works on what, and until when.

A claim gives a worker a job and a fencing token, ``(owner, attempt)``. Everything a worker writes goes through
``fence`` first, in the same transaction: a worker that lost its lease (killed, stopped, cut off) cannot write any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Float, and_, case, cast, or_, select, update
from sqlalchemy.orm import Session

from app.database import clock
from app.tables import Job, Project

QUEUED, RUNNING, SUCCEEDED, FAILED, CANCELLED = "queued", "running", "succeeded", "failed", "cancelled"
FINISHED = frozenset({SUCCEEDED, FAILED, CANCELLED})


class Fenced(Exception):
    """The job is no longer this worker's: its lease ran out and somebody else has it, or it has ended."""


@dataclass(frozen=True)
class Claim:
    """A job taken by a worker; ``(owner, attempt)`` is the fencing token."""

    job_id: int
    kind: str
    owner: str
    attempt: int
    params: dict[str, Any]


def enqueue(
    session: Session,
    project: Project,
    kind: str,
    params: dict[str, Any],
    *,
    max_attempts: int,
    video_id: int | None = None,
    priority: int = 0,
) -> Job:
    """Write a job down; a worker will find it."""
    job = Job(
        lab_id=project.lab_id,
        project_id=project.id,
        video_id=video_id,
        kind=kind,
        params=params,
        priority=priority,
        max_attempts=max_attempts,
    )
    session.add(job)
    session.flush()
    return job


def claim(session: Session, owner: str, lease_seconds: float, kinds: Sequence[str]) -> Claim | None:
    """Take the most urgent job that waits, in one statement; None when there is none."""
    waiting = (
        select(Job.id)
        .where(Job.state == QUEUED, Job.kind.in_(kinds))
        .order_by(Job.priority.desc(), Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = session.execute(
        update(Job)
        .where(Job.id == waiting, Job.state == QUEUED)
        .values(
            state=RUNNING,
            owner=owner,
            attempt=Job.attempt + 1,
            lease_until=_after(lease_seconds),
            started_at=datetime.now(UTC),
            stage="starting",
            version=Job.version + 1,
        )
        .returning(Job.id, Job.kind, Job.attempt, Job.params)
        .execution_options(synchronize_session=False)
    ).one_or_none()
    return Claim(job_id=row.id, kind=row.kind, owner=owner, attempt=row.attempt, params=row.params) if row else None


def heartbeat(session: Session, held: Claim, lease_seconds: float) -> bool:
    """Renew the lease; tells whether somebody asked to cancel.

    Raises:
        Fenced: The job is no longer this worker's.
    """
    return bool(_update(session, held, lease_until=_after(lease_seconds)))


def fence(session: Session, held: Claim, **values: Any) -> None:
    """Hold the job's row for this transaction and write progress.

    Raises:
        Fenced: The job is no longer this worker's; the transaction must not go on.
    """
    _update(session, held, version=Job.version + 1, **values)


def succeed(session: Session, held: Claim, result: dict[str, Any]) -> None:
    """End a job that is done.

    Raises:
        Fenced: The job is no longer this worker's.
    """
    fence(session, held, state=SUCCEEDED, progress=1.0, stage="done", result=result, **_ended())


def fail(session: Session, held: Claim, error: str) -> None:
    """End a job that cannot be done, with a sentence for people.

    Raises:
        Fenced: The job is no longer this worker's.
    """
    fence(session, held, state=FAILED, stage="failed", error=error, **_ended())


def cancelled(session: Session, held: Claim) -> None:
    """End a job that somebody cancelled.

    Raises:
        Fenced: The job is no longer this worker's.
    """
    fence(session, held, state=CANCELLED, stage="cancelled", **_ended())


def release(session: Session, held: Claim, error: str | None = None) -> None:
    """Give a job back: to the queue, or as failed once it was tried often enough.

    Args:
        session: The transaction.
        held: The claim.
        error: What went wrong; None when the worker only shuts down, which does not count as an attempt.

    Raises:
        Fenced: The job is no longer this worker's.
    """
    if error is None:
        again = Job.max_attempts + 1
        fence(session, held, state=QUEUED, stage="queued", max_attempts=again, owner=None, lease_until=None)
    else:
        fence(session, held, **_retry(error))


def reap(session: Session) -> int:
    """Return jobs whose lease ran out to the queue, or fail them after their last attempt; tells how many."""
    error = "the worker stopped answering while it worked on this"
    expired = update(Job).where(Job.state == RUNNING, Job.lease_until < clock())
    result = session.execute(
        expired.values(version=Job.version + 1, **_retry(error)).execution_options(synchronize_session=False)
    )
    return int(result.rowcount)  # type: ignore[attr-defined]


def request_cancel(session: Session, job: Job) -> None:
    """Ask for an end: at once when nobody works on the job, else at the worker's next step."""
    session.execute(
        update(Job)
        .where(Job.id == job.id, Job.state.not_in(FINISHED))
        .values(
            cancel_requested=True,
            state=case((Job.state == QUEUED, CANCELLED), else_=Job.state),
            stage=case((Job.state == QUEUED, "cancelled"), else_="cancelling"),
            finished_at=case((Job.state == QUEUED, datetime.now(UTC)), else_=None),
            version=Job.version + 1,
        )
        .execution_options(synchronize_session=False)
    )
    session.refresh(job)


def _update(session: Session, held: Claim, **values: Any) -> bool:
    cancel = session.execute(
        update(Job)
        .where(and_(Job.id == held.job_id, Job.owner == held.owner, Job.attempt == held.attempt, Job.state == RUNNING))
        .values(**values)
        .returning(Job.cancel_requested)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if cancel is None:
        raise Fenced(f"job {held.job_id} is no longer held by {held.owner}")
    return bool(cancel)


def _retry(error: str) -> dict[str, Any]:
    last = or_(Job.attempt >= Job.max_attempts, Job.cancel_requested)
    final = case((Job.cancel_requested, CANCELLED), else_=FAILED)
    return {
        "state": case((last, final), else_=QUEUED),
        "stage": case((last, final), else_=QUEUED),
        "error": error,
        "owner": None,
        "lease_until": None,
        "finished_at": case((last, datetime.now(UTC)), else_=None),
    }


def _after(seconds: float) -> Any:
    return cast(clock(), Float) + seconds


def _ended() -> dict[str, Any]:
    return {"finished_at": datetime.now(UTC), "lease_until": None}
