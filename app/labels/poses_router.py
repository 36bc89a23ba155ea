"""``/videos/{id}/poses``: what a page draws."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from app.dependencies import MAX_ID, GlancingDep, Id, ReadingDep, StorageDep, VisitorDep, find_video
from app.errors import problem_responses
from app.keys.service import Caller
from app.labels import binary, precondition, windows
from app.labels.schemas import Layer
from app.projects import service as projects
from app.runs import basis as bases
from app.runs import poses
from app.storage import Storage
from app.tracks import service as tracks
from app.videos.service import readable

router = APIRouter(tags=["labels"])

# More than that is read in another process.
_FEW_POSES = 10_000

_TYPE = "application/octet-stream"


@router.get(
    "/videos/{video_id}/poses",
    response_class=Response,
    responses={
        200: {"content": {_TYPE: {"schema": {"type": "string", "format": "binary", "description": binary.__doc__}}}},
        **problem_responses(409),
    },
)
async def get_poses(
    video_id: Id,
    visitor: VisitorDep,
    glancing: GlancingDep,
    reading: ReadingDep,
    storage: StorageDep,
    start: Annotated[int, Query(ge=0, le=MAX_ID)] = 0,
    stop: Annotated[int | None, Query(ge=0, le=MAX_ID)] = None,
    layer: Layer = "merged",
    run_id: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    states: bool = False,
) -> Response:
    """Read a window of at most 4096 frames and about 50 000 poses as one little-endian block.

    A header of 32 bytes (`PTPW`, then seven uint32: version 1, T tracks, F frames, K keypoints, first frame, frame to
    go on from or 2³² - 1, revision of the labels), then uint32 (T) ids of the tracks, uint32 (T, F) runs, uint32 (T, F)
    revisions of people's labels, float32 (T, F, K, 5) x, y, score, radius90, source. Source: 0 nothing, 1 a person, 2
    accepted, 3 a machine, 4 stale, 5 rejected, 6 absent; 8 is added where the point is hidden. With
    `run_id` a machine's poses are those of this run, also if it is hidden, and not the newest visible ones.

    With `states` there follow, after the points, uint32 (T, F, K): what each machine's radius and score rest on. The
    lower two bits are 0 for `prior`, as the engine gave it, 1 for `provisional`, 2 for `calibrated`; the others count
    the labels of the video that were hidden from the engine and are behind it.
    """

    def glance(session: Session) -> tuple[Caller, bool]:
        caller = visitor.caller(session)
        video = readable(find_video(video_id, session, caller))
        wanted, _ = windows.ends(video, start, stop)
        return caller, max(wanted - start, 0) * tracks.count(session, video) > _FEW_POSES

    caller, large = await glancing(glance)
    act = partial(_read, caller, video_id, start, stop, layer, run_id, states)
    return await (reading.apart(act, caller.lab_id) if large else reading(partial(act, storage=storage), caller.lab_id))


def _read(
    caller: Caller,
    video_id: int,
    start: int,
    stop: int | None,
    layer: Layer,
    run_id: int | None,
    states: bool,
    session: Session,
    storage: Storage,
) -> Response:
    video = readable(find_video(video_id, session, caller))
    assert video.num_frames is not None
    first = min(start, video.num_frames)
    wanted, end = windows.ends(video, first, stop)
    # A block has a row for each frame and track, whether anything is known there or not.
    end = min(end, first + max(1, windows.MAX_POSES // max(1, tracks.count(session, video))))
    runs = poses.one_of(session, video.id, run_id)
    end = windows.reach(session, video, start=first, stop=end, layer=layer, runs=runs)
    size = projects.skeleton(session, video.project_id).size
    basis = bases.present(session, storage, video) if layer != "human" else None
    found = windows.read(session, storage, video, size, start=first, stop=end, layer=layer, runs=runs, basis=basis)
    more = end if end < wanted else None
    body = binary.encode(found, size, start=first, stop=end, next_start=more, revision=video.revision, states=states)
    return Response(
        body,
        media_type=_TYPE,
        headers={"ETag": precondition.tag(video.revision, None if basis is None else basis.sha256)},
    )
