"""Labs, who may enter them, and what they did."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.declaring import Table, now


class Lab(Table):
    """Who owns data: nothing of one lab is visible to another.

    The row of one that was erased stays, without a name: the audit trail refers to it.
    """

    __tablename__ = "lab"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None] = mapped_column(index=True)
    restore_until: Mapped[datetime | None]
    erased_at: Mapped[datetime | None]


class ApiKey(Table):
    """A key to a lab's data. Only the digest of its secret is kept."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"), index=True)
    name: Mapped[str]
    role: Mapped[str]
    secret_sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class BrowserSession(Table):
    """A browser that was let in with a key, until it leaves, time is up or the key ends."""

    __tablename__ = "browser_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("api_key.id"), index=True)
    secret_sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class SignIn(Table):
    """A token that signs a browser in once, in place of a key. It is gone once it was used."""

    __tablename__ = "sign_in"

    id: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("api_key.id"), index=True)
    secret_sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class AuditEntry(Table):
    """One thing somebody did: the audit trail. Never deleted, and never updated but once.

    What it names may be gone one day, so there are no foreign keys to projects and videos. When what an entry is about
    is erased, its names leave ``details``: that it happened stays, what it was does not.
    """

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_lab", "lab_id", "id"),
        Index("ix_audit_kind", "lab_id", "kind", "id"),
        Index("ix_audit_key", "key_id", "id"),
        Index("ix_audit_project", "project_id", "id"),
        Index("ix_audit_video", "video_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"))
    kind: Mapped[str]
    via: Mapped[str]
    key_id: Mapped[int | None] = mapped_column(ForeignKey("api_key.id"))
    project_id: Mapped[int | None]
    video_id: Mapped[int | None]
    details: Mapped[dict[str, Any]]
    at: Mapped[datetime] = mapped_column(default=now)


class Idempotency(Table):
    """The first answer to a POST that carried an ``Idempotency-Key``."""

    __tablename__ = "idempotency"

    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request: Mapped[str]
    status: Mapped[int]
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)
