"""``/jobs``."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import select

from app.audit import service as audit
from app.dependencies import MAX_ID, CallerDep, JobDep, SessionDep, require
from app.errors import Busy, TooMany
from app.jobs import held, ledger, states
from app.jobs.following import Followers
from app.jobs.schemas import JobLineOut, JobOut, State
from app.keys.service import Role
from app.pagination import Order, Page, PageDep, each
from app.settings import QUEUES
from app.tables import Job, JobLine, Project, Video
from app.trash import visible

router = APIRouter(prefix="/jobs", tags=["jobs"])

#: Streams of one key, of one lab, and of all callers of a process, that are open at a time.
MAX_STREAMS_OF_KEY, MAX_STREAMS_OF_LAB, MAX_STREAMS = 20, 100, 200

_RETRY_SECONDS = 5


async def _stream(request: Request, caller: CallerDep) -> AsyncIterator[Followers]:
    open_: Counter[tuple[int, int | None]] = request.app.state.streams
    mine = caller.lab_id, caller.key_id
    if open_[mine] >= MAX_STREAMS_OF_KEY:
        sentence = f"this key follows {MAX_STREAMS_OF_KEY} jobs, and may not follow more at a time"
        raise TooMany(sentence, retry_after=_RETRY_SECONDS)
    if sum(count for (lab_id, _), count in open_.items() if lab_id == caller.lab_id) >= MAX_STREAMS_OF_LAB:
        sentence = f"this lab follows {MAX_STREAMS_OF_LAB} jobs, and may not follow more at a time"
        raise TooMany(sentence, retry_after=_RETRY_SECONDS)
    if open_.total() >= MAX_STREAMS:
        raise Busy(f"{MAX_STREAMS} event streams are open, and this process keeps no more")
    open_[mine] += 1
    try:
        yield request.app.state.followers
    finally:
        open_[mine] -= 1
        if not open_[mine]:
            del open_[mine]


#: Held until the stream ends.
StreamDep = Annotated[Followers, Depends(_stream)]


@router.get("")
def list_jobs(
    session: SessionDep,
    caller: CallerDep,
    page: PageDep,
    state: State | None = None,
    kind: Annotated[str | None, Query(max_length=40)] = None,
    video_id: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
    order: Annotated[Order | None, Query(description="What comes first; the newest where left out")] = None,
) -> Page[JobOut]:
    """The lab's jobs, newest first."""
    query = select(Job).where(Job.lab_id == caller.lab_id, visible.JOB)
    if state is not None:
        # Queues are named as the index ix_job_turn has them.
        query = query.where(Job.queue.in_((*QUEUES, ledger.HELD)), Job.state == state)
    if kind is not None:
        query = query.where(Job.kind == kind)
    if video_id is not None:
        query = query.where(Job.video_id == video_id)
    return page.either_way(
        session, query, Job.id, each(JobOut.model_validate), order, few=state not in (None, states.SUCCEEDED)
    )


@router.get("/{job_id}")
def get_job(job: JobDep, response: Response) -> JobOut:
    """One job."""
    response.headers["ETag"] = f'"{job.version}"'
    return JobOut.model_validate(job)


@router.get("/{job_id}/log")
def get_log(job: JobDep, session: SessionDep, page: PageDep) -> Page[JobLineOut]:
    """What the job did and when, from its beginning on: at most 200 lines, the first and the last of a long log."""
    mine = select(JobLine).where(JobLine.job_id == job.id)
    return page.of(session, mine, JobLine.number, each(JobLineOut.model_validate))


@router.get("/{job_id}/events", response_class=EventSourceResponse)
async def follow_job(
    job: JobDep,
    request: Request,
    caller: CallerDep,
    followers: StreamDep,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """The job as it changes, until it ends, what it is about is deleted, or the caller's key or session ends.

    An event's id is the job's version; ``Last-Event-ID`` resumes after it.
    """
    seen = int(last_event_id) if last_event_id and last_event_id.isdecimal() else -1
    with followers.following(job.id, caller) as following:
        while not await request.is_disconnected():
            news = await following.look()
            if news is None:
                return
            if news.version > seen:
                seen = news.version
                yield ServerSentEvent(data=news.job, event="job", id=str(seen))
            if news.state in states.FINISHED:
                return


@router.post("/{job_id}/cancel", dependencies=[require(Role.ANNOTATOR)])
def cancel_job(job: JobDep, session: SessionDep, caller: CallerDep) -> JobOut:
    """Ask a job to end. One that has ended stays as it is."""
    asked = job.cancel_requested
    ledger.request_cancel(session, job)
    held.cancel(session, job.id)
    if job.cancel_requested and not asked:
        video = session.get(Video, job.video_id) if job.video_id is not None else None
        project = session.get_one(Project, job.project_id)
        audit.record(session, caller, "job.cancel", project=project, video=video, job_id=job.id, job_kind=job.kind)
    return JobOut.model_validate(job)
