"""The ledger."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from app.tables.declaring import Table, now


class Job(Table):
    """Work to be done, being done, or done; the database is the truth about it."""

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_claim", "queue", "state", "priority", "turn", "id"),
        Index("ix_job_turn", "lab_id", "queue", "state", "priority", "turn"),
        Index("ix_job_kind", "lab_id", "kind", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"), index=True)
    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"))
    video_id: Mapped[int | None] = mapped_column(ForeignKey("video.id"), index=True)
    kind: Mapped[str]
    queue: Mapped[str] = mapped_column(default="cpu")
    params: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(default="queued")
    priority: Mapped[int] = mapped_column(default=0)
    turn: Mapped[float] = mapped_column(default=0.0)
    work: Mapped[float] = mapped_column(default=1.0)
    attempt: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int] = mapped_column(default=3)
    owner: Mapped[str | None]
    lease_until: Mapped[float | None]
    cancel_requested: Mapped[bool] = mapped_column(default=False)
    shared: Mapped[bool] = mapped_column(default=False)
    version: Mapped[int] = mapped_column(default=0)
    progress: Mapped[float] = mapped_column(default=0.0)
    stage: Mapped[str] = mapped_column(default="queued")
    remaining_seconds: Mapped[float | None]
    error: Mapped[str | None]
    result: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class JobSegment(Table):
    """One segment of a propagation; done once ``sha256`` names its array of poses.

    Where the job is ``shared``, several workers take segments; ``(owner, attempt)`` is the fencing token of each.
    """

    __tablename__ = "job_segment"
    __table_args__ = (
        Index("ix_job_segment_input", "input_sha256"),
        Index(
            "ix_job_segment_open",
            "job_id",
            "start",
            "track_number",
            sqlite_where=text("sha256 IS NULL"),
            postgresql_where=text("sha256 IS NULL"),
        ),
    )

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    track_number: Mapped[int] = mapped_column(primary_key=True)
    start: Mapped[int] = mapped_column(primary_key=True)
    stop: Mapped[int]
    input_sha256: Mapped[str]
    sha256: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"))
    owner: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[float | None]


class JobLine(Table):
    """A line of a job's log; ``worker`` is the last part of the name of the worker that it is about."""

    __tablename__ = "job_line"

    job_id: Mapped[int] = mapped_column(ForeignKey("job.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    what: Mapped[str]
    attempt: Mapped[int]
    worker: Mapped[str | None]
    text: Mapped[str | None]


class Duty(Table):
    """Work that one process of all shall do now and then, and when it is due again."""

    __tablename__ = "duty"

    name: Mapped[str] = mapped_column(primary_key=True)
    due: Mapped[float] = mapped_column(default=0.0)
