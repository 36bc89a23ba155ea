"""The tables. Human labels are append-only; a machine's poses are arrays in storage that rows only point at."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, aware in Python whatever the database keeps."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn a moment of any time zone into UTC: SQLite drops the zone."""
        return value.astimezone(UTC) if value is not None else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the moment in UTC: SQLite dropped the zone, PostgreSQL speaks in the server's."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


BigId = BigInteger().with_variant(Integer, "sqlite")


def _now() -> datetime:
    return datetime.now(UTC)


class Table(DeclarativeBase):
    """What every table shares."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {
        int: BigId,
        str: String,
        datetime: UtcDateTime,
        dict[str, Any]: JSON,
        list[Any]: JSON,
        bytes: LargeBinary,
    }


class Lab(Table):
    """Who owns data: nothing of one lab is visible to another."""

    __tablename__ = "lab"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=_now)


class ApiKey(Table):
    """A key to a lab's data. Only the digest of its secret is kept."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"), index=True)
    name: Mapped[str]
    role: Mapped[str]
    secret_sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=_now)
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class BrowserSession(Table):
    """A browser that was let in with a key, until it leaves, time is up or the key ends."""

    __tablename__ = "browser_session"

    id: Mapped[int] = mapped_column(primary_key=True)
    key_id: Mapped[int] = mapped_column(ForeignKey("api_key.id"), index=True)
    secret_sha256: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=_now)
    expires_at: Mapped[datetime] = mapped_column(index=True)


class AuditEntry(Table):
    """One thing somebody did: the audit trail. Never updated, never deleted.

    What it names may be gone one day, so there are no foreign keys to projects and videos.
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
    at: Mapped[datetime] = mapped_column(default=_now)


class Idempotency(Table):
    """The first answer to a POST that carried an ``Idempotency-Key``."""

    __tablename__ = "idempotency"

    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"), primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request: Mapped[str]
    status: Mapped[int]
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=_now)


class Blob(Table):
    """A stored object, named by its digest."""

    __tablename__ = "blob"

    sha256: Mapped[str] = mapped_column(primary_key=True)
    size: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=_now)


class Project(Table):
    """Videos that share a skeleton."""

    __tablename__ = "project"

    id: Mapped[int] = mapped_column(primary_key=True)
    lab_id: Mapped[int] = mapped_column(ForeignKey("lab.id"), index=True)
    name: Mapped[str]
    skeleton_version: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime] = mapped_column(default=_now)


class SkeletonVersion(Table):
    """A project's skeleton as it was at one time; keypoints are only ever added or renamed."""

    __tablename__ = "skeleton_version"

    project_id: Mapped[int] = mapped_column(ForeignKey("project.id"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    definition: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(default=_now)


class Video(Table):
    """An uploaded video and, once ingested, its frame table and proxy."""

    __tablename__ = "video"
    __table_args__ = (UniqueConstraint("project_id", "sha256"), UniqueConstraint("project_id", "slug"))

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
    frame_table_sha256: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"))
    proxy_sha256: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"))
    proxy_table_sha256: Mapped[str | None] = mapped_column(ForeignKey("blob.sha256"))
    revision: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=_now)


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
    created_at: Mapped[datetime] = mapped_column(default=_now)
    expires_at: Mapped[datetime]


class TrackRow(Table):
    """One subject of a video. Its number is what COCO files call ``track_id``."""

    __tablename__ = "track"

    video_id: Mapped[int] = mapped_column(ForeignKey("video.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=_now)


class LabelRevision(Table):
    """One act of labelling: who, when, and by which call."""

    __tablename__ = "label_revision"

    video_id: Mapped[int] = mapped_column(ForeignKey("video.id"), primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str]
    key_id: Mapped[int | None] = mapped_column(ForeignKey("api_key.id"))
    created_at: Mapped[datetime] = mapped_column(default=_now)


class Label(Table):
    """What people said of a track on a frame, as it stood after one revision. Never updated, never deleted.

    ``keypoints`` is ``(K, 3)`` little-endian float32 x, y, visibility after the revision; ``changed`` is ``(K,)``
    uint8, 1 where the revision said something. A tombstone is a row whose visibility is 0 where it changed.
    """

    __tablename__ = "label"
    __table_args__ = (
        ForeignKeyConstraint(["video_id", "track_number"], ["track.video_id", "track.number"]),
        ForeignKeyConstraint(["video_id", "revision"], ["label_revision.video_id", "label_revision.revision"]),
    )

    video_id: Mapped[int] = mapped_column(primary_key=True)
    frame_index: Mapped[int] = mapped_column(primary_key=True)
    track_number: Mapped[int] = mapped_column(primary_key=True)
    revision: Mapped[int] = mapped_column(primary_key=True)
    keypoints: Mapped[bytes]
    changed: Mapped[bytes]
    corrects_run_id: Mapped[int | None] = mapped_column(ForeignKey("run.id"))


class Job(Table):
    """Work to be done, being done, or done; the database is the truth about it."""

    __tablename__ = "job"
    __table_args__ = (
        Index("ix_job_claim", "queue", "state", "priority", "turn", "id"),
        Index("ix_job_turn", "lab_id", "queue", "state", "priority", "turn"),
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
    error: Mapped[str | None]
    result: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=_now)
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


class Duty(Table):
    """Work that one process of all shall do now and then, and when it is due again."""

    __tablename__ = "duty"

    name: Mapped[str] = mapped_column(primary_key=True)
    due: Mapped[float] = mapped_column(default=0.0)


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
    hidden_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=_now)


class RunSlab(Table):
    """Part of a run, packed for reading: its numbers along frames and tracks, and a digest of what it is made of."""

    __tablename__ = "run_slab"
    __table_args__ = (Index("ix_run_slab_input", "input_sha256"),)

    run_id: Mapped[int] = mapped_column(ForeignKey("run.id"), primary_key=True)
    chunk: Mapped[int] = mapped_column(primary_key=True)
    block: Mapped[int] = mapped_column(primary_key=True)
    input_sha256: Mapped[str]
    sha256: Mapped[str] = mapped_column(ForeignKey("blob.sha256"))


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
    created_at: Mapped[datetime] = mapped_column(default=_now)
