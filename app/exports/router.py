"""``/projects/{id}/exports`` and ``/exports``."""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import snapshots
from app.audit import service as audit
from app.audit.downloads import DownloadDep
from app.dependencies import (
    CallerDep,
    ExportDep,
    Id,
    ProjectDep,
    ReadingDep,
    SessionDep,
    SettingsDep,
    StorageDep,
    TurnsDep,
    find_export,
    find_project,
    require,
)
from app.errors import Conflict, problem_responses
from app.exports import preview as previews
from app.exports import service
from app.exports.schemas import ExportIn, ExportOut, ExportPreview
from app.file_response import DOWNLOADED, StoredFileResponse, fetched
from app.idempotency import OnceDep
from app.jobs.schemas import JobOut
from app.keys.service import Role
from app.pagination import Page, PageDep
from app.tables import Export, Project
from app.trash import visible
from app.videos.frames import Frames

router = APIRouter(tags=["exports"])


@router.post(
    "/projects/{project_id}/exports",
    status_code=202,
    response_model=JobOut,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(507),
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


@router.post(
    "/projects/{project_id}/exports/preview",
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(410, 503),
)
async def preview_export(
    body: ExportIn, project_id: Id, request: Request, caller: CallerDep, reading: ReadingDep
) -> ExportPreview:
    """Tell what an export would hold, and about how large it would be, without making it."""

    def take(session: Session) -> tuple[Export, int, int]:
        project = find_project(project_id, session, caller)
        videos = snapshots.videos_of(session, project, body.videos)
        snapshot = snapshots.take(session, project, videos).to_row()
        wanted = Export(project_id=project.id, spec=body.model_dump(mode="json"), snapshot=snapshot)
        return wanted, *previews.most_poses(session, videos)

    wanted, poses, tracks = await reading(take, caller.lab_id)
    state = request.app.state
    async with state.turns.large.of(caller.lab_id):
        counting = partial(previews.preview, state.database, state.storage, wanted, poses, tracks)
        counted, images = await run_in_threadpool(counting)
    if not body.images:
        return counted
    sizes = [len(await _made(state.frames, image, caller.lab_id)) for image in images]
    return previews.with_images(counted, images, sizes)


async def _made(frames: Frames, image: previews.PreviewImage, lab_id: int) -> bytes:
    found = await run_in_threadpool(frames.get, image.view, image.frame, lab_id)
    return found if isinstance(found, bytes) else await asyncio.wrap_future(found)


@router.get("/projects/{project_id}/exports")
def list_exports(project: ProjectDep, session: SessionDep, page: PageDep) -> Page[ExportOut]:
    """The project's exports."""
    query = select(Export).where(Export.project_id == project.id, visible.EXPORT)
    return page.of(session, query, Export.id, partial(service.show_all, session))


@router.get("/exports/{export_id}")
def get_export(export: ExportDep, session: SessionDep) -> ExportOut:
    """One export: its manifest has the digest of each file."""
    return service.show(session, export)


@router.get(
    "/exports/{export_id}/content",
    response_class=StoredFileResponse,
    responses={200: {"content": {"application/json": {}, "application/zip": {}}}, **problem_responses(409)},
)
async def get_export_content(
    export_id: Id,
    caller: CallerDep,
    reading: ReadingDep,
    download: DownloadDep,
    turns: TurnsDep,
    storage: StorageDep,
) -> StoredFileResponse:
    """The file."""

    def find(session: Session) -> tuple[Project, str, str]:
        export = find_export(export_id, session, caller)
        if export.sha256 is None or export.manifest is None:
            raise Conflict("the export is not done; follow its job")
        return session.get_one(Project, export.project_id), export.sha256, export.manifest["file_name"]

    project, sha256, name = await reading(find, caller.lab_id)
    await download.note("export.download", project=project, export_id=export_id)
    file = await fetched(turns, caller.lab_id, storage, sha256, within=DOWNLOADED)
    media = "application/zip" if name.endswith(".zip") else "application/json"
    return StoredFileResponse(file, media_type=media, filename=name, headers={"ETag": f'"{sha256}"'})
