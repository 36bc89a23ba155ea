"""``/videos/{id}/labels``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from msgspec import UNSET
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import blobs
from app.audit import service as audit
from app.body_limit import allow
from app.database import after_commit
from app.dependencies import (
    MAX_ID,
    CallerDep,
    DatabaseDep,
    GlancingDep,
    Id,
    MetricsDep,
    ReadingDep,
    SessionDep,
    SettingsDep,
    StorageDep,
    TurnsDep,
    VideoDep,
    VisitorDep,
    WritingDep,
    find_video,
    require,
)
from app.errors import invalid, problem_responses
from app.idempotency import OnceDep
from app.keys.service import Caller, Role
from app.labels import imports, precondition, service, showing, windows
from app.labels.foreign import Foreign, ForeignDep, Read
from app.labels.foreign import read as read_foreign
from app.labels.history import More
from app.labels.precondition import IfMatch
from app.labels.schemas import (
    Imported,
    LabelIn,
    LabelsIn,
    LabelsOut,
    Layer,
    RevisionOut,
    Undone,
    Written,
    read_body,
    schema,
)
from app.labels.undo import undo
from app.metrics import ApiMetrics
from app.pagination import Page, PageDep, each
from app.projects import service as projects
from app.runs import basis as bases
from app.storage import Storage
from app.tables import LabelRevision, Video
from app.tracks import service as tracks
from app.videos.service import readable
from pose.formats.coco import MAX_PATTERN, Numbering

router = APIRouter(prefix="/videos/{video_id}/labels", tags=["labels"])

# More than that is read in another process.
_FEW_LABELS = 1000
_FEW_POSES = 4096

_FILES = {
    "application/json": {"schema": {"type": "object"}},
    "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
}

#: Bytes that are read in less time than it takes to send them to a thread.
_SHORT_BODY = 16 * 1024


async def _body(request: Request, settings: SettingsDep) -> bytes:
    allow(request, settings.max_json_bytes)
    return await request.body()


# These stand before what opens the transaction: nobody shall wait for the database while a slow client sends its body
# or a long one is read.
BodyDep = Annotated[bytes, Depends(_body)]


async def _labels(body: BodyDep, turns: TurnsDep, caller: CallerDep) -> list[LabelIn]:
    if len(body) <= _SHORT_BODY:
        return read_body(body, LabelsIn).labels
    async with turns.parsing.of(caller.lab_id):
        return (await run_in_threadpool(read_body, body, LabelsIn)).labels


def _wanted(
    mode: Annotated[
        Literal["add", "replace"],
        Query(description="`replace` also takes back what else is labelled on the frames that the file has images of"),
    ] = "add",
    frame_from: Annotated[
        Literal["field", "file_name"] | None,
        Query(description="Where images say their frame: `frame_index` (default), or a number in `file_name`"),
    ] = None,
    frame_pattern: Annotated[
        str | None,
        Query(
            max_length=MAX_PATTERN,
            description="Regular expression (RE2) with one group, the number in `file_name`; default: its last digits",
        ),
    ] = None,
    frame_offset: Annotated[
        int | None,
        Query(ge=0, le=2**31, description="Number in `file_name` that the video's first frame has"),
    ] = None,
    scale: Annotated[
        Literal["refuse", "fit"],
        Query(description="Images of another size than the video's are refused, or their coordinates scaled"),
    ] = "refuse",
    pseudo: Annotated[
        Literal["skip", "run", "human"],
        Query(description="What a machine made is skipped, kept as a run of its own, or taken for a person's"),
    ] = "skip",
    dry_run: Annotated[bool, Query(description="Answer the same and write nothing")] = False,
) -> imports.Wanted:
    named = "frame_pattern" if frame_pattern is not None else "frame_offset" if frame_offset is not None else None
    if named and frame_from == "field":
        raise invalid(f"/{named}", "this is about file names; say frame_from=file_name", "query")
    numbering = Numbering("file_name" if named else frame_from or "field", frame_pattern, frame_offset)
    return imports.Wanted(mode, numbering, scale, pseudo, dry_run)


WantedDep = Annotated[imports.Wanted, Depends(_wanted)]


async def _sheet(
    wanted: WantedDep,
    foreign: ForeignDep,
    body: BodyDep,
    video_id: Id,
    database: DatabaseDep,
    storage: StorageDep,
    turns: TurnsDep,
    caller: CallerDep,
) -> AsyncIterator[imports.Sheet]:
    if foreign is not None and wanted.numbering != Numbering():
        raise invalid("/frame_from", "this is about COCO files; other formats say their frames themselves", "query")

    def convert(foreign: Foreign) -> tuple[Foreign, Read]:
        with database.session(readonly=True) as session:
            find_video(video_id, session, caller)  # nothing is read for who may not write
        return foreign, read_foreign(storage, body, foreign)

    def read(other: tuple[Foreign, Read] | None) -> imports.Sheet:
        with database.session(readonly=True) as session:
            video = find_video(video_id, session, caller)
            poses = imports.read_sheet(session, video, body, wanted, other)
        return imports.store(storage, poses, wanted)

    other = None
    if foreign is not None:
        async with turns.converting.of(caller.lab_id):
            other = await run_in_threadpool(convert, foreign)
    async with turns.parsing.of(caller.lab_id):
        sheet = await run_in_threadpool(read, other)
    try:
        yield sheet
    except Exception:
        # Its transaction, which ended before this, was not committed.
        if sheet.run is not None and sheet.run.segments:
            await run_in_threadpool(blobs.set_aside, database, {stored.sha256 for *_, stored in sheet.run.segments})
        raise


LabelsDep = Annotated[list[LabelIn], Depends(_labels)]
SheetDep = Annotated[imports.Sheet, Depends(_sheet)]
Frame = Annotated[int, Query(ge=0, le=MAX_ID)]


@router.put(
    "",
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(400, 409, 412),
    openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema(LabelsIn)}}}},
)
async def put_labels(
    labels: LabelsDep,
    video_id: Id,
    writing: WritingDep,
    caller: CallerDep,
    metrics: MetricsDep,
    if_match: IfMatch,
    response: Response,
) -> Written:
    """Write labels, all or none. A point with v = 0 says nothing: what was labelled there before stays."""

    def write(session: Session) -> Written:
        video = find_video(video_id, session, caller)
        written = service.put(session, video, labels, key_id=caller.key_id, if_match=if_match)
        audit.record(session, caller, "labels.write", video=video, **written.model_dump())
        _count(session, metrics, "put", written.written)
        return written

    written = await writing(write)
    response.headers["ETag"] = f'"{written.revision}"'
    return written


@router.delete("", dependencies=[require(Role.ANNOTATOR)], responses=problem_responses(412))
def delete_label(
    video: VideoDep,
    session: SessionDep,
    caller: CallerDep,
    metrics: MetricsDep,
    if_match: IfMatch,
    frame_index: Frame,
    track_id: Annotated[int, Query(ge=1, le=MAX_ID)],
    keypoint: Annotated[list[Annotated[int, Query(ge=0, le=MAX_ID)]], Query(max_length=512)] = [],  # noqa: B006
) -> Written:
    """Take a label back, or with ``keypoint`` (0-based, repeatable) only some of its points. The history keeps them."""
    gone = service.delete(session, video, frame_index, track_id, keypoint, key_id=caller.key_id, if_match=if_match)
    if gone.written:
        audit.record(
            session,
            caller,
            "labels.delete",
            video=video,
            revision=gone.revision,
            frame_index=frame_index,
            track_id=track_id,
            keypoints=keypoint or None,
        )
        _count(session, metrics, "delete", gone.written)
    return gone


@router.get(
    "",
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": schema(LabelsOut)}}}, **problem_responses(409)},
)
async def get_labels(
    video_id: Id,
    visitor: VisitorDep,
    glancing: GlancingDep,
    reading: ReadingDep,
    storage: StorageDep,
    start: Frame = 0,
    stop: Annotated[int | None, Query(ge=0, le=MAX_ID)] = None,
    layer: Layer = "human",
    revision: Annotated[int | None, Query(ge=0, le=MAX_ID)] = None,
) -> Response:
    """Read a window of at most 4096 frames and about 50 000 poses; at least one frame, however many poses it has.

    What goes beyond is cut off at a frame: ``next_start`` is then where to go on, else null. ``revision`` reads the
    human labels as they were.
    """
    asked = _Asked(start, stop, layer, revision)

    def glance(session: Session) -> tuple[Caller, bool] | Response:
        caller = visitor.caller(session)
        video = readable(find_video(video_id, session, caller))
        if layer != "human":  # what machines say is in storage
            return caller, asked.frames(video) * tracks.count(session, video) > _FEW_POSES
        try:
            return asked.answer(session, storage, video, most=_FEW_LABELS)
        except More:
            return caller, True

    found = await glancing(glance)
    if isinstance(found, Response):
        return found
    caller, large = found
    act = partial(_read_window, caller, video_id, asked)
    return await (reading.apart(act, caller.lab_id) if large else reading(partial(act, storage=storage), caller.lab_id))


def _read_window(caller: Caller, video_id: int, asked: _Asked, session: Session, storage: Storage) -> Response:
    return asked.answer(session, storage, readable(find_video(video_id, session, caller)))


@dataclass(frozen=True)
class _Asked:
    """A window that somebody wants to read."""

    start: int
    stop: int | None
    layer: Layer
    revision: int | None

    def frames(self, video: Video) -> int:
        wanted, _ = windows.ends(video, self.start, self.stop)
        return max(wanted - self.start, 0)

    def answer(self, session: Session, storage: Storage, video: Video, *, most: int | None = None) -> Response:
        start = self.start
        wanted, end = windows.ends(video, start, self.stop)
        window: windows.Choice = {"layer": self.layer, "revision": self.revision}
        if most is None:
            end = windows.reach(session, video, start=start, stop=end, **window)
        size = projects.skeleton(session, video.project_id).size
        basis = bases.present(session, storage, video) if self.layer != "human" else None
        found = windows.read(session, storage, video, size, start=start, stop=end, most=most, basis=basis, **window)
        read_by = basis.sha256 if basis is not None and showing.calibrated(found) else None
        answer = LabelsOut(
            revision=video.revision if self.revision is None else min(self.revision, video.revision),
            layer=self.layer,
            start=start,
            stop=end,
            next_start=end if end < wanted else None,
            labels=showing.show(found),
            basis=UNSET if read_by is None else read_by,
        )
        body = msgspec.json.encode(answer)
        return Response(
            body, media_type="application/json", headers={"ETag": precondition.tag(video.revision, read_by)}
        )


@router.get("/revisions")
def list_revisions(video: VideoDep, session: SessionDep, page: PageDep) -> Page[RevisionOut]:
    """Every act of labelling, oldest first."""
    query = select(LabelRevision).where(LabelRevision.video_id == video.id)
    return page.of(session, query, LabelRevision.revision, each(RevisionOut.model_validate))


@router.post(
    "/revisions/{revision}/undo",
    response_model=Undone,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(409),
)
def undo_revision(
    video: VideoDep,
    session: SessionDep,
    caller: CallerDep,
    metrics: MetricsDep,
    once: OnceDep,
    revision: Annotated[int, Path(ge=1, le=MAX_ID)],
) -> Undone | JSONResponse:
    """Put back what stood before a revision, where nobody has labelled since; an undo can be undone."""

    def make() -> Undone:
        undone = undo(session, video, revision, key_id=caller.key_id)
        audit.record(session, caller, "labels.undo", video=video, undone=revision, **undone.model_dump())
        _count(session, metrics, "undo", undone.written)
        return undone

    return once(make, status=200)


@router.post(
    "/import",
    response_model=Imported,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(400, 409, 412),
    openapi_extra={"requestBody": {"required": True, "content": _FILES}},
)
def import_labels(
    sheet: SheetDep,
    video: VideoDep,
    session: SessionDep,
    settings: SettingsDep,
    storage: StorageDep,
    caller: CallerDep,
    metrics: MetricsDep,
    if_match: IfMatch,
    once: OnceDep,
) -> Imported | JSONResponse:
    """Write the labels of a file as one revision: COCO keypoints, or a format of another tool (``format``).

    Images carry ``frame_index``, or have a number in their file names; annotations carry ``track_id``, or an identity
    in ``attributes`` or by their category. Boxes, masks, crowds, other categories and a machine's poses are skipped.
    """

    def make() -> Imported:
        written = imports.write(session, settings, storage, video, sheet, key_id=caller.key_id, if_match=if_match)
        if sheet.wanted.dry_run:
            session.rollback()
            return written
        told = {"mode": sheet.wanted.mode, **written.model_dump(include={"revision", "written", "removed", "tracks"})}
        audit.record(session, caller, "labels.import", video=video, **told, run_id=written.run_id)
        _count(session, metrics, "import", written.written)
        return written

    return make() if sheet.wanted.dry_run else once(make, status=200)


def _count(session: Session, metrics: ApiMetrics, act: str, written: int) -> None:
    after_commit(session, lambda: metrics.labels_written.labels(act).inc(written))
