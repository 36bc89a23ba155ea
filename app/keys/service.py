"""API keys: who is calling, for which lab, and what that allows."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import tokens
from app.errors import Conflict, NotFound, Unauthorized
from app.tables import ApiKey, Lab

_PREFIX = "pt"


class Role(Enum):
    """The roles of keys; each includes the ones before it."""

    READER = "reader"
    ANNOTATOR = "annotator"
    LAB = "lab"
    ADMIN = "admin"

    def includes(self, other: Role) -> bool:
        """Return whether this role may do what ``other`` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True)
class Caller:
    """The sender of a request; without a key it is somebody at the machine itself."""

    lab_id: int
    key_id: int | None
    role: Role
    session_id: int | None = None


def authenticate(session: Session, key: str | None) -> Caller:
    """Find out who holds a key.

    Raises:
        Unauthorized: There is no key, or it is unknown, expired or revoked.
    """
    if not key:
        raise Unauthorized("send an API key as 'Authorization: Bearer <key>'")
    token = tokens.read(_PREFIX, key)
    row = session.get(ApiKey, token[0]) if token else None
    if token is None or row is None or not tokens.fits(token[1], row.secret_sha256):
        raise Unauthorized("this API key is not known")
    return holder(session, row)


def holder(session: Session, row: ApiKey, session_id: int | None = None) -> Caller:
    """The holder of a key that is known.

    Raises:
        Unauthorized: It has expired or was revoked, or its lab was deleted.
    """
    if row.revoked_at is not None:
        raise Unauthorized("this API key was revoked")
    if row.expires_at is not None and row.expires_at <= datetime.now(UTC):
        raise Unauthorized("this API key has expired")
    if session.scalar(select(Lab.deleted_at).where(Lab.id == row.lab_id)) is not None:
        raise Unauthorized("the lab of this API key was deleted; the operator of the installation may restore it")
    return Caller(lab_id=row.lab_id, key_id=row.id, role=Role(row.role), session_id=session_id)


def create(
    session: Session,
    lab_id: int,
    *,
    name: str,
    role: Role,
    expires_at: datetime | None,
    secret: str | None = None,
) -> tuple[ApiKey, str]:
    """Make a key. Its text is given once, here; only a digest is kept.

    Args:
        session: The transaction.
        lab_id: Whose key it is.
        name: How people call it.
        role: What it may do.
        expires_at: When it ends by itself.
        secret: The secret in its text, where it was made elsewhere.
    """
    secret, digest = tokens.mint(secret)
    row = ApiKey(lab_id=lab_id, name=name, role=role.value, secret_sha256=digest, expires_at=expires_at)
    session.add(row)
    session.flush()
    return row, text_of(row.id, secret)


def text_of(key_id: int, secret: str) -> str:
    """The text of a key."""
    return tokens.write(_PREFIX, key_id, secret)


def revoke(session: Session, lab_id: int, key_id: int) -> bool:
    """End a key, and with it the sessions that were opened with it; tells whether it had not ended before.

    Raises:
        NotFound: The lab has no such key.
        Conflict: It is the lab's last admin key that works.
    """
    # Two admins must not end each other's keys at the same moment: each would see the other's.
    session.get_one(Lab, lab_id, with_for_update={"key_share": True})
    row = session.get(ApiKey, key_id, populate_existing=True)
    if row is None or row.lab_id != lab_id:
        raise NotFound(f"there is no key {key_id}")
    if row.revoked_at is not None:
        return False
    others = session.scalars(
        select(ApiKey.id).where(
            ApiKey.lab_id == lab_id,
            ApiKey.role == Role.ADMIN.value,
            ApiKey.revoked_at.is_(None),
            ApiKey.expires_at.is_(None),
            ApiKey.id != key_id,
        )
    ).first()
    if row.role == Role.ADMIN.value and others is None:
        raise Conflict("this is the last admin key of the lab; make another one first")
    row.revoked_at = datetime.now(UTC)
    return True


def first_lab(session: Session) -> int:
    """The operator's lab: whoever set the installation up got its first key."""
    return session.scalars(select(Lab.id).order_by(Lab.id).limit(1)).one()


def local_admin(session: Session) -> Caller:
    """The caller while authentication is off: the admin of the first lab."""
    return Caller(lab_id=first_lab(session), key_id=None, role=Role.ADMIN)


def ensure_admin_key(session: Session, file: Path) -> ApiKey | None:
    """Make the local lab and its admin key at the first start, and leave the key in a file only its owner can read.

    Returns:
        The key, where one had to be made.
    """
    lab = session.scalars(select(Lab).order_by(Lab.id).limit(1)).first()
    if lab is None:
        lab = Lab(name="local")
        session.add(lab)
        session.flush()
    if file.exists():
        try:
            authenticate(session, file.read_text().strip())
        except Unauthorized:
            file.unlink()
        else:
            return None
    row, key = create(session, lab.id, name="local admin", role=Role.ADMIN, expires_at=None)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as stream:
        stream.write(key + "\n")
    return row
