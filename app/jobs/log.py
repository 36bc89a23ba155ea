"""The log of a job: what it did and when, kept with its row, in few lines.

The ledger writes a line in the transaction in which something happens to a job, so that the log and the job's row tell
the same. Of a job that does very much, the first lines and the last ones are kept.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import String, delete, func, insert, literal, select
from sqlalchemy.orm import Session, aliased

from app.tables import Job, JobLine, UtcDateTime

#: What a line tells of a job: it stands in the queue; a worker took it; it does something else than before; another
#: worker helps; something went less well than it could; it broke, or its worker went away, and is tried again; its
#: worker shut down; it is for workers that do what takes long; somebody wants it to end; how it ended.
QUEUED: Final = "queued"
BEGUN: Final = "begun"
STAGE: Final = "stage"
HELPED: Final = "helped"
WARNING: Final = "warning"
RETRIED: Final = "retried"
RETURNED: Final = "returned"
PASSED_ON: Final = "passed_on"
CANCELLING: Final = "cancelling"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"

#: Lines that are kept of the beginning of a job, and as many of its end.
KEPT = 100

_LONGEST = 500
_ROWS_AT_ONCE = 500
_ADDRESS = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]*://\S+|(?<![\w.])(?:file:/*)?/[^\s'\"),;:]+")


def add(session: Session, jobs: Sequence[int], what: str, text: str | None = None, owner: str | None = None) -> None:
    """Write a line into the logs of some jobs, whose rows the transaction holds.

    Args:
        session: The transaction.
        jobs: Their ids.
        what: What happened, see above.
        text: More about it, for people; where files and services of the server are is left out.
        owner: The worker that it happened to, by its fencing token.
    """
    # The rest of a worker's name says what machines there are.
    worker = owner and owner.rpartition(":")[2]
    at, kind = literal(datetime.now(UTC), UtcDateTime), literal(what)
    who, said = literal(worker, String), literal(plain(text), String)
    for begin in range(0, len(jobs), _ROWS_AT_ONCE):
        some = jobs[begin : begin + _ROWS_AT_ONCE]
        mine = JobLine.job_id == Job.id
        number = select(func.coalesce(func.max(JobLine.number), 0) + 1).where(mine).correlate(Job).scalar_subquery()
        rows = select(Job.id, number, at, kind, Job.attempt, who, said).where(Job.id.in_(some))
        columns = ["job_id", "number", "at", "what", "attempt", "worker", "text"]
        session.execute(insert(JobLine).from_select(columns, rows))
        _trim(session, some)


def plain(text: str | None) -> str | None:
    """A sentence without addresses and paths of the server, and not long."""
    return text and _ADDRESS.sub("…", text)[:_LONGEST]


def _trim(session: Session, jobs: Sequence[int]) -> None:
    other = aliased(JobLine)
    last = select(func.max(other.number)).where(other.job_id == JobLine.job_id).correlate(JobLine).scalar_subquery()
    between = JobLine.number > KEPT, JobLine.number <= last - KEPT
    session.execute(
        delete(JobLine).where(JobLine.job_id.in_(jobs), *between).execution_options(synchronize_session=False)
    )
