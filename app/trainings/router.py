"""``/projects/{id}/trainings``."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from app.audit import service as audit
from app.dependencies import CallerDep, ProjectDep, SessionDep, SettingsDep, require
from app.errors import problem_responses
from app.idempotency import OnceDep
from app.jobs.schemas import JobOut
from app.keys.service import Role
from app.trainings import service
from app.trainings.schemas import TrainingIn

router = APIRouter(tags=["trainings"])


@router.post(
    "/projects/{project_id}/trainings",
    status_code=202,
    response_model=JobOut,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(409),
)
def train(
    body: TrainingIn,
    project: ProjectDep,
    session: SessionDep,
    settings: SettingsDep,
    caller: CallerDep,
    once: OnceDep,
) -> JobOut | JSONResponse:
    """Train an estimator on the project's labels and pseudo-labels, as a job; ``result.checkpoint_id`` is what it made.

    While it runs, ``result.epochs`` grows. The checkpoint is promoted where it beats the project's on held-out labels.
    """

    def make() -> JobOut:
        job = service.start(session, settings, caller, project, body)
        audit.record(session, caller, "training.start", project=project, job_id=job.id, **job.params["config"])
        return JobOut.model_validate(job)

    return once(make, status=202)
