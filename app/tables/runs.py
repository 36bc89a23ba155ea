"""What a machine made of labels: runs, and files of both."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.declaring import Table, now


class Run(Table):
    """One propagation's output with its pedigree: a layer of pseudo-labels that can be hidden and shown again."""

    __tablename__ = "run"

    id: Mapped[int] = mapped_column(primary_key=True)
    video_id: Mapped[int] = mapped_column(ForeignKey("video.id"), index=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), unique=True)
    engine: Mapped[str]
    checkpoint_sha256: Mapped[str | None]
    label_revision: Mapped[int]
    skeleton_version: Mapped[int]
    code_version: Mapped[str]
    computed: Mapped[dict[str, Any] | None]
    hidden_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class RunSlab(Table):
    """Part of a run, packed for reading: its numbers along frames and tracks, the digest of what it is made from."""

    __tablename__ = "run_slab"
    __table_args__ = (Index("ix_run_slab_input", "input_sha256"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    chunk: Mapped[int] = mapped_column(primary_key=True)
    block: Mapped[int] = mapped_column(primary_key=True)
    input_sha256: Mapped[str]
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))


class Measurement(Table):
    """How far off an engine was on keyframes of a video that were hidden from it, see ``pose.formats.hidden``.

    ``run_id`` is the last of its runs that was measured, ``keyframes`` how many were hidden.
    """

    __tablename__ = "measurement"

    video_id: Mapped[int] = mapped_column(ForeignKey("video.id"), primary_key=True)
    engine: Mapped[str] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), index=True)
    keyframes: Mapped[int]
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))
    created_at: Mapped[datetime] = mapped_column(default=now)


class Basis(Table):
    """What radii of a video were read by when somebody accepted or exported them, see ``app.runs.basis``. Kept as is.

    ``data`` is what ``pose.calibration.written`` writes, ``sha256`` its digest.
    """

    __tablename__ = "basis"

    video_id: Mapped[int] = mapped_column(ForeignKey("video.id"), primary_key=True)
    sha256: Mapped[str] = mapped_column(primary_key=True)
    data: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Export(Table):
    """A file made from labels and runs as they stood at one time."""

    __tablename__ = "export"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), index=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), unique=True)
    spec: Mapped[dict[str, Any]]
    snapshot: Mapped[dict[str, Any]]
    sha256: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"))
    manifest: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=now)


class ExportVideo(Table):
    """A video that an export has poses or frames of."""

    __tablename__ = "export_video"

    export_id: Mapped[int] = mapped_column(ForeignKey("export.id"), primary_key=True)
    video_id: Mapped[int] = mapped_column(ForeignKey("video.id"), primary_key=True, index=True)
