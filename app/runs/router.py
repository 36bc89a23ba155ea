"""``/videos/{id}/propagations`` and ``/runs``."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.audit.downloads import DownloadDep
from app.dependencies import (
    CallerDep,
    Id,
    ReadingDep,
    RunDep,
    SessionDep,
    SettingsDep,
    StorageDep,
    VideoDep,
    find_run,
    find_video,
    require,
)
from app.errors import problem_responses
from app.jobs.schemas import JobOut
from app.keys.service import Role
from app.pagination import Page, PageDep
from app.prepared import PreparedDep
from app.runs import reporting, service, stages, trust
from app.runs.archive import Archive, archive
from app.runs.schemas import PropagationIn, RunOut
from app.runs.service import Labelled
from app.runs.trust_schemas import TrustOut
from app.tables import Run, Video

router = APIRouter(tags=["propagation"])


@router.post(
    "/videos/{video_id}/propagations",
    status_code=202,
    response_model=JobOut,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(409),
)
async def propagate(
    body: PropagationIn, video_id: Id, settings: SettingsDep, caller: CallerDep, prepared: PreparedDep
) -> JobOut | JSONResponse:
    """Propagate the keyframes to every other frame, as a job; ``result.run_id`` is the run it fills."""

    def find(session: Session) -> Video:
        return find_video(video_id, session, caller)

    def read(session: Session, video: Video) -> Labelled:
        return service.read(session, video, body)

    def write(session: Session, video: Video, labelled: Labelled) -> JobOut:
        job = service.start(session, settings, video, body, labelled)
        audit.record(session, caller, "propagation.start", video=video, job_id=job.id, **(job.result or {}))
        return JobOut.model_validate(job)

    return await prepared(find, read, write, status=202)


@router.get("/videos/{video_id}/runs")
def list_runs(video: VideoDep, session: SessionDep, page: PageDep) -> Page[RunOut]:
    """The video's runs, hidden ones too; of a propagation of two stages the one that is seen."""
    query = select(Run).where(Run.video_id == video.id, stages.is_current())
    return page.of(session, query, Run.id, partial(service.show_all, session, video))


@router.get("/runs/{run_id}")
def get_run(run: RunDep, session: SessionDep, storage: StorageDep) -> RunOut:
    """One run, its pedigree, where it rests on labels that do not stand any more, and how far it can be trusted."""
    shown = service.show(session, run)
    shown.calibration = trust.calibration(session, storage, run)
    shown.engines = reporting.engines(session, storage, run.video_id)
    return shown


@router.get("/runs/{run_id}/trust")
async def get_run_trust(run_id: Id, caller: CallerDep, reading: ReadingDep, storage: StorageDep) -> TrustOut:
    """How well the engine's radii and scores keep their word on the video, by labels that were hidden from it."""

    def find(session: Session) -> TrustOut:
        return reporting.trust(session, storage, find_run(run_id, session, caller))

    return await reading(find, caller.lab_id, large=True)


@router.get(
    "/runs/{run_id}/content",
    response_class=StreamingResponse,
    responses={200: {"content": {"application/zip": {}}}, **problem_responses(409)},
)
async def get_run_content(
    run_id: Id, caller: CallerDep, reading: ReadingDep, download: DownloadDep, storage: StorageDep
) -> StreamingResponse:
    """A packed run as a Zarr group in a ZIP: ``xy``, ``score``, ``radius90``, ``visibility`` by track and frame."""

    def find(session: Session) -> tuple[Video, Archive]:
        run = find_run(run_id, session, caller)
        return session.get_one(Video, run.video_id), archive(session, run)

    video, content = await reading(find, caller.lab_id)
    await download.note("run.download", video=video, run_id=run_id)
    headers = {"ETag": f'"{content.sha256}"', "Content-Disposition": f'attachment; filename="run-{run_id}.zarr.zip"'}
    pieces = await run_in_threadpool(content.write, storage)
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)


@router.delete("/runs/{run_id}", dependencies=[require(Role.ANNOTATOR)])
def hide_run(run: RunDep, session: SessionDep, caller: CallerDep) -> RunOut:
    """Hide a run: what was seen before it is seen again. Nothing is deleted."""
    if service.hide(session, run):
        audit.record(session, caller, "run.hide", video=session.get_one(Video, run.video_id), run_id=run.id)
    return service.show(session, run)


@router.post("/runs/{run_id}/restore", dependencies=[require(Role.ANNOTATOR)])
def restore_run(run: RunDep, session: SessionDep, caller: CallerDep) -> RunOut:
    """Show a hidden run again."""
    if service.restore(session, run):
        audit.record(session, caller, "run.restore", video=session.get_one(Video, run.video_id), run_id=run.id)
    return service.show(session, run)
