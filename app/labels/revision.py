"""The labels that a plan was made from, and whether they still stand when it is carried out, see ``app.prepared``."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.labels import history
from app.tables import Video


class Moved(Exception):
    """Labels that were read and do not stand any more."""


def check_revision(session: Session, video: Video, revision: int) -> None:
    """See that nobody has labelled a video since it was read; until the transaction ends nobody does.

    Raises:
        Moved: Somebody has.
    """
    if history.lock(session, video) != revision:
        raise Moved
