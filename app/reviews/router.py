"""``/videos/{id}/reviews``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.audit.schemas import Kind
from app.dependencies import (
    CallerDep,
    Id,
    ReadingDep,
    SessionDep,
    StorageDep,
    VideoDep,
    find_video,
    require,
)
from app.errors import ServiceError, problem_responses
from app.idempotency import OnceDep
from app.keys.service import Caller, Role
from app.pagination import Page, PageDep
from app.reviews import service
from app.reviews.reading import of_video, read
from app.reviews.schemas import Reviewed, ReviewIn, ReviewOut
from app.reviews.service import Measured
from app.reviews.standing import ACCEPT
from app.storage import Storage
from app.tables import Review

router = APIRouter(prefix="/videos/{video_id}/reviews", tags=["reviews"])


async def _measured(
    body: ReviewIn, video_id: Id, reading: ReadingDep, storage: StorageDep, caller: CallerDep
) -> Measured | ServiceError:
    """Look at the poses before the writing transaction begins: nobody else shall wait for that.

    An error is given, not raised: a request that is repeated gets its first answer, whatever is there by now.
    """
    return await read(reading, storage, caller, of_video(video_id), partial(_measure, caller, video_id, body))


def _measure(
    caller: Caller, video_id: int, body: ReviewIn, session: Session, storage: Storage
) -> Measured | ServiceError:
    video = find_video(video_id, session, caller)
    try:
        return service.measure(session, storage, video, body)
    except ServiceError as error:
        return error


@router.get("")
def list_reviews(video: VideoDep, session: SessionDep, page: PageDep) -> Page[ReviewOut]:
    """Every act of reviewing, oldest first, undone ones too; ``outdated`` tells where one no longer counts."""
    query = select(Review).where(Review.video_id == video.id)
    return page.of(session, query, Review.number, partial(service.show, session, video))


@router.post(
    "",
    status_code=201,
    response_model=Reviewed,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(409),
)
def review(
    measured: Annotated[Measured | ServiceError, Depends(_measured)],
    body: ReviewIn,
    video: VideoDep,
    session: SessionDep,
    caller: CallerDep,
    once: OnceDep,
) -> Reviewed | JSONResponse:
    """Accept or reject a machine's poses. A verdict counts for the poses that are seen now, and is undone in one call.

    What is accepted is exported and learnt from as ``accepted``; what is rejected is left out of both, and is no hint
    for an estimator. A later verdict on the same points replaces this one. It does not count where a later run shows
    other poses, nor where labels are moved or taken back on which the poses rest.
    """

    def make() -> Reviewed:
        if isinstance(measured, ServiceError):
            raise measured
        made = service.add(session, video, body, measured, key_id=caller.key_id)
        (shown,) = service.show(session, video, [made])
        kind: Kind = "review.accept" if made.verdict == ACCEPT else "review.reject"
        audit.record(
            session,
            caller,
            kind,
            video=video,
            review=made.number,
            start=made.start,
            stop=made.stop,
            track_id=made.track_number,
            keypoints=made.keypoints,
            radius90=made.radius90,
        )
        return Reviewed(**shown.model_dump(), poses=measured.poses, left_out=measured.left_out)

    return once(make, status=201)


@router.post(
    "/{number}/undo",
    status_code=201,
    response_model=ReviewOut,
    dependencies=[require(Role.ANNOTATOR)],
    responses=problem_responses(409),
)
def undo_review(
    number: Id, video: VideoDep, session: SessionDep, caller: CallerDep, once: OnceDep
) -> ReviewOut | JSONResponse:
    """Take a verdict back: what stood before it stands again. The undo is an act of its own and can be undone."""

    def make() -> ReviewOut:
        made = service.undo(session, video, number, key_id=caller.key_id)
        audit.record(session, caller, "review.undo", video=video, review=made.number, undone=number)
        return service.show(session, video, [made])[0]

    return once(make, status=201)
