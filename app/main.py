"""The application: ``create_app(settings)`` puts the slices together. Importing this does nothing else."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
from anyio import CapacityLimiter, create_task_group
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi_offline import FastAPIOffline
from sqlalchemy.exc import SQLAlchemyError

from app import cors, errors, health, home, origin, scraping
from app.answer_headers import AnswerHeaders, page_policies
from app.audit.router import router as audit
from app.body_limit import BodyLimit
from app.checkpoints.router import router as checkpoints
from app.database import connect
from app.dependencies import Doorkeeper
from app.errors import problem_responses
from app.estimates.router import router as estimates
from app.exports.router import router as exports
from app.health import Readiness
from app.jobs.backlog import BacklogCollector
from app.jobs.bell import Bell
from app.jobs.router import router as jobs
from app.keys.router import router as keys
from app.keys.usage import Usage
from app.labels.router import router as labels
from app.labs.router import router as labs
from app.metrics import ApiMetrics, StorageMetrics, new_registry, shared_by_processes
from app.observed_storage import ObservedStorage
from app.page import serving
from app.projects.router import router as projects
from app.rates import Rates
from app.request_log import RequestLog
from app.runs.router import router as runs
from app.sessions.router import router as sessions
from app.settings import Settings
from app.storage import open_storage
from app.tracks.router import router as tracks
from app.trainings.router import router as trainings
from app.trash.leftovers import SECONDS, Leftovers
from app.trash.router import router as trash
from app.turns import Turns
from app.uploads.intake import Intake
from app.uploads.manners import TusManners
from app.uploads.parts import Parts
from app.uploads.router import router as uploads
from app.uploads.sweeping import keep_swept
from app.version import VERSION
from app.videos.frame_cache import FrameCache
from app.videos.frames import Frames
from app.videos.router import router as videos
from app.videos.sights import new_sights

log = logging.getLogger(__name__)

PREFIX = "/api/v1"


def create_app(settings: Settings, *, page: Path = serving.BUILT) -> FastAPI:
    """Build the service.

    Args:
        settings: Where things are kept and how much of them is let in.
        page: Folder of the built page; where there is none, the status page is the front page.

    Raises:
        ValueError: The settings would serve everybody on the network without asking for a key, or pages that they
            should not.
    """
    if not settings.auth and not origin.is_loopback(settings.host):
        raise ValueError(f"refusing to serve on {settings.host} without authentication; bind 127.0.0.1 or turn auth on")
    cors.check(settings)
    database = connect(settings.database)
    bell = Bell(settings.broker_url) if settings.broker_url else None
    if bell is not None:
        bell.attach(database)
    registry = new_registry(settings)
    registry.register(BacklogCollector(database))
    counting = shared_by_processes(registry)
    metrics = ApiMetrics.on(counting)
    storage = open_storage(settings, partial(ObservedStorage, StorageMetrics.on(counting)))
    turns = Turns.of(database)
    intake = Intake(settings, database, storage, turns, Parts(settings.scratch_dir / "uploads"))
    cache = FrameCache(settings.frames_dir, settings.frame_cache_bytes)
    makers = max(1, (os.cpu_count() or 1) // settings.processes)
    frames = Frames(storage, cache, open_videos=settings.open_videos, makers=makers)
    usage = Usage()
    leftovers = Leftovers(database, storage, cache)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with create_task_group() as tasks:
            tasks.start_soon(usage.keep_writing, database, turns.writing)
            tasks.start_soon(keep_swept, intake)
            tasks.start_soon(_keep_cleared, leftovers, frames)
            yield
            log.info("the service ends")
            tasks.cancel_scope.cancel()
        usage.write(database)
        frames.close()
        database.dispose()
        if bell is not None:
            bell.close()

    # Serves the documentation page from this machine: labs are behind firewalls.
    app = FastAPIOffline(
        title="Posetween",
        version=VERSION,
        summary="Label a few frames of a video; get a pose on every frame.",
        openapi_url=f"{PREFIX}/openapi.json",
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.database = database
    app.state.turns = turns
    app.state.doorkeeper = Doorkeeper(usage, Rates(settings.requests_per_minute))
    app.state.storage = storage
    app.state.intake = intake
    app.state.frames = frames
    app.state.sights = new_sights()
    app.state.readiness = Readiness(database, storage, bell)
    app.state.registry = registry
    app.state.metrics = metrics
    app.state.streams = Counter()
    app.state.scrapes = CapacityLimiter(1)
    app.add_middleware(BodyLimit, max_bytes=settings.max_json_bytes)
    app.add_middleware(TusManners, path=f"{PREFIX}/uploads")
    errors.install(app)
    # Routes are looked through in turn: what pages ask for all the time comes first.
    asked_often = (videos, labels, tracks, jobs, runs)
    others = (keys, sessions, labs, audit, projects, uploads, exports, trainings, checkpoints, estimates, trash)
    for router in asked_often + others:
        app.include_router(router, prefix=PREFIX, responses=problem_responses(400, 401, 403, 404, 422, 429))
    paged = serving.install(app, page)
    for router in (home.router, health.router, scraping.router):
        app.include_router(router)
    # Outside of what Starlette puts around everything else: the answer to a mistake of ours is logged and has these
    # headers too.
    policies = page_policies(app, home.page())
    if paged:
        policies["/"] = serving.POLICY
    answering = AnswerHeaders(cors.allow(app.build_middleware_stack(), settings), PREFIX, policies)
    app.middleware_stack = RequestLog(answering, PREFIX, metrics)
    return app


async def _keep_cleared(leftovers: Leftovers, frames: Frames) -> None:
    """Clear away what this machine keeps of what was erased, now and then, for ever."""
    while True:
        await anyio.sleep(SECONDS)
        try:
            if await run_in_threadpool(leftovers.clear):
                await run_in_threadpool(frames.close_videos)
        except (SQLAlchemyError, OSError):
            log.warning("what was erased could not be cleared away here this time", exc_info=True)
