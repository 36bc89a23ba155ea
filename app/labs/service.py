"""Making labs, and showing one to whom it may be shown."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.errors import Conflict
from app.keys import service as keys
from app.keys.service import Caller, Role
from app.labs import quotas
from app.labs.schemas import LabOut, LabUsage
from app.settings import Settings
from app.tables import ApiKey, Lab


def create(session: Session, caller: Caller | None, name: str, secret: str | None = None) -> tuple[Lab, ApiKey, str]:
    """Make a lab and its first key, an admin's.

    Args:
        session: The transaction.
        caller: An admin of the operator's lab; None at the command line.
        name: How people call it.
        secret: The secret in the text of its key, where it was made elsewhere.

    Returns:
        The lab, its key, and the key's text, which is kept nowhere.

    Raises:
        Conflict: There is a lab of that name: most likely this was sent twice.
    """
    if session.scalars(select(Lab.id).where(Lab.name == name, Lab.deleted_at.is_(None))).first() is not None:
        raise Conflict(f"there is a lab named {name!r}")
    lab = Lab(name=name)
    session.add(lab)
    session.flush()
    key, text = keys.create(session, lab.id, name="first admin", role=Role.ADMIN, expires_at=None, secret=secret)
    # In the new lab's trail the operator has no key: what is another lab's is not for its eyes.
    inside = Caller(lab_id=lab.id, key_id=None, role=Role.ADMIN)
    audit.record(session, inside, "lab.create", lab_id=lab.id, name=name)
    audit.record(session, inside, "key.create", id=key.id, name=key.name, role=key.role)
    if caller is not None:
        audit.record(session, caller, "lab.create", lab_id=lab.id, name=name)
    return lab, key, text


def is_operator(session: Session, caller: Caller) -> bool:
    """Return whether a caller looks after the installation: an admin of its first lab."""
    return caller.role is Role.ADMIN and caller.lab_id == keys.first_lab(session)


def show(session: Session, lab: Lab) -> LabOut:
    """A lab as the API shows it."""
    (shown,) = show_all(session, [lab])
    return shown


def show_all(session: Session, labs: Sequence[Lab]) -> list[LabOut]:
    """Labs as the API shows them."""
    first = keys.first_lab(session)
    names = [name for name in LabOut.model_fields if name != "operator"]
    return [LabOut(**{name: getattr(lab, name) for name in names}, operator=lab.id == first) for lab in labs]


def usage(session: Session, settings: Settings, lab: Lab) -> LabUsage:
    """A lab with how much it has."""
    return LabUsage(
        **show(session, lab).model_dump(),
        stored_bytes=quotas.stored_bytes(session, lab.id),
        promised_bytes=quotas.promised_bytes(session, settings, lab.id),
        max_stored_bytes=settings.max_lab_bytes or None,
        queued_jobs=quotas.queued_jobs(session, lab.id),
        max_queued_jobs=settings.max_queued_jobs or None,
    )
