"""``/projects/{id}/trainings``."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.dependencies import CallerDep, Id, SettingsDep, find_project, require
from app.errors import problem_responses
from app.jobs.schemas import JobOut
from app.keys.service import Role
from app.prepared import PreparedDep
from app.tables import Project
from app.trainings import service
from app.trainings.schemas import TrainingIn
from app.trainings.service import LabelledVideos

router = APIRouter(tags=["trainings"])


@router.post(
    "/projects/{project_id}/trainings",
    status_code=202,
    response_model=JobOut,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(409, 507),
)
async def train(
    body: TrainingIn, project_id: Id, settings: SettingsDep, caller: CallerDep, prepared: PreparedDep
) -> JobOut | JSONResponse:
    """Train an estimator on the project's labels and pseudo-labels, as a job; ``result.checkpoint_id`` is what it made.

    While it runs, ``result.epochs`` grows. The checkpoint is promoted where it beats the project's on held-out labels.
    """

    def find(session: Session) -> Project:
        return find_project(project_id, session, caller)

    def read(session: Session, project: Project) -> LabelledVideos:
        return service.read(session, project, body)

    def write(session: Session, project: Project, labelled: LabelledVideos) -> JobOut:
        job = service.start(session, settings, caller, project, body, labelled)
        audit.record(session, caller, "training.start", project=project, job_id=job.id, **job.params["config"])
        return JobOut.model_validate(job)

    return await prepared(find, read, write, status=202)
