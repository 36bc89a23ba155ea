"""What was erased, what is left to remove of it, and which copies of the database there are."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.declaring import Table, now


class Erasure(Table):
    """A video, project or lab that was erased: its number and when it was there, and nothing of what it was."""

    __tablename__ = "erasure"
    __table_args__ = (Index("ix_erasure_thing", "kind", "thing_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    thing_id: Mapped[int]
    lab_id: Mapped[int]
    made_at: Mapped[datetime]
    erased_at: Mapped[datetime] = mapped_column(default=now)


class Discard(Table):
    """An object that something erased referred to: it is removed from storage unless somebody else refers to it."""

    __tablename__ = "discard"

    sha256: Mapped[str] = mapped_column(primary_key=True)


class BackupCopy(Table):
    """A copy of the database that was made, and when somebody said that it was destroyed."""

    __tablename__ = "backup_copy"

    id: Mapped[int] = mapped_column(primary_key=True)
    path: Mapped[str]
    made_at: Mapped[datetime] = mapped_column(default=now)
    destroyed_at: Mapped[datetime | None]
