"""``/jobs``."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import select

from app.audit import service as audit
from app.database import Database
from app.dependencies import MAX_ID, CallerDep, DatabaseDep, JobDep, SessionDep, require
from app.errors import Busy, TooMany, Unauthorized
from app.jobs import ledger, states
from app.jobs.schemas import JobOut, State
from app.keys.service import Caller, Role
from app.pagination import Page, PageDep
from app.sessions import service as sessions
from app.settings import QUEUES
from app.tables import Job, Project, Video
from app.trash import visible

router = APIRouter(prefix="/jobs", tags=["jobs"])

_EVENT_SECONDS = 0.25

#: Streams of one key, and of all callers of a process, that are open at a time.
MAX_STREAMS_OF_KEY, MAX_STREAMS = 20, 200

# The more there are, the more seldom each looks: a process is to look no more than a hundred times a second.
_LOOKS_A_SECOND = 100
# Seconds after which a stream asks again whether its caller may still listen; it ends within three of a revocation.
_CONFIRMED_SECONDS = 1.0
_RETRY_SECONDS = 5


async def _stream(request: Request, caller: CallerDep) -> AsyncIterator[Counter[int | None]]:
    open_: Counter[int | None] = request.app.state.streams
    if open_[caller.key_id] >= MAX_STREAMS_OF_KEY:
        sentence = f"this key follows {MAX_STREAMS_OF_KEY} jobs, and may not follow more at a time"
        raise TooMany(sentence, retry_after=_RETRY_SECONDS)
    if open_.total() >= MAX_STREAMS:
        raise Busy(f"{MAX_STREAMS} event streams are open, and this process keeps no more")
    open_[caller.key_id] += 1
    try:
        yield open_
    finally:
        open_[caller.key_id] -= 1


#: Held until the stream ends.
StreamDep = Annotated[Counter[int | None], Depends(_stream)]


@router.get("")
def list_jobs(
    session: SessionDep,
    caller: CallerDep,
    page: PageDep,
    state: State | None = None,
    video_id: Annotated[int | None, Query(ge=1, le=MAX_ID)] = None,
) -> Page[JobOut]:
    """The lab's jobs, oldest first."""
    query = select(Job).where(Job.lab_id == caller.lab_id, visible.JOB)
    if state is not None:
        query = query.where(Job.queue.in_(QUEUES), Job.state == state)  # as the index ix_job_turn has it
    if video_id is not None:
        query = query.where(Job.video_id == video_id)
    return page.of(session, query, Job.id, JobOut.model_validate)


@router.get("/{job_id}")
def get_job(job: JobDep, response: Response) -> JobOut:
    """One job."""
    response.headers["ETag"] = f'"{job.version}"'
    return JobOut.model_validate(job)


@router.get("/{job_id}/events", response_class=EventSourceResponse)
async def follow_job(
    job: JobDep,
    request: Request,
    database: DatabaseDep,
    caller: CallerDep,
    streams: StreamDep,
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """The job as it changes, until it ends, what it is about is deleted, or the caller's key or session ends.

    An event's id is the job's version; ``Last-Event-ID`` resumes after it.
    """
    seen = int(last_event_id) if last_event_id and last_event_id.isdecimal() else -1
    confirmed = -math.inf
    while not await request.is_disconnected():
        now = time.monotonic()
        asks = now - confirmed >= _CONFIRMED_SECONDS
        found = await run_in_threadpool(_look, database, job.id, seen, caller if asks else None)
        confirmed = now if asks else confirmed
        if found is None:
            return
        seen, state, shown = found
        if shown is not None:
            yield ServerSentEvent(data=shown, event="job", id=str(seen))
        if state in states.FINISHED:
            return
        await asyncio.sleep(max(_EVENT_SECONDS, streams.total() / _LOOKS_A_SECOND))


@router.post("/{job_id}/cancel", dependencies=[require(Role.ANNOTATOR)])
def cancel_job(job: JobDep, session: SessionDep, caller: CallerDep) -> JobOut:
    """Ask a job to end. One that has ended stays as it is."""
    asked = job.cancel_requested
    ledger.request_cancel(session, job)
    if job.cancel_requested and not asked:
        video = session.get(Video, job.video_id) if job.video_id is not None else None
        project = session.get_one(Project, job.project_id)
        audit.record(session, caller, "job.cancel", project=project, video=video, job_id=job.id, job_kind=job.kind)
    return JobOut.model_validate(job)


def _look(database: Database, job_id: int, seen: int, caller: Caller | None) -> tuple[int, str, JobOut | None] | None:
    """A job's version and state, and the job where it changed; None where there is nothing to tell any more."""
    with database.session(readonly=True) as session:
        if caller is not None:
            try:
                sessions.confirm(session, caller)
            except Unauthorized:
                return None
        row = session.execute(select(Job.version, Job.state).where(Job.id == job_id, visible.JOB)).first()
        if row is None:
            return None
        if row.version <= seen:
            return seen, row.state, None
        job = session.get_one(Job, job_id)
        return job.version, job.state, JobOut.model_validate(job)
