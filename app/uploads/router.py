"""``/uploads``: tus 1.0."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse

from app.audit import service as audit
from app.body_limit import lift
from app.dependencies import CallerDep, DatabaseDep, SettingsDep, find_project, require
from app.errors import Conflict, ServiceError, Silence, Unauthorized, problem_responses
from app.idempotency import IdempotencyKey, Once
from app.keys.service import Caller, Role
from app.sessions import service as sessions
from app.tables import Upload
from app.uploads import protocol, receive, service
from app.uploads.protocol import Checksum, Described
from app.uploads.receive import UploadServices
from app.uploads.schemas import UploadOut

router = APIRouter(prefix="/uploads", tags=["uploads"])

_MOST = 2**63 - 1

Count = Annotated[int | None, Header(ge=0, le=_MOST)]
UploadChecksum = Annotated[str | None, Header(max_length=200, description="An algorithm and the Base64 of a digest")]
# Bodies are not in the schema: tools that make requests up from it know no media type of tus.
ContentType = Annotated[str | None, Header(max_length=200, include_in_schema=False)]


def _uploads(request: Request) -> UploadServices:
    return request.app.state.upload_services  # type: ignore[no-any-return]


UploadsDep = Annotated[UploadServices, Depends(_uploads)]


def _find(upload_id: Annotated[str, Path(max_length=100)], database: DatabaseDep, caller: CallerDep) -> Upload:
    with database.session(readonly=True) as session:
        return service.find(session, caller.lab_id, upload_id)


def _tus(upload: Annotated[Upload, Depends(_find)], tus_resumable: protocol.TusResumable = None) -> Upload:
    # After finding it: to a stranger an upload is not there, whatever else is wrong.
    protocol.speaks_tus(tus_resumable)
    return upload


UploadDep = Annotated[Upload, Depends(_tus)]


@router.options("", status_code=204)
@router.options("/{upload_id}", status_code=204, include_in_schema=False)
def options(caller: CallerDep, settings: SettingsDep) -> Response:
    """What of tus is understood, and how large an upload may be."""
    return Response(
        status_code=204,
        headers={
            "Tus-Extension": protocol.EXTENSIONS,
            "Tus-Max-Size": str(settings.max_upload_bytes),
            "Tus-Checksum-Algorithm": ",".join(protocol.ALGORITHMS),
        },
    )


@router.post(
    "",
    status_code=201,
    response_model=UploadOut,
    dependencies=[require(Role.ANNOTATOR), Depends(protocol.speaks_tus)],
    responses=problem_responses(408, 409, 412, 413, 460, 507),
)
@router.post("/", include_in_schema=False, dependencies=[require(Role.ANNOTATOR), Depends(protocol.speaks_tus)])
async def create_upload(
    request: Request,
    caller: CallerDep,
    services: UploadsDep,
    upload_length: Count = None,
    upload_defer_length: Annotated[str | None, Header(max_length=10)] = None,
    upload_metadata: Annotated[
        str | None,
        Header(max_length=protocol.MAX_METADATA, description="`project_id` and `filename`, the values in Base64"),
    ] = None,
    upload_checksum: UploadChecksum = None,
    content_type: ContentType = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Begin an upload; `Location` says where its bytes go.

    The first of them may come as the body, of type `application/offset+octet-stream`.
    """
    protocol.check_length(upload_length, upload_defer_length)
    described = protocol.read_metadata(upload_metadata)
    checksum = protocol.read_checksum(upload_checksum)
    async with services.turns.writing.of(caller.lab_id):
        shown = await run_in_threadpool(_create, services, caller, described, upload_length, idempotency_key)
    upload = await run_in_threadpool(_find, shown.id, services.database, caller)
    headers = {"Location": f"{request.url.path.rstrip('/')}/{upload.id}"}
    if protocol.carries_bytes(content_type) and upload.state == service.OPEN:
        headers |= await _first_bytes(request, services, upload, checksum, caller)
    else:
        headers |= _headers(*await receive.standing(services, upload))
    return JSONResponse(shown.model_dump(mode="json"), 201, headers)


@router.head("/{upload_id}", responses=problem_responses(410, 412, 423, 507))
async def get_offset(upload: UploadDep, services: UploadsDep) -> Response:
    """How many bytes have arrived, and the video once there is one."""
    said = {"Upload-Metadata": upload.description} if upload.description else {}
    length = {"Upload-Defer-Length": "1"} if upload.length is None else {"Upload-Length": str(upload.length)}
    return Response(headers={**said, **length, **_headers(*await receive.standing(services, upload))})


