"""The application: ``create_app(settings)`` puts the slices together. Importing this does nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

from anyio import Semaphore
from fastapi import APIRouter, FastAPI
from fastapi_offline import FastAPIOffline

from app import errors, home
from app.body_limit import BodyLimit
from app.database import connect
from app.dependencies import Turns
from app.errors import problem_responses
from app.exports.router import router as exports
from app.jobs.bell import Bell
from app.jobs.router import router as jobs
from app.keys.router import router as keys
from app.labels.router import router as labels
from app.projects.router import router as projects
from app.runs.router import router as runs
from app.settings import Settings
from app.storage import Storage
from app.tracks.router import router as tracks
from app.version import VERSION
from app.videos.frames import FrameReaders
from app.videos.router import router as videos

PREFIX = "/api/v1"


def create_app(settings: Settings) -> FastAPI:
    """Build the service.

    Raises:
        ValueError: The settings would serve everybody on the network without asking for a key.
    """
    if not settings.auth and not _loopback(settings.host):
        raise ValueError(f"refusing to serve on {settings.host} without authentication; bind 127.0.0.1 or turn auth on")
    database = connect(settings.database)
    bell = Bell(settings.broker_url) if settings.broker_url else None
    if bell is not None:
        bell.attach(database)
    storage = Storage(settings.storage, settings.scratch_dir)
    frame_readers = FrameReaders(storage, settings.open_videos)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        frame_readers.close()
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
    app.state.turns = Turns(reading=Semaphore(database.readers), writing=Semaphore(database.writers))
    app.state.storage = storage
    app.state.frame_readers = frame_readers
    app.add_middleware(BodyLimit, max_bytes=settings.max_json_bytes)
    errors.install(app)
    api = APIRouter(prefix=PREFIX, responses=problem_responses(400, 401, 403, 404, 422))
    for router in (keys, projects, videos, tracks, labels, runs, jobs, exports):
        api.include_router(router)
    app.include_router(api)
    app.include_router(home.router)
    return app


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
