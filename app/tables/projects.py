"""Projects, their skeletons, their videos, and the objects in storage."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.declaring import Table, now


class Blob(Table):
    """A stored object, named by its digest."""

    __tablename__ = "blob"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Project(Table):
    """Videos that share a skeleton.

    One that has ``deleted_at`` is hidden with all that is in it. Until ``restore_until`` it can be restored; with none
    it is being erased, and nothing brings it back.
    """

    __tablename__ = "project"

    id: Mapped[int] = mapped_column(primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"), index=True)
    name: Mapped[str]
    skeleton_version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None] = mapped_column(index=True)
    restore_until: Mapped[datetime | None]


class SkeletonVersion(Table):
    """A project's skeleton as it was at one time; keypoints are only ever added or renamed."""

    __tablename__ = "skeleton_version"

    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Video(Table):
    """An uploaded video and, once ingested, its frame table and proxy; deleted as projects are."""

    __tablename__ = "video"
    __table_args__ = (
        # The same bytes may come again while a deleted video can still be restored.
        Index(
            "ix_video_sha256",
            "project_id",
            "sha256",
            unique=True,
            sqlite_where=text("deleted_at IS NULL"),
            postgresql_where=text("deleted_at IS NULL"),
        ),
        UniqueConstraint("project_id", "slug"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), index=True)
    filename: Mapped[str]
    slug: Mapped[str]
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))
    size: Mapped[int]
    status: Mapped[str]
    reason: Mapped[str | None]
    num_frames: Mapped[int | None]
    width: Mapped[int | None]
    height: Mapped[int | None]
    fps: Mapped[float | None]
    duration: Mapped[float | None]
    damaged: Mapped[list[Any] | None]
    variable_rate: Mapped[bool | None]
    stream: Mapped[dict[str, Any] | None]
    frame_table_sha256: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"))
    proxy_sha256: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"))
    proxy_table_sha256: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"))
    revision: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=now)
    deleted_at: Mapped[datetime | None] = mapped_column(index=True)
    restore_until: Mapped[datetime | None]


class Upload(Table):
    """A file that arrives in pieces. Its bytes are in scratch until it is whole and becomes a video.

    ``sha256`` is known once all bytes are there, just before they go into storage; nothing may remove that object while
    the upload is open. ``key_id`` and ``session_id`` tell who began it; the session may have ended.
    """

    __tablename__ = "upload"
    __table_args__ = (Index("ix_upload_state_expires_at", "state", "expires_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"), index=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), index=True)
    key_id: Mapped[int | None] = mapped_column(ForeignKey("api_key.id"))
    session_id: Mapped[int | None]
    filename: Mapped[str]
    description: Mapped[str]
    length: Mapped[int | None]
    state: Mapped[str] = mapped_column(default="open")
    reason: Mapped[str | None]
    sha256: Mapped[str | None]
    video_id: Mapped[int | None] = mapped_column(ForeignKey("video.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    expires_at: Mapped[datetime]
