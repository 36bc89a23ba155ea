"""``/videos/{id}/curves``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from app.dependencies import MAX_ID, CallerDep, Id, ReadingDep, StorageDep, find_video
from app.errors import invalid, problem_responses
from app.keys.service import Caller
from app.labels.schemas import schema
from app.projects import service as projects
from app.reviews.curves import Curve, Quantity, curve
from app.reviews.reading import of_video, read
from app.runs import poses
from app.storage import Storage
from app.tracks import service as tracks
from app.videos.service import readable

router = APIRouter(tags=["reviews"])

RunId = Annotated[int | None, Query(ge=1, le=MAX_ID)]


@router.get(
    "/videos/{video_id}/curves",
    response_class=Response,
    responses={200: {"content": {"application/json": {"schema": schema(Curve)}}}, **problem_responses(409)},
)
async def get_curve(
    video_id: Id,
    caller: CallerDep,
    reading: ReadingDep,
    storage: StorageDep,
    track_id: Annotated[int, Query(ge=1, le=MAX_ID)],
    quantity: Quantity = "radius90",
    keypoint: Annotated[int | None, Query(ge=0, le=MAX_ID)] = None,
    run_id: RunId = None,
    against: RunId = None,
    buckets: Annotated[int, Query(ge=1, le=4096)] = 1000,
    start: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
    stop: Annotated[int | None, Query(ge=0, le=MAX_ID)] = None,
) -> Response:
    """One number of each frame of a track in buckets: `radius90`, `speed`, `x`, `y`, or the `difference` of two runs.

    Pixels, and pixels a frame. Without `keypoint` it is the greatest of all keypoints; `x` and `y` need one. It is of
    what is seen, people's labels over the newest visible run, or with `run_id` of that run alone. `difference` is the
    distance between `run_id` and `against`.
    """
    asked = _Asked(video_id, track_id, quantity, keypoint, run_id, against, buckets, start, stop)
    found = await read(reading, storage, caller, of_video(video_id), partial(_read, caller, asked))
    return Response(msgspec.json.encode(found), media_type="application/json")


@dataclass(frozen=True)
class _Asked:
    """What somebody wants to see plotted."""

    video_id: int
    track: int
    quantity: Quantity
    keypoint: int | None
    run: int | None
    against: int | None
    buckets: int
    start: int
    stop: int | None


def _read(caller: Caller, asked: _Asked, session: Session, storage: Storage) -> Curve:
    video = readable(find_video(asked.video_id, session, caller))
    assert video.num_frames is not None
    if asked.track not in tracks.numbers(session, video):
        raise invalid("/track_id", f"the video has no track {asked.track}", "query")
    size = projects.skeleton(session, video.project_id).size
    if asked.keypoint is None and asked.quantity in ("x", "y"):
        raise invalid("/keypoint", f"{asked.quantity} is of a keypoint: say which", "query")
    if asked.keypoint is not None and asked.keypoint >= size:
        raise invalid("/keypoint", f"the skeleton has keypoints 0 to {size - 1}", "query")
    for name, run in (("run_id", asked.run), ("against", asked.against)):
        if asked.quantity == "difference" and run is None:
            raise invalid(f"/{name}", "a difference is between two runs: say which", "query")
        poses.one_of(session, video.id, run, name)
    if asked.against is not None and asked.quantity != "difference":
        raise invalid("/against", "only a difference is against another run", "query")
    end = video.num_frames if asked.stop is None else min(asked.stop, video.num_frames)
    return curve(
        session,
        storage,
        video,
        quantity=asked.quantity,
        track=asked.track,
        keypoint=asked.keypoint,
        start=min(asked.start, end),
        stop=end,
        buckets=asked.buckets,
        run=asked.run,
        against=asked.against,
    )
