"""What trainings leave: checkpoints, their files, and which labels no training may learn from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.declaring import Table, now


class Checkpoint(Table):
    """An estimator that a training made: its weights, how good it is, and what it was made from.

    ``metrics`` were measured on human labels that nothing was learnt from, ``verdict`` is the promotion gate's. At most
    one checkpoint of a project is ``promoted``.
    """

    __tablename__ = "checkpoint"
    __table_args__ = (
        Index(
            "ix_checkpoint_promoted",
            "project_id",
            unique=True,
            sqlite_where=text("promoted"),
            postgresql_where=text("promoted"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), index=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), unique=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("checkpoint.id"))
    estimator: Mapped[str]
    preset: Mapped[str]
    skeleton_version: Mapped[int]
    weights_sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))
    metrics: Mapped[dict[str, Any]]
    epochs: Mapped[list[Any]]
    pedigree: Mapped[dict[str, Any]]
    verdict: Mapped[dict[str, Any]]
    promoted: Mapped[bool] = mapped_column(default=False)
    promoted_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class CheckpointFile(Table):
    """A file that a training left beside the weights: the recipe, the report."""

    __tablename__ = "checkpoint_file"

    checkpoint_id: Mapped[int] = mapped_column(ForeignKey("checkpoint.id"), primary_key=True)
    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))


class HeldOut(Table):
    """Frames of a video that trainings measure on and never learn from, from the first training on that chose them.

    ``job_id`` is that training. Rows are never changed nor deleted: no checkpoint that is measured later has seen them.
    """

    __tablename__ = "held_out"

    video_id: Mapped[int] = mapped_column(ForeignKey("video.id"), primary_key=True)
    start: Mapped[int] = mapped_column(primary_key=True)
    stop: Mapped[int]
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
