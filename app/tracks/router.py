"""``/videos/{id}/tracks``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.database import after_commit
from app.dependencies import CallerDep, Id, MetricsDep, SessionDep, SettingsDep, VideoDep, find_video, require
from app.errors import problem_responses
from app.idempotency import OnceDep
from app.keys.service import Caller, Role
from app.labels.precondition import IfMatch
from app.labels.schemas import Written
from app.metrics import ApiMetrics
from app.pagination import Page, PageDep, each
from app.prepared import PreparedDep
from app.tables import TrackRow, Video
from app.tracks import editing, service
from app.tracks.editing import Before
from app.tracks.schemas import MergeIn, SplitIn, SwapIn, TrackIn, TrackOut, TrackPatch, TrackWritten

router = APIRouter(prefix="/videos/{video_id}/tracks", tags=["tracks"])


Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True)
class Mending:
    """Reads labels of the video, then mends it in a transaction of its own, see ``app.prepared``."""

    video_id: int
    caller: Caller
    prepared: PreparedDep

    async def __call__(
        self,
        look: Callable[[Session, Video], Before],
        write: Callable[[Session, Video, Before], Answer],
        *,
        status: int,
    ) -> Answer | JSONResponse:
        """Do it."""
        return await self.prepared(self._find, look, write, status=status)

    def _find(self, session: Session) -> Video:
        return find_video(self.video_id, session, self.caller)


async def _mending(video_id: Id, caller: CallerDep, prepared: PreparedDep) -> Mending:
    return Mending(video_id, caller, prepared)


MendingDep = Annotated[Mending, Depends(_mending)]


@router.get("")
def list_tracks(
    video: VideoDep, session: SessionDep, page: PageDep, deleted: Annotated[bool, Query()] = False
) -> Page[TrackOut]:
    """The video's subjects; with ``deleted``, those too that were deleted."""
    return page.of(session, service.query(video, deleted=deleted), TrackRow.number, each(service.show))


@router.post("", status_code=201, response_model=TrackOut, dependencies=[require(Role.ANNOTATOR)])
def create_track(
    body: TrackIn, video: VideoDep, session: SessionDep, settings: SettingsDep, caller: CallerDep, once: OnceDep
) -> TrackOut | JSONResponse:
    """Add a subject."""

    def make() -> TrackOut:
        track = service.create(session, settings, video, body.name)
        audit.record(session, caller, "track.create", video=video, track_id=track.number, name=track.name)
        return service.show(track)

    return once(make, status=201)


@router.patch("/{number}", dependencies=[require(Role.ANNOTATOR)], responses=problem_responses(412))
def rename_track(
    body: TrackPatch,
    number: Id,
    video: VideoDep,
    session: SessionDep,
    caller: CallerDep,
    if_match: IfMatch,
    response: Response,
) -> TrackWritten:
    """Rename a subject: a revision of the labels, which can be undone."""
    before = editing.find(session, video, number).name
    renamed = editing.rename(session, video, number, body.name, key_id=caller.key_id, if_match=if_match)
    if renamed.name != before:
        audit.record(
            session, caller, "track.rename", video=video, track_id=number, name=body.name, revision=renamed.revision
        )
    response.headers["ETag"] = f'"{renamed.revision}"'
    return renamed


@router.delete(
    "/{number}", response_model=Written, dependencies=[require(Role.ANNOTATOR)], responses=problem_responses(412)
)
async def delete_track(
    number: Id, mending: MendingDep, caller: CallerDep, metrics: MetricsDep, if_match: IfMatch, response: Response
) -> Written | JSONResponse:
    """Delete a subject: its labels are taken back in one revision, its poses are not seen any more. Undo brings it
    back; its number is not given to another one.
    """

    def look(session: Session, video: Video) -> Before:
        return editing.look(session, video, [number])

    def write(session: Session, video: Video, before: Before) -> Written:
        gone = editing.delete(session, video, number, before, key_id=caller.key_id, if_match=if_match)
        audit.record(session, caller, "track.delete", video=video, track_id=number, **gone.model_dump())
        _count(session, metrics, "delete", gone.written)
        return gone

    gone = await mending(look, write, status=200)
    if isinstance(gone, Written):
        response.headers["ETag"] = f'"{gone.revision}"'
    return gone


@router.post(
    "/swap",
    response_model=Written,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(409, 412),
)
async def swap_tracks(
    body: SwapIn, mending: MendingDep, caller: CallerDep, metrics: MetricsDep, if_match: IfMatch
) -> Written | JSONResponse:
    """Let two subjects change places, on some frames or all: one revision of the labels. What machines made of the
    labels that moved is stale until it is propagated again.
    """

    def look(session: Session, video: Video) -> Before:
        return editing.look(session, video, [body.a, body.b], body.start, body.stop)

    def write(session: Session, video: Video, before: Before) -> Written:
        swapped = editing.swap(session, video, body, before, key_id=caller.key_id, if_match=if_match)
        audit.record(session, caller, "track.swap", video=video, **body.model_dump(), **swapped.model_dump())
        _count(session, metrics, "swap", swapped.written)
        return swapped

    return await mending(look, write, status=200)


@router.post(
    "/merge",
    response_model=Written,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(409, 412),
)
async def merge_tracks(
    body: MergeIn, mending: MendingDep, caller: CallerDep, metrics: MetricsDep, if_match: IfMatch
) -> Written | JSONResponse:
    """Let one subject's labels become another's, on some frames or all: one revision of the labels. Where both are
    labelled on a frame and differ, ``prefer`` says whose pose stands; without it that is a conflict.
    """

    def look(session: Session, video: Video) -> Before:
        return editing.look(session, video, [body.from_, body.into], body.start, body.stop)

    def write(session: Session, video: Video, before: Before) -> Written:
        merged = editing.merge(session, video, body, before, key_id=caller.key_id, if_match=if_match)
        about: dict[str, Any] = {**body.model_dump(by_alias=True), **merged.model_dump()}
        audit.record(session, caller, "track.merge", video=video, **about)
        _count(session, metrics, "merge", merged.written)
        return merged

    return await mending(look, write, status=200)


@router.post(
    "/split",
    status_code=201,
    response_model=TrackWritten,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(409, 412),
)
async def split_track(
    body: SplitIn,
    mending: MendingDep,
    settings: SettingsDep,
    caller: CallerDep,
    metrics: MetricsDep,
    if_match: IfMatch,
) -> TrackWritten | JSONResponse:
    """Let a subject's labels from a frame on become those of a new one: one revision of the labels."""

    def look(session: Session, video: Video) -> Before:
        return editing.look(session, video, [body.track])

    def write(session: Session, video: Video, before: Before) -> TrackWritten:
        made = editing.split(session, settings, video, body, before, key_id=caller.key_id, if_match=if_match)
        about: dict[str, Any] = {"track": body.track, "start": body.start, "made": made.id}
        about |= {"revision": made.revision, "written": made.written}
        audit.record(session, caller, "track.split", video=video, **about)
        _count(session, metrics, "split", made.written)
        return made

    return await mending(look, write, status=201)


def _count(session: Session, metrics: ApiMetrics, act: str, written: int) -> None:
    after_commit(session, lambda: metrics.labels_written.labels(act).inc(written))
