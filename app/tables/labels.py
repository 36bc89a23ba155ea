"""What people said: append-only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, ForeignKeyConstraint, Index, false, text
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.declaring import Table, now


class TrackRow(Table):
    """One subject of a video. Its number is what COCO files call ``track_id``; a deleted one keeps it for ever."""

    __tablename__ = "track"

    video_id: Mapped[int] = mapped_column(ForeignKey("video.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    deleted: Mapped[bool] = mapped_column(default=False, server_default=false())
    created_at: Mapped[datetime] = mapped_column(default=now)


class TrackRevision(Table):
    """What a revision of the labels made of a track itself, and what the track was before. Never updated."""

    __tablename__ = "track_revision"
    __table_args__ = (
        ForeignKeyConstraint(["video_id", "number"], ["track.video_id", "track.number"]),
        ForeignKeyConstraint(["video_id", "revision"], ["label_revision.video_id", "label_revision.revision"]),
    )

    video_id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    deleted: Mapped[bool]
    name_before: Mapped[str]
    deleted_before: Mapped[bool]


class LabelRevision(Table):
    """One act of labelling: who, when, and by which call."""

    __tablename__ = "label_revision"

    video_id: Mapped[int] = mapped_column(ForeignKey("video.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    key_id: Mapped[int | None] = mapped_column(ForeignKey("api_key.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Label(Table):
    """What people said of a track on a frame, as it stood after one revision. Never updated, never deleted.

    ``keypoints`` is ``(K, 3)`` little-endian float32 x, y, visibility after the revision; ``changed`` is ``(K,)``
    uint8, 1 where the revision said something. ``absent`` is ``(K,)`` uint8, 1 where the point is absent, whose
    visibility is then 0; None where no point is. A tombstone is a row whose visibility and absence are 0 where it
    changed.
    """

    __tablename__ = "label"
    __table_args__ = (
        ForeignKeyConstraint(["video_id", "track_number"], ["track.video_id", "track.number"]),
        ForeignKeyConstraint(["video_id", "revision"], ["label_revision.video_id", "label_revision.revision"]),
        Index("ix_label_video_id_revision", "video_id", "revision"),
        # Few tracks are ever absent; whoever reads a video asks which.
        Index(
            "ix_label_absent",
            "video_id",
            "track_number",
            sqlite_where=text("absent IS NOT NULL"),
            postgresql_where=text("absent IS NOT NULL"),
        ),
    )

    video_id: Mapped[int] = mapped_column(primary_key=True)
    frame_index: Mapped[int] = mapped_column(primary_key=True)
    track_number: Mapped[int] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    keypoints: Mapped[bytes]
    changed: Mapped[bytes]
    absent: Mapped[bytes | None]
    corrects_run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"))
