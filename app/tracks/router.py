"""``/videos/{id}/tracks``."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import select

from app.audit import service as audit
from app.dependencies import CallerDep, SessionDep, VideoDep, require
from app.idempotency import OnceDep
from app.keys.service import Role
from app.pagination import Page, PageDep
from app.tables import TrackRow
from app.tracks import service
from app.tracks.schemas import TrackIn, TrackOut

router = APIRouter(prefix="/videos/{video_id}/tracks", tags=["tracks"])


@router.get("")
def list_tracks(video: VideoDep, session: SessionDep, page: PageDep) -> Page[TrackOut]:
    """The video's subjects."""
    return page.of(session, select(TrackRow).where(TrackRow.video_id == video.id), TrackRow.number, service.show)


@router.post("", status_code=201, response_model=TrackOut, dependencies=[require(Role.ANNOTATOR)])
def create_track(
    body: TrackIn, video: VideoDep, session: SessionDep, caller: CallerDep, once: OnceDep
) -> TrackOut | JSONResponse:
    """Add a subject."""

    def make() -> TrackOut:
        track = service.create(session, video, body.name)
        audit.record(session, caller, "track.create", video=video, track_id=track.number, name=track.name)
        return service.show(track)

    return once(make, status=201)
