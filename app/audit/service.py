"""Writing down what somebody did, in the transaction that does it: neither is there without the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit.schemas import EntryOut, Kind, Via
from app.tables import ApiKey, AuditEntry, Project, Video


class Actor(Protocol):
    """The author of an act: a ``Caller``, or the row of what a caller began and the service ends."""

    @property
    def lab_id(self) -> int:
        """The lab whose data it is about."""

    @property
    def key_id(self) -> int | None:
        """The key they came with; None at the machine itself."""

    @property
    def session_id(self) -> int | None:
        """The browser session they came in."""


def record(
    session: Session,
    actor: Actor,
    kind: Kind,
    *,
    project: Project | None = None,
    video: Video | None = None,
    **details: Any,
) -> None:
    """Add to the audit trail of the actor's lab.

    Args:
        session: The transaction of the act.
        actor: Who does it.
        kind: What is done.
        project: What it is done to; a video brings its project.
        video: What it is done to.
        details: What else there is to know: numbers of what was made, never a secret.
    """
    session.add(
        AuditEntry(
            lab_id=actor.lab_id,
            kind=kind,
            via=_via(actor),
            key_id=actor.key_id,
            project_id=project.id if project else video.project_id if video else None,
            video_id=video.id if video else None,
            details=details,
        )
    )


def show_all(session: Session, entries: Sequence[AuditEntry]) -> list[EntryOut]:
    """Entries as the API shows them, with one question for the names of their keys."""
    keys = {entry.key_id for entry in entries if entry.key_id is not None}
    query = select(ApiKey.id, ApiKey.name).where(ApiKey.id.in_(keys))
    names: dict[int | None, str] = {number: name for number, name in session.execute(query)}  # noqa: C416
    fields = [name for name in EntryOut.model_fields if name != "key_name"]
    return [
        EntryOut(**{name: getattr(entry, name) for name in fields}, key_name=names.get(entry.key_id))
        for entry in entries
    ]


def _via(actor: Actor) -> Via:
    if actor.key_id is None:
        return "operator"
    return "key" if actor.session_id is None else "session"
