"""Visible rows: neither deleted nor in anything that is."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from app.tables import Export, ExportVideo, Job, Lab, Project, Video

#: Of queries that have projects; of queries that have videos as well.
PROJECT: ColumnElement[bool] = Project.deleted_at.is_(None)
VIDEO: ColumnElement[bool] = and_(PROJECT, Video.deleted_at.is_(None))

_HIDDEN_PROJECTS = select(Project.id).where(Project.deleted_at.is_not(None))
_HIDDEN_VIDEOS = select(Video.id).where(Video.deleted_at.is_not(None))

#: Of queries that have jobs.
JOB: ColumnElement[bool] = and_(
    Job.project_id.not_in(_HIDDEN_PROJECTS), or_(Job.video_id.is_(None), Job.video_id.not_in(_HIDDEN_VIDEOS))
)

#: Of queries that have exports: one that holds poses or frames of a deleted video is hidden as the video is.
EXPORT: ColumnElement[bool] = ~exists().where(
    ExportVideo.export_id == Export.id, ExportVideo.video_id.in_(_HIDDEN_VIDEOS)
)


def is_work_for_nobody(session: Session, job_id: int) -> bool:
    """Return whether what a job is about was deleted; a job that is not there is."""
    exports = ~exists().where(Export.job_id == Job.id, ~EXPORT)
    query = select(Job.id).join(Project, Project.id == Job.project_id).join(Lab, Lab.id == Project.lab_id)
    seen = query.where(Job.id == job_id, JOB, exports, Lab.deleted_at.is_(None))
    return session.scalar(seen) is None
