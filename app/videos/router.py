"""``/projects/{id}/videos`` and ``/videos``."""

from __future__ import annotations

import asyncio
import io
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.requests import ClientDisconnect

from app import blobs
from app.audit import service as audit
from app.audit.downloads import DownloadDep
from app.body_limit import lift
from app.database import Database
from app.dependencies import (
    MAX_ID,
    CallerDep,
    DatabaseDep,
    DeletedDep,
    GlancingDep,
    Id,
    ProjectDep,
    ReadingDep,
    SessionDep,
    SettingsDep,
    StorageDep,
    TurnsDep,
    VideoDep,
    VisitorDep,
    find_project,
    find_video,
    require,
)
from app.errors import TooLarge, invalid, problem_responses
from app.file_response import DOWNLOADED, StoredFileResponse, elsewhere, fetched
from app.idempotency import IdempotencyKey, Once
from app.keys.service import Caller, Role
from app.labs import quotas
from app.labs.arrivals import Arrivals, within
from app.names import PLAIN_SCHEMA, Plain
from app.pagination import Page, PageDep
from app.reviews.counting import CountingDep
from app.sessions import service as sessions
from app.settings import Settings
from app.storage import Storage, Stored
from app.tables import Video
from app.videos import service, upload
from app.videos.access_cache import VideoAccess, VideoAccessCache
from app.videos.frame_maker import View
from app.videos.frames import Frames
from app.videos.images import Format, stepped
from app.videos.probe import probe
from app.videos.schemas import TimesOut, VideoOut
from pose.damage import inside
from pose.frame_table import FrameTable

router = APIRouter(tags=["videos"])

_FOR_EVER = "private, max-age=31536000, immutable"
_DECIMALS = 6  # of seconds
_LOOK_SECONDS = 0.5  # between two looks at whether somebody still waits for a frame
_BYTES: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}
_DAMAGED = "X-Frame-Damaged"
_IMAGES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {f"image/{kind}": {} for kind in ("jpeg", "png", "webp")},
        "description": "The frame",
        "headers": {
            _DAMAGED: {
                "description": "`true` where the frame is damaged and the image is the last good one",
                "schema": {"type": "string", "enum": ["true"]},
            }
        },
    },
    304: {"description": "The frame the client has is the frame"},
}


