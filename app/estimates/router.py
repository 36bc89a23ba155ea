"""``/videos/{id}/estimates``."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.audit import service as audit
from app.dependencies import CallerDep, SessionDep, SettingsDep, VideoDep, require
from app.errors import problem_responses
from app.estimates import service
from app.estimates.schemas import EstimateIn
from app.idempotency import OnceDep
from app.jobs.schemas import JobOut
from app.keys.service import Role

router = APIRouter(tags=["estimates"])


@router.post(
    "/videos/{video_id}/estimates",
    status_code=202,
    response_model=JobOut,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(409),
)
def estimate(
    body: EstimateIn,
    video: VideoDep,
    session: SessionDep,
    settings: SettingsDep,
    caller: CallerDep,
    once: OnceDep,
) -> JobOut | JSONResponse:
    """Estimate poses with a checkpoint, as a job; ``result.run_id`` is the run it fills. No keyframe is needed."""

    def make() -> JobOut:
        started = service.start(session, settings, video, body)
        if (track := started.track) is not None:
            audit.record(session, caller, "track.create", video=video, track_id=track.number, name=track.name)
        job = started.job
        audit.record(session, caller, "estimate.start", video=video, job_id=job.id, **(job.result or {}))
        return JobOut.model_validate(job)

    return once(make, status=202)
