"""Asking for exports: what to write, and the labels and runs as they stand at that moment."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import snapshots
from app.exports.schemas import ExportIn, ExportOut
from app.jobs import lanes, ledger
from app.jobs.params import ExportResult
from app.labs import quotas
from app.settings import Settings
from app.tables import Export, ExportVideo, Job, Project

EXPORT = "export"


def start(session: Session, settings: Settings, project: Project, wanted: ExportIn) -> Job:
    """Queue an export of things as they are now.

    Raises:
        Invalid: A video is not the project's, or cannot be read.
        TooMany: The lab has as many jobs waiting as it may.
        NoSpace: It keeps more than it may.
    """
    videos = snapshots.videos_of(session, project, wanted.videos)
    quotas.check_queue(session, settings, project.lab_id)
    quotas.check_storage(session, settings, project.lab_id)
    queue = lanes.of_export(sum(video.num_frames or 0 for video in videos), images=wanted.images)
    job = ledger.enqueue(session, project, EXPORT, {}, queue=queue, max_attempts=settings.max_attempts)
    export = Export(
        project_id=project.id,
        job_id=job.id,
        spec=wanted.model_dump(mode="json"),
        snapshot=snapshots.take(session, project, videos).to_row(),
    )
    session.add(export)
    session.flush()
    session.add_all(ExportVideo(export_id=export.id, video_id=video.id) for video in videos)
    job.result = ExportResult(export_id=export.id).to_row()
    session.flush()
    return job


def show(session: Session, export: Export) -> ExportOut:
    """An export as the API shows it."""
    (shown,) = show_all(session, [export])
    return shown


def show_all(session: Session, exports: Sequence[Export]) -> list[ExportOut]:
    """Exports as the API shows them, with one question for the states of all."""
    query = select(Job.id, Job.state).where(Job.id.in_([export.job_id for export in exports]))
    states: dict[int, str] = {number: state for number, state in session.execute(query)}  # noqa: C416
    names = [name for name in ExportOut.model_fields if name != "state"]
    return [
        ExportOut(**{name: getattr(export, name) for name in names}, state=states[export.job_id]) for export in exports
    ]
