"""Mentions of something that is erased in rows that stay: names leave them. Objects that it refers to are noted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from app import blobs
from app.tables import (
    ApiKey,
    AuditEntry,
    BrowserSession,
    Checkpoint,
    CheckpointFile,
    Discard,
    Job,
    Lab,
    Project,
    SignIn,
    Upload,
    Video,
)
from app.trash import answers

#: Acts of which nothing but numbers is written down; there are very many of them.
_PLAIN = ("labels.write", "labels.delete", "labels.undo")

#: Files of a checkpoint that show or name what it was measured on.
_REPORTS = ("report.json", "report.md", "report.png")


def of_video(session: Session, video: Video) -> None:
    """Take out what the audit trail, checkpoints, jobs and remembered answers say of a video."""
    project = session.get_one(Project, video.project_id)
    answers.forget(session, video)
    uploads = list(session.scalars(select(Upload.id).where(Upload.video_id == video.id)))
    sent = and_(AuditEntry.project_id == project.id, AuditEntry.details["upload"].as_string().in_(uploads))
    _hush(session, or_(AuditEntry.video_id == video.id, sent))
    said = f"the file of video {video.id}"
    # Sentences of older versions.
    session.execute(
        update(Job)
        .where(Job.project_id == project.id, Job.error.contains(f"{said}, ", autoescape=True))
        .values(error=func.replace(Job.error, f"{said}, {video.filename}", said))
    )
    for checkpoint in session.scalars(select(Checkpoint).join(Project).where(Project.lab_id == project.lab_id)):
        if any(part["id"] == video.id for part in checkpoint.pedigree["videos"]):
            _leave_checkpoint(session, checkpoint, video)


def of_project(session: Session, project: Project) -> None:
    """Take out what the audit trail and remembered answers say of a project."""
    answers.forget(session, project)
    _hush(session, AuditEntry.project_id == project.id)


def of_lab(session: Session, lab: Lab) -> None:
    """Take out what is said of a lab: in its own trail, in the operator's, and the names of its keys."""
    answers.forget(session, lab)
    named = and_(AuditEntry.kind.startswith("lab."), AuditEntry.details["lab_id"].as_integer() == lab.id)
    _hush(session, or_(AuditEntry.lab_id == lab.id, named))
    held = select(ApiKey.id).where(ApiKey.lab_id == lab.id)
    session.execute(delete(BrowserSession).where(BrowserSession.key_id.in_(held)))
    session.execute(delete(SignIn).where(SignIn.key_id.in_(held)))
    session.execute(
        update(ApiKey)
        .where(ApiKey.lab_id == lab.id)
        .values(name="", secret_sha256="", revoked_at=func.coalesce(ApiKey.revoked_at, datetime.now(UTC)))
    )


def note_objects(session: Session, table: Table, which: ColumnElement[bool]) -> None:
    """Put the objects that rows refer to on the list of those to be removed, unless others refer to them too."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    for column in blobs.references():
        if column.table is table:
            wanted = select(column).where(which, column.is_not(None)).distinct()
            session.execute(dialect.insert(Discard).from_select(["sha256"], wanted).on_conflict_do_nothing())


def _hush(session: Session, which: ColumnElement[bool]) -> None:
    """Leave of the details of audit entries what names nothing."""
    for entry in session.scalars(select(AuditEntry).where(which, AuditEntry.kind.not_in(_PLAIN))):
        plain = {name: value for name, value in entry.details.items() if _is_plain(value)}
        if plain != entry.details:
            entry.details = plain


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, int | float)


def _leave_checkpoint(session: Session, checkpoint: Checkpoint, video: Video) -> None:
    """Drop a checkpoint's reports, which show frames and name videos, and what its row says of one of them."""
    files = CheckpointFile.__table__
    reports = and_(files.c.checkpoint_id == checkpoint.id, files.c.name.in_(_REPORTS))
    note_objects(session, files, reports)  # type: ignore[arg-type]
    session.execute(delete(CheckpointFile).where(reports))
    parts = [
        {name: value for name, value in part.items() if name != "sha256"} if part["id"] == video.id else part
        for part in checkpoint.pedigree["videos"]
    ]
    checkpoint.pedigree = {**checkpoint.pedigree, "videos": parts}
    worst = [row for row in checkpoint.metrics.get("worst", []) if not row["name"].startswith(f"{video.slug}/")]
    if "worst" in checkpoint.metrics:
        checkpoint.metrics = {**checkpoint.metrics, "worst": worst}