@router.patch(
    "/{upload_id}",
    status_code=204,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(408, 409, 410, 412, 413, 415, 423, 460, 507),
)
async def append(
    request: Request,
    upload: UploadDep,
    caller: CallerDep,
    services: UploadsDep,
    upload_offset: Annotated[int, Header(ge=0, le=_MOST)],
    upload_length: Count = None,
    upload_checksum: UploadChecksum = None,
    content_type: ContentType = None,
) -> Response:
    """Bring the bytes from an offset on, as a body of type `application/offset+octet-stream`.

    What arrives before a connection breaks off is kept, unless a checksum was promised.
    """
    lift(request)
    protocol.check_type(content_type)
    checksum = protocol.read_checksum(upload_checksum)
    if upload.state == service.FINISHED or upload.sha256 is not None:
        upload, offset = await receive.standing(services, upload)
        _check_offset(upload_offset, offset)
        return Response(status_code=204, headers=_headers(upload, offset))
    async with receive.hold(services, upload) as part:
        _check_offset(upload_offset, part.size)
        if upload_length is not None and upload_length != upload.length:
            async with services.turns.writing.of(upload.lab_id):
                await run_in_threadpool(_set_length, services, upload.id, upload_length, part.size)
            upload.length = upload_length
        await _renew(services, upload)
        await receive.receive(services, request, part, length=upload.length, checksum=checksum, caller=caller)
        if part.size == upload.length:
            upload = await receive.finish(services, upload, part)
        await _renew(services, upload)
        return Response(status_code=204, headers=_headers(upload, part.size))


@router.delete(
    "/{upload_id}",
    status_code=204,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(409, 410, 412, 423),
)
async def terminate(upload: UploadDep, caller: CallerDep, services: UploadsDep) -> Response:
    """End an upload that is not finished, and drop its bytes."""
    if upload.state == service.FINISHED:
        raise Conflict(f"this upload is finished: it is video {upload.video_id}", video_id=upload.video_id)
    async with receive.hold(services, upload):
        await receive.end(services, upload, service.TERMINATED, "this upload was terminated by its client", caller)
    return Response(status_code=204)


async def _first_bytes(
    request: Request, services: UploadServices, upload: Upload, checksum: Checksum | None, caller: Caller
) -> dict[str, str]:
    lift(request)
    async with receive.hold(services, upload) as part:
        if part.size == 0:  # else the request is a repeated one, and its bytes came before
            try:
                await receive.receive(services, request, part, length=upload.length, checksum=checksum, caller=caller)
            except (Silence, Unauthorized):
                raise
            except ServiceError as error:
                # The client does not know the upload's address yet.
                await receive.end(services, upload, service.REFUSED, error.detail)
                raise
            if part.size == upload.length:
                upload = await receive.finish(services, upload, part)
        return _headers(upload, part.size)


def _headers(upload: Upload, offset: int) -> dict[str, str]:
    headers = {"Upload-Offset": str(offset)}
    if upload.video_id is not None:
        return {**headers, "Posetween-Video": str(upload.video_id)}
    return {**headers, "Upload-Expires": protocol.moment(upload.expires_at)}


def _check_offset(given: int, here: int) -> None:
    if given != here:
        raise Conflict(f"{here} bytes of this upload are here: go on from there, not from {given}", offset=here)


async def _renew(services: UploadServices, upload: Upload) -> None:
    if upload.state == service.OPEN and service.wants_renewal(services.settings, upload):
        async with services.turns.writing.of(upload.lab_id):
            upload.expires_at = await run_in_threadpool(_written_renewal, services, upload.id)


# Transactions of their own: one that spans the request would hold the database while the bytes arrive.
def _written_renewal(services: UploadServices, upload_id: str) -> datetime:
    with services.database.session() as session:
        return service.renew(session, services.settings, upload_id)


def _set_length(services: UploadServices, upload_id: str, length: int, offset: int) -> None:
    with services.database.session() as session:
        service.set_length(session, services.settings, upload_id, length, offset)


def _create(
    services: UploadServices, caller: Caller, described: Described, length: int | None, key: str | None
) -> UploadOut:
    made: list[str] = []

    def make() -> UploadOut:
        project = find_project(described.project_id, session, caller)
        upload = service.create(session, services.settings, caller, described, length)
        audit.record(session, caller, "upload.start", project=project, upload=upload.id, filename=upload.filename)
        services.parts.make(upload.id)
        made.append(upload.id)
        return UploadOut.model_validate(upload)

    if length is not None:
        service.check_size(services.settings, length)
        receive.check_room(services, length)
    try:
        with sessions.writing_as(services.database, caller) as session:
            once = Once(session, caller.lab_id, key, f"POST uploads {length} {described.header}")
            answer = once(make, status=201)
    except Exception:
        for upload_id in made:
            services.parts.remove(upload_id)
        raise
    return UploadOut.model_validate_json(bytes(answer.body)) if isinstance(answer, JSONResponse) else answer
