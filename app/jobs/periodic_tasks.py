"""Duties: what one process of all shall do now and then."""

from __future__ import annotations

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import Session

from app.database import clock
from app.jobs.ledger import after
from app.tables import Duty

#: Give back the jobs of workers that are gone; ring again for jobs that wait; erase what was deleted.
REAP, RING, ERASE = "reap", "ring", "erase"


def due(session: Session, name: str, seconds: float) -> bool:
    """Return whether a duty is due. A readonly question, so that processes do not queue up for asking.

    Args:
        session: The transaction.
        name: The duty.
        seconds: How often it is done.
    """
    return session.execute(select(Duty.name).where(Duty.name == name, _over(seconds))).first() is not None


def take(session: Session, name: str, seconds: float) -> bool:
    """Take a duty upon oneself; False where somebody else did. It is due again after so many seconds."""
    taken = session.execute(
        update(Duty)
        .where(Duty.name == name, _over(seconds))
        .values(due=after(seconds))
        .returning(Duty.name)
        .execution_options(synchronize_session=False)
    ).first()
    return taken is not None


def _over(seconds: float) -> ColumnElement[bool]:
    # A clock that was set back must not put a duty off.
    return or_(Duty.due <= clock(), Duty.due > after(seconds))
