"""``/jobs``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent
from sqlalchemy import select

from app.audit import service as audit
from app.database import Database
from app.dependencies import MAX_ID, CallerDep, DatabaseDep, JobDep, SessionDep, require
from app.jobs import ledger, states
from app.jobs.schemas import JobOut, State
from app.keys.service import Role
from app.pagination import Page, PageDep
from app.settings import QUEUES
from app.tables import Job, Project, Video
from app.trash import visible

router = APIRouter(prefix="/jobs", tags=["jobs"])

_EVENT_SECONDS = 0.25


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
    last_event_id: Annotated[str | None, Header(max_length=20)] = None,
) -> AsyncIterator[ServerSentEvent]:
    """The job as it changes, until it ends or what it is about is deleted.

    An event's id is the job's version; ``Last-Event-ID`` resumes after it.
    """
    seen = int(last_event_id) if last_event_id and last_event_id.isdecimal() else -1
    while not await request.is_disconnected():
        found = await run_in_threadpool(_look, database, job.id)
        if found is None:
            return
        version, shown = found
        if version > seen:
            seen = version
            yield ServerSentEvent(data=shown, event="job", id=str(version))
        if shown.state in states.FINISHED:
            return
        await asyncio.sleep(_EVENT_SECONDS)


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


def _look(database: Database, job_id: int) -> tuple[int, JobOut] | None:
    with database.session(readonly=True) as session:
        job = session.scalar(select(Job).where(Job.id == job_id, visible.JOB))
        return (job.version, JobOut.model_validate(job)) if job is not None else None
