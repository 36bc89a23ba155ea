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
from cachetools import FIFOCache
from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from fastapi_offline import FastAPIOffline
from sqlalchemy.exc import SQLAlchemyError

from app import cors, health, home, origin, problems, scraping
from app.apart import Apart
from app.audit.downloads import REMEMBERED_RANGES
from app.audit.router import router as audit
from app.bodies import USUAL_BYTES, Bodies, Room
from app.checkpoints.router import router as checkpoints
from app.database import connect
from app.dependencies import RequestLimits, caller_of
from app.errors import problem_responses
from app.estimates.router import router as estimates
from app.exports.router import router as exports
from app.faces import Faces
from app.file_cache import FileCache
from app.health import Readiness
from app.idempotency import keep_forgetting
from app.jobs.backlog import BacklogCollector
from app.jobs.following import Followers
from app.jobs.notifier import Notifier
from app.jobs.router import router as jobs
from app.keys.router import router as keys
from app.keys.usage import Usage
from app.labels.poses_router import router as poses
from app.labels.router import router as labels
from app.labs.arrivals import Arrivals
from app.labs.router import router as labs
from app.metrics import ApiMetrics, StorageMetrics, new_registry, shared_by_processes
from app.observed_storage import ObservedStorage
from app.pace import Pace, Paced
from app.page import serving
from app.presence import Presence, Present
from app.projects.router import router as projects
from app.rate_limit import RateLimit
from app.request_log import RequestLog
from app.reviews.counting import Counting
from app.reviews.curves_router import router as curves
from app.reviews.queue_router import router as queues
from app.reviews.router import router as reviews
from app.reviews.timeline_router import router as timelines
from app.runs.router import router as runs
from app.security_headers import SecurityHeaders, page_policies
from app.sessions.router import router as sessions
from app.settings import Settings
from app.storage import open_storage
from app.tracks.router import router as tracks
from app.trainings.router import router as trainings
from app.trash.leftovers import SECONDS, Leftovers
from app.trash.router import router as trash
from app.turns import Turns
from app.uploads.expiry import keep_swept
from app.uploads.parts import Parts
from app.uploads.receive import UploadServices
from app.uploads.router import router as uploads
from app.uploads.tus_headers import TusHeaders
from app.version import VERSION
from app.videos.access_cache import new_access_cache
from app.videos.frames import Frames
from app.videos.router import router as videos

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
    notifier = Notifier(settings.broker_url) if settings.broker_url else None
    if notifier is not None:
        notifier.attach(database)
    registry = new_registry(settings)
    registry.register(BacklogCollector(database))
    counting = shared_by_processes(registry)
    metrics = ApiMetrics.on(counting)
    storage = open_storage(settings, partial(ObservedStorage, StorageMetrics.on(counting)))
    turns = Turns.of(database)
    upload_services = UploadServices(settings, database, storage, turns, Parts(settings.uploads_dir))
    cache = FileCache(settings.frames_dir, settings.frame_cache_bytes)
    makers = max(1, (os.cpu_count() or 1) // settings.processes)
    memory_bytes = 2 * settings.ingest_memory_bytes  # it has several videos open
    frames = Frames(storage, cache, open_videos=settings.open_videos, makers=makers, memory_bytes=memory_bytes)
    usage = Usage()
    followers = Followers(database)
    presence, faces = Presence(settings.max_connections // 2), Faces()
    leftovers = Leftovers(database, storage, cache)
    apart = Apart(settings)
    shares = Counting(database, storage, turns, apart)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with create_task_group() as tasks:
            tasks.start_soon(usage.keep_writing, database, turns.writing)
            tasks.start_soon(keep_swept, upload_services)
            tasks.start_soon(keep_forgetting, database, turns.writing)
            tasks.start_soon(followers.keep_looking)
            tasks.start_soon(shares.keep_counting)
            tasks.start_soon(_keep_cleared, leftovers, frames)
            yield
            log.info("the service ends")
            tasks.cancel_scope.cancel()
        usage.write(database)
        frames.close()
        database.dispose()
        if notifier is not None:
            notifier.close()

    # Serves the documentation page from this machine: labs are behind firewalls.
    app = FastAPIOffline(
        title="Posetween",
        version=VERSION,
        summary="Label a few frames of a video; get a pose on every frame.",
        openapi_url=f"{PREFIX}/openapi.json",
        # Whose name such a redirect would carry is the client's to say.
        redirect_slashes=False,
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.database = database
    app.state.turns = turns
    app.state.apart = apart
    app.state.request_limits = RequestLimits(usage, RateLimit(settings.requests_per_minute), presence, faces)
    app.state.storage = storage
    app.state.upload_services = upload_services
    app.state.frames = frames
    app.state.access_cache = new_access_cache()
    app.state.readiness = Readiness(database, storage, notifier, turns, settings.scratch_dir)
    app.state.registry = registry
    app.state.metrics = metrics
    app.state.streams = Counter()
    app.state.followers = followers
    app.state.ranges = FIFOCache(REMEMBERED_RANGES)
    app.state.arrivals = Arrivals()
    app.state.counting = shares
    app.state.scrapes = CapacityLimiter(1)
    room = Room(settings.max_buffered_bytes, max(settings.max_buffered_bytes // 2, settings.max_json_bytes))
    app.add_middleware(
        Bodies,
        caller=caller_of,
        usual=min(USUAL_BYTES, settings.max_json_bytes),
        silence=settings.body_silence_seconds,
        room=room,
    )
    app.add_middleware(Present, presence=presence)
    app.add_middleware(Paced, pace=Pace(settings.paced_requests_per_second), faces=faces)
    app.add_middleware(TusHeaders, path=f"{PREFIX}/uploads")
    problems.install(app)
    # Routes are looked through in turn: what pages ask for all the time comes first.
    asked_often = (videos, poses, labels, tracks, jobs, runs, reviews, queues, timelines, curves)
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
    answering = SecurityHeaders(cors.allow(app.build_middleware_stack(), settings), PREFIX, policies)
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
