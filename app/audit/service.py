"""Writing down what somebody did, in the transaction that does it: neither is there without the other."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from app.audit.schemas import EntryOut, Kind, Via
from app.keys.service import Caller
from app.tables import ApiKey, AuditEntry, Project, Video


def record(
    session: Session,
    caller: Caller,
    kind: Kind,
    *,
    project: Project | None = None,
    video: Video | None = None,
    **details: Any,
) -> None:
    """Add to the audit trail of the caller's lab.

    Args:
        session: The transaction of the act.
        caller: Who does it.
        kind: What is done.
        project: What it is done to; a video brings its project.
        video: What it is done to.
        details: What else there is to know: numbers of what was made, never a secret.
    """
    session.add(
        AuditEntry(
            lab_id=caller.lab_id,
            kind=kind,
            via=_via(caller),
            key_id=caller.key_id,
            project_id=project.id if project else video.project_id if video else None,
            video_id=video.id if video else None,
            details=details,
        )
    )


def show(session: Session, entry: AuditEntry) -> EntryOut:
    """An entry as the API shows it."""
    key = session.get_one(ApiKey, entry.key_id) if entry.key_id is not None else None
    fields = {name: getattr(entry, name) for name in EntryOut.model_fields if name != "key_name"}
    return EntryOut(**fields, key_name=key.name if key else None)


def _via(caller: Caller) -> Via:
    if caller.key_id is None:
        return "operator"
    return "key" if caller.session_id is None else "session"
