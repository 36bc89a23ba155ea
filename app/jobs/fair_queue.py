"""Fair queueing: labs get equal shares of the work of a queue, however many jobs each has waiting.

Start-time fair queueing (P. Goyal, H. M. Vin and H. Cheng, SIGCOMM 1996): a job's turn, given when it is queued, is the
turn of the lab's last unfinished job and that one's work, or the turn of the job that was begun last, whichever is
later. Jobs are begun in the order of their turns. So a lab that queues a thousand jobs delays another lab's by one, and
claiming stays one step in an index.
"""

from __future__ import annotations

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from app.jobs.states import QUEUED, RUNNING
from app.tables import Job


def of_new_job(session: Session, lab_id: int, queue: str, priority: int) -> float:
    """The turn of a job that is about to be queued.

    Args:
        session: The transaction.
        lab_id: Whose job it is.
        queue: Whose workers will do it.
        priority: Turns count among equally urgent jobs.
    """
    alike = and_(Job.queue == queue, Job.priority == priority)
    mine = and_(alike, Job.lab_id == lab_id)
    queued, running = Job.state == QUEUED, Job.state == RUNNING
    newest = select(Job.turn + Job.work).order_by(Job.turn.desc()).limit(1)
    known = session.execute(
        select(
            newest.where(mine, queued).scalar_subquery(),
            newest.where(mine, running).scalar_subquery(),
            select(func.max(Job.turn)).where(alike, running).scalar_subquery(),
            select(func.min(Job.turn)).where(alike, queued).scalar_subquery(),
        )
    ).one()
    return max((turn for turn in known if turn is not None), default=0.0)
