"""The job ledger: who works on what, and until when.

A claim gives a worker a job and a fencing token, ``(owner, attempt)``. Everything a worker writes goes through
``fence`` first, in the same transaction: a worker that lost its lease (killed, stopped, cut off) cannot write any more.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Float, Row, ScalarSelect, and_, case, cast, or_, select, update
from sqlalchemy.orm import Session

from app.database import after_commit, clock
from app.jobs import fair_queue, notifier
from app.jobs import log as lines
from app.jobs.states import CANCELLED, FAILED, FINISHED, QUEUED, RUNNING, SUCCEEDED
from app.settings import CPU, QUEUES
from app.tables import Job, Project

log = logging.getLogger(__name__)

_RUNG_AGAIN = 100  # jobs of a queue at a time
_AFTER = {QUEUED: lines.RETRIED, FAILED: lines.FAILED, CANCELLED: lines.CANCELLED}
_BACK = {"state": QUEUED, "stage": "queued", "remaining_seconds": None, "owner": None, "lease_until": None}

#: The queue of jobs that wait for something else than a worker, see ``app.jobs.held``.
HELD = "held"

#: No job that broke waits longer than this, in seconds, before it is tried again.
LONGEST_PAUSE = 60.0


class Fenced(Exception):
    """The job is no longer this worker's: its lease ran out and somebody else has it, or it has ended."""


@dataclass(frozen=True)
class Claim:
    """A job taken by a worker; ``(owner, attempt)`` is the fencing token.

    ``waited`` is how many seconds it stood in the queue; None where it was tried before, or was held
    back first, see ``app.jobs.held``. ``queue`` is where it stood.
    """

    job_id: int
    kind: str
    owner: str
    attempt: int
    params: dict[str, Any]
    waited: float | None = None
    queue: str = CPU


def enqueue(
    session: Session,
    project: Project,
    kind: str,
    params: dict[str, Any],
    *,
    max_attempts: int,
    queue: str = CPU,
    video_id: int | None = None,
    priority: int = 0,
    work: float = 1.0,
) -> Job:
    """Write a job down for the workers of a queue.

    Args:
        session: The transaction.
        project: Whose work it is.
        kind: What is to be done.
        params: What the worker needs to know.
        max_attempts: How often it is tried before it fails.
        queue: Who does it; ``HELD`` for nobody yet.
        video_id: What it is about.
        priority: More urgent jobs go first, whosever they are.
        work: How much it is, in whatever all jobs of the queue are counted in.
    """
    job = Job(
        lab_id=project.lab_id,
        project_id=project.id,
        video_id=video_id,
        kind=kind,
        queue=queue,
        params=params,
        priority=priority,
        turn=fair_queue.of_new_job(session, project.lab_id, queue, priority),
        work=work,
        max_attempts=max_attempts,
    )
    session.add(job)
    session.flush()
    lines.add(session, [job.id], lines.QUEUED)
    if queue != HELD:
        notifier.notify_after_commit(session, queue, job.id)
    fields = {"job_id": job.id, "job_kind": kind, "queue": queue}
    after_commit(session, lambda: log.info("job is queued", extra=fields))
    return job


def claim(
    session: Session, owner: str, lease_seconds: float, kinds: Sequence[str], queues: Sequence[str] = QUEUES
) -> Claim | None:
    """Take the most urgent job that waits, by compare and set; None when there is none.

    Among equally urgent jobs those of the queue go first that is named first, and of these the one whose ``turn`` it
    is, see ``fair_queue``.
    """
    for queue in queues if len(queues) == 1 else _by_urgency(session, kinds, queues):
        waiting = _waiting(kinds, queue)
        row = _take(session, and_(waiting, Job.priority == _top(waiting)), owner, lease_seconds)
        if row is None:
            # Others may be taking all of the most urgent ones at this very moment.
            row = _take(session, waiting, owner, lease_seconds)
        if row is not None:
            lines.add(session, [row.id], lines.BEGUN, owner=owner)
            begun = row.attempt == 1 and "after" not in row.params
            waited = max(0.0, (datetime.now(UTC) - row.created_at).total_seconds()) if begun else None
            return Claim(row.id, row.kind, owner, row.attempt, row.params, waited, queue)
    return None


def waits(session: Session, kinds: Sequence[str], queues: Sequence[str]) -> bool:
    """Return whether a job waits for a worker of these queues."""
    first = (select(Job.id).where(_waiting(kinds, queue)).limit(1) for queue in queues)
    return any(session.execute(one).first() is not None for one in first)


