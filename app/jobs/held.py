"""Jobs that are held back until another one has succeeded; where that ends otherwise they are cancelled.

Such a job stands in the queue ``HELD``, which no worker serves. Its ``params`` name the job that it waits ``after`` and
the queue that it goes into ``then``.
"""

from __future__ import annotations

from typing import Any

from msgspec import UNSET
from sqlalchemy import Select, select, update
from sqlalchemy.orm import Session, aliased

from app.jobs import fair_queue, ledger, notifier
from app.jobs.ledger import HELD
from app.jobs.params import PropagationParams
from app.jobs.states import FINISHED, QUEUED, SUCCEEDED
from app.tables import Job

_AFTER = Job.params["after"].as_integer()
_WHY = "what this was to follow did not end well"


def release(session: Session, job_id: int) -> None:
    """Let begin what waits for a job, which has succeeded."""
    for number in session.scalars(_waiting().where(job_id == _AFTER)).all():
        _free(session, number)


def cancel(session: Session, job_id: int) -> None:
    """Cancel what waits for a job, of which the end was asked for."""
    if waiting := session.scalars(_waiting().where(job_id == _AFTER)).all():
        ledger.cancel_all(session, Job.id.in_(waiting))


def settle(session: Session) -> None:
    """Do with all that waits for jobs that have ended what is to be done."""
    first = aliased(Job)
    held = _waiting().join(first, first.id == _AFTER)
    for number in session.scalars(held.where(first.state == SUCCEEDED)).all():
        _free(session, number)
    if gone := session.scalars(held.where(first.state.in_(FINISHED), first.state != SUCCEEDED)).all():
        ledger.cancel_all(session, Job.id.in_(gone), _WHY)


def _waiting() -> Select[Any]:
    return select(Job.id).where(Job.queue == HELD, Job.state == QUEUED)


def _free(session: Session, job_id: int) -> None:
    job = session.execute(select(Job.lab_id, Job.priority, Job.params).where(Job.id == job_id)).one()
    queue = PropagationParams.of(job.params).then
    assert queue is not UNSET
    freed = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.queue == HELD, Job.state == QUEUED)
        .values(
            queue=queue, turn=fair_queue.of_new_job(session, job.lab_id, queue, job.priority), version=Job.version + 1
        )
        .returning(Job.id)
        .execution_options(synchronize_session=False)
    ).first()
    if freed is not None:
        notifier.notify_after_commit(session, queue, job_id)
