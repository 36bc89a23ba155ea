"""``/videos/{id}/timeline``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from app.dependencies import MAX_ID, CallerDep, Id, ReadingDep, StorageDep, find_video
from app.errors import invalid, problem_responses
from app.keys.service import Caller
from app.labels.precondition import tag
from app.labels.schemas import schema
from app.reviews.reading import of_video, read
from app.reviews.timeline import Timeline, timeline
from app.storage import Storage
from app.tracks import service as tracks
from app.videos.service import readable

router = APIRouter(tags=["reviews"])


@router.get(
    "/videos/{video_id}/timeline",
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": schema(Timeline)}}}, **problem_responses(409)},
)
async def get_timeline(
    video_id: Id,
    caller: CallerDep,
    reading: ReadingDep,
    storage: StorageDep,
    track_id: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    buckets: Annotated[int, Query(ge=1, le=4096)] = 1000,
    start: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
    stop: Annotated[int | None, Query(ge=0, le=MAX_ID)] = None,
) -> Response:
    """A video in buckets of frames: keyframes, how sure a machine is of its poses, what is reviewed or absent."""
    act = partial(_read, caller, video_id, track_id, buckets, start, stop)
    found = await read(reading, storage, caller, of_video(video_id), act)
    return Response(
        msgspec.json.encode(found), media_type="application/json", headers={"ETag": tag(found.revision, found.basis)}
    )


def _read(
    caller: Caller,
    video_id: int,
    track_id: int | None,
    buckets: int,
    start: int,
    stop: int | None,
    session: Session,
    storage: Storage,
) -> Timeline:
    video = readable(find_video(video_id, session, caller))
    assert video.num_frames is not None
    if track_id is not None and track_id not in tracks.numbers(session, video):
        raise invalid("/track_id", f"the video has no track {track_id}", "query")
    end = video.num_frames if stop is None else min(stop, video.num_frames)
    first = min(start, end)
    return timeline(session, storage, video, start=first, stop=end, buckets=buckets, track=track_id)
