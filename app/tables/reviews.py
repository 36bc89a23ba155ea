"""What people said of a machine's poses: append-only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.declaring import Table, now


class Review(Table):
    """One act of reviewing: a verdict on a machine's poses, or the undoing of an earlier act. Never updated.

    ``number`` counts a video's acts from 1. ``verdict`` is ``accept`` or ``reject``, or ``undo``, which takes the act
    ``undoes`` back. ``keypoints`` are the only ones meant, counted from 0. ``max_radius90`` is what the person asked
    for, ``radius90`` the error bound that the act states, in pixels; ``basis_sha256`` names the ``Basis`` of the video
    that radii were read by, none where they were as engines gave them.
    """

    __tablename__ = "review"

    video_id: Mapped[int] = mapped_column(ForeignKey("video.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    verdict: Mapped[str]
    undoes: Mapped[int | None]
    start: Mapped[int]
    stop: Mapped[int]
    track_number: Mapped[int | None]
    keypoints: Mapped[list[Any] | None] = mapped_column(JSON(none_as_null=True))
    max_radius90: Mapped[float | None]
    radius90: Mapped[float | None]
    basis_sha256: Mapped[str | None]
    label_revision: Mapped[int]
    key_id: Mapped[int | None] = mapped_column(ForeignKey("api_key.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class ReviewSpan(Table):
    """Frames of a track of which a review judges the poses of one run. Never updated."""

    __tablename__ = "review_span"
    __table_args__ = (
        ForeignKeyConstraint(["video_id", "number"], ["review.video_id", "review.number"]),
        Index("ix_review_span_video_id_start", "video_id", "start"),
    )

    video_id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    track_number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    start: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stop: Mapped[int]
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"))
