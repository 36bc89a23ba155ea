"""``/videos/{id}/estimates``."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.dependencies import CallerDep, Id, SettingsDep, find_video, require
from app.errors import problem_responses
from app.estimates import service
from app.estimates.schemas import EstimateIn
from app.estimates.service import Posed
from app.jobs.schemas import JobOut
from app.keys.service import Role
from app.prepared import PreparedDep
from app.tables import Video

router = APIRouter(tags=["estimates"])


@router.post(
    "/videos/{video_id}/estimates",
    status_code=202,
    response_model=JobOut,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(409),
)
async def estimate(
    body: EstimateIn, video_id: Id, settings: SettingsDep, caller: CallerDep, prepared: PreparedDep
) -> JobOut | JSONResponse:
    """Estimate poses with a checkpoint, as a job; ``result.run_id`` is the run it fills. No keyframe is needed."""

    def find(session: Session) -> Video:
        return find_video(video_id, session, caller)

    def write(session: Session, video: Video, posed: Posed) -> JobOut:
        started = service.start(session, settings, video, body, posed)
        if (track := started.track) is not None:
            audit.record(session, caller, "track.create", video=video, track_id=track.number, name=track.name)
        job = started.job
        audit.record(session, caller, "estimate.start", video=video, job_id=job.id, **(job.result or {}))
        return JobOut.model_validate(job)

    return await prepared(find, service.read, write, status=202)