@router.post(
    "/projects/{project_id}/videos",
    status_code=201,
    response_model=VideoOut,
    dependencies=[require(Role.ANNOTATOR)],
    responses={
        200: {"model": VideoOut, "description": "The project has this video"},
        **problem_responses(408, 413, 507),
    },
    openapi_extra=_BYTES,
)
async def upload_video(
    request: Request,
    project_id: Id,
    caller: CallerDep,
    settings: SettingsDep,
    storage: StorageDep,
    database: DatabaseDep,
    turns: TurnsDep,
    glancing: GlancingDep,
    filename: Annotated[str, Query(min_length=1, max_length=255, json_schema_extra=PLAIN_SCHEMA), Plain] = "video",
    content_digest: Annotated[str | None, Header(max_length=1000)] = None,
    content_length: Annotated[int | None, Header(ge=0, include_in_schema=False)] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Upload a video: its bytes are the body. The same bytes in the same project are the same video."""
    lift(request)
    await run_in_threadpool(_check_project, database, caller, project_id)
    digest = upload.promised_digest(content_digest)
    if content_length is not None and content_length > settings.max_upload_bytes:
        raise TooLarge(f"a video may have {settings.max_upload_bytes} bytes")
    on_their_way = request.app.state.arrivals.of(caller.lab_id)
    await run_in_threadpool(_check_room, database, settings, caller, (content_length or 0) + on_their_way)

    def still(session: Session) -> None:
        sessions.confirm(session, caller)

    confirm = partial(glancing, still)
    arrivals: Arrivals = request.app.state.arrivals

    async def left() -> int:
        return settings.max_lab_bytes - arrivals.of(caller.lab_id, arriving)

    with storage.receive() as incoming, arrivals.arriving(caller.lab_id, content_length or 0) as arriving:
        body = upload.watched(request.stream(), settings.upload_silence_seconds, confirm)
        if content_length is None and settings.max_lab_bytes:
            # Not only what is left: what the lab has already takes no more room, and only its digest tells.
            body = within(body, left, arriving.count)
        await upload.take_in(body, incoming, limit=settings.max_upload_bytes, digest=digest)
        fault, _ = await asyncio.gather(
            run_sync(probe, incoming.path, settings.limits, settings.ingest_memory_bytes, limiter=turns.slow),
            run_sync(incoming.sync, limiter=turns.slow),
        )
        if fault is not None:
            raise invalid("", fault)
        stored = Stored(incoming.digest().hex(), incoming.size)
        async with turns.recording(caller.lab_id, partial(run_sync, storage.keep, incoming, limiter=turns.slow)):
            return await run_in_threadpool(
                _add, database, storage, settings, caller, project_id, filename, stored, idempotency_key
            )


# Transactions of their own: one that spans the request would hold the database while the bytes arrive.
def _check_project(database: Database, caller: Caller, project_id: int) -> None:
    with database.session(readonly=True) as session:
        find_project(project_id, session, caller)


def _check_room(database: Database, settings: Settings, caller: Caller, size: int) -> None:
    with database.session(readonly=True) as session:
        quotas.check_storage(session, settings, caller.lab_id, size)


def _add(
    database: Database,
    storage: Storage,
    settings: Settings,
    caller: Caller,
    project_id: int,
    filename: str,
    stored: Stored,
    key: str | None,
) -> Response:
    status = 201

    def make() -> VideoOut:
        nonlocal status
        project = find_project(project_id, session, caller)
        video, new = service.add(session, settings, storage, project, filename, stored)
        status = 201 if new else 200
        if new:
            audit.record(session, caller, "video.upload", video=video, filename=filename, sha256=stored.sha256)
        return service.show(session, video)

    try:
        with sessions.writing_as(database, caller) as session:
            once = Once(session, caller.lab_id, key, f"POST videos of {project_id} {filename} {stored.sha256}")
            answer = once(make, status=201)
    except Exception:
        blobs.drop_unused(database, storage, stored.sha256)
        raise
    return answer if isinstance(answer, JSONResponse) else JSONResponse(answer.model_dump(mode="json"), status)


@router.get("/projects/{project_id}/videos")
def list_videos(
    project: ProjectDep, session: SessionDep, page: PageDep, counting: CountingDep, deleted: DeletedDep = False
) -> Page[VideoOut]:
    """The project's videos; with ``deleted`` those that were deleted and are not erased yet."""
    query = select(Video).where(Video.project_id == project.id, Video.deleted_at.is_not(None) == deleted)
    found = page.of(session, query, Video.id, partial(service.show_all, session))
    if not deleted:
        counting.want(found.items, project.lab_id)
    return found


@router.get("/videos/{video_id}")
def get_video(video: VideoDep, session: SessionDep, caller: CallerDep, counting: CountingDep) -> VideoOut:
    """One video."""
    shown = service.show(session, video)
    counting.want([shown], caller.lab_id)
    return shown


@router.get(
    "/videos/{video_id}/frames/{index}",
    response_class=Response,
    responses={**_IMAGES, **problem_responses(409)},
)
async def get_frame(
    video_id: Id,
    index: Annotated[int, Path(ge=0, le=MAX_ID)],
    request: Request,
    visitor: VisitorDep,
    glancing: GlancingDep,
    image_format: Annotated[Format, Query(alias="format")] = "jpeg",
    width: Annotated[
        int | None,
        Query(ge=1, le=16384, description="Pixels to shrink to, or up to a quarter more; no frame is made larger"),
    ] = None,
    if_none_match: Annotated[str | None, Header(max_length=1000)] = None,
) -> Response:
    """The exact frame as an image."""
    frames: Frames = request.app.state.frames
    access_cache: VideoAccessCache = request.app.state.access_cache

    def look(session: Session) -> VideoAccess:
        caller = visitor.caller(session)
        return VideoAccess.of(service.readable(find_video(video_id, session, caller)), caller)

    place = (visitor.key, visitor.cookie, video_id)
    sight = access_cache.get(place)
    if sight is None:
        access_cache[place] = sight = await glancing(look)
    else:
        visitor.let_in(sight.caller)
    service.check_frame(sight.num_frames, index)
    smaller = stepped(width) if width is not None and stepped(width) < sight.width else None
    etag = f'"{sight.proxy_sha256[:32]}-{index}-{image_format}-{smaller or "full"}"'
    headers = {"Cache-Control": _FOR_EVER, "ETag": etag}
    if inside(sight.damaged, np.array([index]))[0]:
        headers[_DAMAGED] = "true"
    if if_none_match is not None and (etag in if_none_match or if_none_match.strip() == "*"):
        return Response(status_code=304, headers=headers)
    view = View(sight.proxy_sha256, sight.table_sha256, image_format, smaller)
    # Reading what is kept takes less time than sending it to a thread.
    image = frames.kept(view, index) or await _made(request, frames, view, index, sight.caller)
    return Response(image, media_type=f"image/{image_format}", headers=headers)


async def _made(request: Request, frames: Frames, view: View, index: int, caller: Caller) -> bytes:
    """A frame that has to be made. No transaction and no thread is held meanwhile: labels are written."""
    found = await run_in_threadpool(frames.get, view, index, caller.lab_id, (caller.key_id, caller.session_id))
    if isinstance(found, bytes):
        return found
    made = asyncio.wrap_future(found)
    while not (await asyncio.wait({made}, timeout=_LOOK_SECONDS))[0]:
        if await request.is_disconnected():
            # A page that jumps on calls off what it asked for.
            await run_in_threadpool(frames.forget, view, index)
            raise ClientDisconnect
    return made.result()


@router.get(
    "/videos/{video_id}/times",
    response_model=TimesOut,
    responses={200: {"content": {"application/octet-stream": {}}}, **problem_responses(409)},
)
def get_times(
    video: VideoDep,
    storage: StorageDep,
    array_format: Annotated[Literal["json", "npy"], Query(alias="format")] = "json",
) -> Response:
    """When each frame is shown, in seconds from the first: as JSON, or as a NumPy file with ``(F,)`` float64."""
    sha256 = service.readable(video).frame_table_sha256
    assert sha256 is not None
    times = FrameTable.from_bytes(storage.get(sha256)).times
    headers = {"Cache-Control": _FOR_EVER, "ETag": f'"{sha256[:32]}-times-{array_format}"'}
    if array_format == "json":
        data = msgspec.json.encode({"times": np.round(times, _DECIMALS).tolist()})
        return Response(data, media_type="application/json", headers=headers)
    file = io.BytesIO()
    np.save(file, times)
    return Response(file.getvalue(), media_type="application/octet-stream", headers=headers)


@router.get(
    "/videos/{video_id}/content",
    response_class=StoredFileResponse,
    responses={
        200: {"content": {"video/mp4": {}, "application/octet-stream": {}}},
        206: {"content": {"video/mp4": {}, "application/octet-stream": {}}, "description": "A range"},
        307: {"description": "Storage is S3: a presigned address there, for five minutes"},
        **problem_responses(409, 416),
    },
)
async def get_content(
    video_id: Id,
    caller: CallerDep,
    reading: ReadingDep,
    download: DownloadDep,
    turns: TurnsDep,
    storage: StorageDep,
    original: bool = False,
) -> Response:
    """The proxy, or with ``original`` the file as it was uploaded; where storage is S3, a redirect to it there."""

    def find(session: Session) -> Video:
        video = find_video(video_id, session, caller)
        return video if original else service.readable(video)

    video = await reading(find, caller.lab_id)
    sha256 = video.sha256 if original else video.proxy_sha256
    assert sha256 is not None
    if original:
        await download.note("video.download", video=video)
    if (moved := await run_in_threadpool(elsewhere, storage, sha256, kept=not original)) is not None:
        return moved
    file = await fetched(turns, caller.lab_id, storage, sha256, within=DOWNLOADED if original else None)
    if original:
        return StoredFileResponse(file, media_type="application/octet-stream", filename=video.filename)
    return StoredFileResponse(file, media_type="video/mp4", headers={"Cache-Control": _FOR_EVER})