def _waiting(kinds: Sequence[str], queue: str) -> ColumnElement[bool]:
    # The lease of a job that nobody has is the pause after an attempt that broke.
    begins = or_(Job.lease_until.is_(None), Job.lease_until < clock())
    return and_(Job.queue == queue, Job.state == QUEUED, Job.kind.in_(kinds), begins)


def _top(waiting: ColumnElement[bool]) -> ScalarSelect[int]:
    return select(Job.priority).where(waiting).order_by(Job.priority.desc()).limit(1).scalar_subquery()


def _by_urgency(session: Session, kinds: Sequence[str], queues: Sequence[str]) -> list[str]:
    """The queues in which jobs wait, the one with the most urgent job first; equals as they are given.

    Each head is one step in the index; asked for together, all that waits would be sorted.
    """
    heads = []
    for queue in queues:
        top = session.scalar(select(_top(_waiting(kinds, queue))))
        if top is not None:
            heads.append((-top, queue))
    return [queue for _, queue in sorted(heads, key=lambda head: head[0])]


def _take(session: Session, which: ColumnElement[bool], owner: str, lease_seconds: float) -> Row[Any] | None:
    chosen = (
        select(Job.id)
        .where(which)
        .order_by(Job.priority.desc(), Job.turn, Job.id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    return session.execute(
        update(Job)
        .where(Job.id == chosen, Job.state == QUEUED)
        .values(
            state=RUNNING,
            owner=owner,
            attempt=Job.attempt + 1,
            lease_until=after(lease_seconds),
            started_at=datetime.now(UTC),
            stage="starting",
            version=Job.version + 1,
        )
        .returning(Job.id, Job.kind, Job.attempt, Job.params, Job.created_at)
        .execution_options(synchronize_session=False)
    ).one_or_none()


def heartbeat(session: Session, held: Claim, lease_seconds: float) -> bool:
    """Renew the lease; tells whether somebody asked to cancel.

    Raises:
        Fenced: The job is no longer this worker's.
    """
    return bool(_update(session, held, lease_until=after(lease_seconds)))


def fence(session: Session, held: Claim, **values: Any) -> None:
    """Hold the job's row for this transaction and write progress.

    Raises:
        Fenced: The job is no longer this worker's; the transaction must not go on.
    """
    _update(session, held, version=Job.version + 1, **values)


def tell(session: Session, held: Claim, what: str, text: str | None = None) -> None:
    """Write a line into the job's log, in a transaction that has gone through ``fence``."""
    lines.add(session, [held.job_id], what, text, held.owner)


def succeed(session: Session, held: Claim, result: dict[str, Any]) -> None:
    """End a job that is done.

    Raises:
        Fenced: The job is no longer this worker's.
    """
    fence(session, held, state=SUCCEEDED, progress=1.0, stage="done", result=result, **_ended())
    tell(session, held, lines.SUCCEEDED)


def fail(session: Session, held: Claim, error: str) -> None:
    """End a job that cannot be done, with a sentence for people.

    Raises:
        Fenced: The job is no longer this worker's.
    """
    fence(session, held, state=FAILED, stage="failed", error=error, **_ended())
    tell(session, held, lines.FAILED, error)


def cancelled(session: Session, held: Claim) -> None:
    """End a job that somebody cancelled.

    Raises:
        Fenced: The job is no longer this worker's.
    """
    fence(session, held, state=CANCELLED, stage="cancelled", **_ended())
    tell(session, held, lines.CANCELLED)


def release(session: Session, held: Claim, error: str | None = None, *, pause: float = 0.0) -> str:
    """Give a job back: to the queue, or as failed once it was tried often enough.

    Args:
        session: The transaction.
        held: The claim.
        error: What went wrong; None when the worker only shuts down, which does not count as an attempt.
        pause: Seconds for which nobody tries it again: what was wrong may pass.

    Returns:
        The state that the job is in now.

    Raises:
        Fenced: The job is no longer this worker's.
    """
    if error is None:
        again = Job.max_attempts + 1
        fence(session, held, max_attempts=again, **_BACK)
    else:
        fence(session, held, **_retry(error, min(pause, LONGEST_PAUSE)))
    session.flush()
    row = session.execute(select(Job.queue, Job.state).where(Job.id == held.job_id)).one()
    if row.state == QUEUED:
        notifier.notify_after_commit(session, row.queue, held.job_id)
    tell(session, held, _AFTER[row.state] if error is not None else lines.RETURNED, error)
    state: str = row.state
    return state


def pass_on(session: Session, held: Claim, queue: str) -> None:
    """Put a job into another queue, for its workers to do: it did not count as an attempt.

    Args:
        session: The transaction.
        held: The claim.
        queue: Where it is to wait.

    Raises:
        Fenced: The job is no longer this worker's.
    """
    fence(session, held)
    job = session.execute(select(Job.lab_id, Job.priority).where(Job.id == held.job_id)).one()
    turn = fair_queue.of_new_job(session, job.lab_id, queue, job.priority)
    again = {"queue": queue, "turn": turn, "max_attempts": Job.max_attempts + 1}
    fence(session, held, **again, **_BACK)
    tell(session, held, lines.PASSED_ON)
    notifier.notify_after_commit(session, queue, held.job_id)


def reap(session: Session) -> int:
    """Return jobs whose lease ran out to the queue, or fail them after their last attempt; tells how many."""
    error = "the worker stopped answering while it worked on this"
    # A process that was stopped in the middle of a transaction holds its row; the others need not wait for it.
    expired = select(Job.id).where(Job.queue.in_(QUEUES), Job.state == RUNNING, Job.lease_until < clock())
    gone = session.execute(
        update(Job)
        .where(Job.id.in_(expired.with_for_update(skip_locked=True)), Job.state == RUNNING)
        .values(version=Job.version + 1, **_retry(error))
        .returning(Job.id, Job.queue, Job.state)
        .execution_options(synchronize_session=False)
    ).all()
    for job_id, queue, state in gone:
        lines.add(session, [job_id], _AFTER[state], error)
        if state == QUEUED:
            notifier.notify_after_commit(session, queue, job_id)
    return len(gone)


def overdue(session: Session, seconds: float) -> dict[str, list[int]]:
    """Some hundred jobs of each queue that wait longer than so many seconds."""
    now = datetime.now(UTC)
    # What seems to have been queued in the future was so before this machine's clock was set back.
    late = or_(Job.created_at < now - timedelta(seconds=seconds), Job.created_at > now + timedelta(seconds=seconds))
    return {
        queue: list(
            session.scalars(
                select(Job.id)
                .where(Job.queue == queue, Job.state == QUEUED, late)
                # As they stand in the index: whichever is rung for, the one whose turn it is will be claimed.
                .order_by(Job.priority, Job.turn, Job.id)
                .limit(_RUNG_AGAIN)
            )
        )
        for queue in QUEUES
    }


def request_cancel(session: Session, job: Job) -> None:
    """Ask for an end: at once when nobody works on the job, else at the worker's next step."""
    if not job.cancel_requested:
        cancel_all(session, Job.id == job.id)
    session.refresh(job)


def cancel_all(session: Session, which: ColumnElement[bool], why: str | None = None) -> list[int]:
    """Ask for the end of jobs that have not ended, as ``request_cancel`` does; gives their ids.

    Args:
        session: The transaction.
        which: Of the jobs.
        why: What to tell who asks for them.
    """
    reason = {} if why is None else {"error": why}
    open_ = and_(which, Job.state.not_in(FINISHED))
    heard = set(session.scalars(select(Job.id).where(open_, Job.cancel_requested)))
    asked = session.execute(
        update(Job)
        .where(open_)
        .values(
            cancel_requested=True,
            state=case((Job.state == QUEUED, CANCELLED), else_=Job.state),
            stage=case((Job.state == QUEUED, "cancelled"), else_="cancelling"),
            finished_at=case((Job.state == QUEUED, datetime.now(UTC)), else_=None),
            version=Job.version + 1,
            **reason,
        )
        .returning(Job.id, Job.state)
        .execution_options(synchronize_session=False)
    ).all()
    for what, ended in ((lines.CANCELLED, True), (lines.CANCELLING, False)):
        told = [row.id for row in asked if (row.state == CANCELLED) is ended and row.id not in heard]
        lines.add(session, told, what, why)
    return sorted(row.id for row in asked)


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


def _retry(error: str, pause: float = 0.0) -> dict[str, Any]:
    last = or_(Job.attempt >= Job.max_attempts, Job.cancel_requested)
    final = case((Job.cancel_requested, CANCELLED), else_=FAILED)
    return {
        "state": case((last, final), else_=QUEUED),
        "stage": case((last, final), else_=QUEUED),
        "error": error,
        "remaining_seconds": None,
        "owner": None,
        "lease_until": case((last, None), else_=after(pause)) if pause else None,
        "finished_at": case((last, datetime.now(UTC)), else_=None),
    }


def after(seconds: float) -> Any:
    """The database's time so many seconds from now, for a statement."""
    return cast(clock(), Float) + seconds


def _ended() -> dict[str, Any]:
    return {"finished_at": datetime.now(UTC), "lease_until": None, "remaining_seconds": None}
