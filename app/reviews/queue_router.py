"""``/videos/{id}/review-queue`` and ``/projects/{id}/review-queue``."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.dependencies import CallerDep, Id, ReadingDep, StorageDep, find_project, find_video
from app.errors import problem_responses
from app.keys.service import Caller
from app.labels.schemas import schema
from app.pagination import decode_place, encode_place
from app.reviews import queue
from app.reviews.queue import Place
from app.reviews.queue_schemas import Queue, Suggestion
from app.reviews.reading import of_project, of_video, read
from app.reviews.round_robin import Spot, deal
from app.storage import Storage
from app.tables import Video
from app.videos.service import READABLE, readable

router = APIRouter(tags=["reviews"])

#: Videos that one answer looks through at most.
MOST_VIDEOS = 16

Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=200)]
_QUEUE: dict[int | str, dict[str, Any]] = {200: {"content": {"application/json": {"schema": schema(Queue)}}}}


@router.get("/videos/{video_id}/review-queue", response_class=Response, responses={**_QUEUE, **problem_responses(409)})
async def get_video_queue(
    video_id: Id,
    caller: CallerDep,
    reading: ReadingDep,
    storage: StorageDep,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """The poses of a video that are probably the most wrong, the worst first, at most one of a subject in five frames.

    Left out is what a person labelled, accepted, rejected or said to be absent, and damaged frames. At most 10 000 are
    listed.
    """
    after = decode_place(cursor, 3)

    act = partial(_of_video, caller, video_id, after, limit)
    return _answer(await read(reading, storage, caller, of_video(video_id), act))


def _of_video(
    caller: Caller, video_id: int, after: Sequence[float] | None, limit: int, session: Session, storage: Storage
) -> Queue:
    video = readable(find_video(video_id, session, caller))
    places = queue.rank(session, storage, video)
    first = 0 if after is None else bisect_right(places, Place(after[0], int(after[1]), int(after[2])))
    page = places[first : first + limit]
    more = first + limit < len(places)
    return Queue(
        items=queue.suggest(session, storage, video, page),
        next_cursor=encode_place(page[-1].score, page[-1].frame, page[-1].track) if more else None,
        waiting=len(places),
    )


@router.get("/projects/{project_id}/review-queue", response_class=Response, responses=_QUEUE)
async def get_project_queue(
    project_id: Id,
    caller: CallerDep,
    reading: ReadingDep,
    storage: StorageDep,
    limit: Limit = 20,
    cursor: Cursor = None,
) -> Response:
    """The worst poses of a project, in turn from one video after another: the worst of each, then the second of each.

    A page may have fewer than ``limit`` while there are more: no answer looks through more than 16 videos. Go on with
    ``next_cursor`` as long as there is one.
    """
    after = decode_place(cursor, 3)

    act = partial(_of_project, caller, project_id, after, limit)
    return _answer(await read(reading, storage, caller, of_project(project_id), act))


def _of_project(
    caller: Caller, project_id: int, after: Sequence[float] | None, limit: int, session: Session, storage: Storage
) -> Queue:
    project = find_project(project_id, session, caller)
    ready = Video.project_id == project.id, Video.deleted_at.is_(None), Video.status.in_(READABLE)
    numbers = list(session.scalars(select(Video.id).where(*ready).order_by(Video.id)))
    spot = Spot() if after is None else Spot(int(after[0]), int(after[1]), after[2] > 0)
    videos: dict[int, Video] = {}

    def rank(number: int) -> list[Place]:
        videos[number] = session.get_one(Video, number)
        return queue.rank(session, storage, videos[number])

    dealt = deal(
        numbers,
        rank,
        spot=spot,
        limit=limit,
        most=MOST_VIDEOS,
    )
    found: dict[tuple[int, int, int], Suggestion] = {}
    for number in {number for number, _ in dealt.items}:
        places = [place for video, place in dealt.items if video == number]
        for one in queue.suggest(session, storage, videos[number], places):
            found[number, one.frame_index, one.track_id] = one
    keys = [(number, place.frame, place.track) for number, place in dealt.items]
    further = dealt.next
    return Queue(
        items=[found[key] for key in keys if key in found],
        next_cursor=None if further is None else encode_place(further.turn, further.last, float(further.found)),
        waiting=sum(map(len, dealt.queues.values())),
    )


def _answer(found: Queue) -> Response:
    return Response(msgspec.json.encode(found), media_type="application/json")
