"""``/projects/{id}/exports`` and ``/exports``."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import select

from app.audit import service as audit
from app.content import Content
from app.dependencies import CallerDep, ExportDep, ProjectDep, SessionDep, SettingsDep, StorageDep, require
from app.errors import Conflict, problem_responses
from app.exports import service
from app.exports.schemas import ExportIn, ExportOut
from app.idempotency import OnceDep
from app.jobs.schemas import JobOut
from app.keys.service import Role
from app.pagination import Page, PageDep
from app.tables import Export
from app.trash import visible

router = APIRouter(tags=["exports"])


@router.post(
    "/projects/{project_id}/exports",
    status_code=202,
    response_model=JobOut,
    dependencies=[require(Role.ANNOTATOR)],
)
def export(
    body: ExportIn,
    project: ProjectDep,
    session: SessionDep,
    settings: SettingsDep,
    caller: CallerDep,
    once: OnceDep,
) -> JobOut | JSONResponse:
    """Export the project as it is now, as a job; ``result.export_id`` is the export."""

    def make() -> JobOut:
        job = service.start(session, settings, project, body)
        audit.record(session, caller, "export.start", project=project, job_id=job.id, **(job.result or {}))
        return JobOut.model_validate(job)

    return once(make, status=202)


@router.get("/projects/{project_id}/exports")
def list_exports(project: ProjectDep, session: SessionDep, page: PageDep) -> Page[ExportOut]:
    """The project's exports."""
    query = select(Export).where(Export.project_id == project.id, visible.EXPORT)
    return page.of(session, query, Export.id, lambda row: service.show(session, row))


@router.get("/exports/{export_id}")
def get_export(export: ExportDep, session: SessionDep) -> ExportOut:
    """One export: its manifest has the digest of each file."""
    return service.show(session, export)


@router.get(
    "/exports/{export_id}/content",
    response_class=Content,
    responses={200: {"content": {"application/json": {}, "application/zip": {}}}, **problem_responses(409)},
)
def get_export_content(export: ExportDep, storage: StorageDep) -> Content:
    """The file."""
    if export.sha256 is None or export.manifest is None:
        raise Conflict("the export is not done; follow its job")
    media = "application/zip" if export.spec["images"] else "application/json"
    return Content(
        storage.file(export.sha256),
        media_type=media,
        filename=export.manifest["file_name"],
        headers={"ETag": f'"{export.sha256}"'},
    )
