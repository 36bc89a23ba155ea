"""Removal of uploads whose clients do not come back."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from fastapi.concurrency import run_in_threadpool

from app.errors import ServiceError
from app.tables import Upload
from app.uploads import service
from app.uploads.parts import PartMissing, PartTaken
from app.uploads.protocol import Gone
from app.uploads.receive import UploadServices, end, finish, recover

log = logging.getLogger(__name__)

_ORPHANED_SECONDS = 3600
_SWEEP_SECONDS = 600


async def keep_swept(services: UploadServices) -> None:
    """Sweep now and then, for ever."""
    while True:
        try:
            await sweep(services)
        except Exception:
            # A full disk, a database that does not answer, a storage that is away: the next round may do better.
            log.exception("uploads could not be swept")
        await asyncio.sleep(min(_SWEEP_SECONDS, services.settings.upload_expiry_hours * 3600 / 4))


async def sweep(services: UploadServices) -> None:
    """End uploads that expired, finish those that a crash left whole, and forget what ended."""
    idle = await run_in_threadpool(services.parts.idle, _ORPHANED_SECONDS)
    begun = await run_in_threadpool(_all_open, services)
    for upload_id in begun:
        try:
            await _settle(services, upload_id)
        except ServiceError as error:
            log.info("upload %s: %s", upload_id, error.detail)
    for upload_id in idle - begun:
        services.parts.remove(upload_id)
    await run_in_threadpool(_remove_ended, services)
    async with services.turns.writing.of(None):
        await run_in_threadpool(_forget, services)


async def _settle(services: UploadServices, upload_id: str) -> None:
    try:
        async with services.parts.hold(upload_id, patience=0) as part:
            upload = await run_in_threadpool(_look, services, upload_id)
            if part.size == upload.length:
                await finish(services, upload, part)
            elif _late(upload):
                await end(services, upload, service.EXPIRED, service.expired(upload))
    except PartTaken:
        return
    except PartMissing:
        upload = await run_in_threadpool(_look, services, upload_id)
        # Its bytes may be on another machine: before it expires it is not ours to judge.
        if upload.state == service.OPEN and _late(upload):
            try:
                await recover(services, upload)
            except Gone:
                await end(services, upload, service.EXPIRED, service.expired(upload))


def _late(upload: Upload) -> bool:
    return upload.expires_at <= datetime.now(UTC)


def _look(services: UploadServices, upload_id: str) -> Upload:
    with services.database.session(readonly=True) as session:
        return session.get_one(Upload, upload_id)


def _all_open(services: UploadServices) -> set[str]:
    with services.database.session(readonly=True) as session:
        return set(service.all_open(session))


def _remove_ended(services: UploadServices) -> None:
    """Remove what is left of uploads that somebody else ended: they were for something that was deleted."""
    with services.database.session(readonly=True) as session:
        ended = service.ended(session, services.parts.there())
    services.parts.remove_idle(ended)


def _forget(services: UploadServices) -> None:
    with services.database.session() as session:
        service.forget(session)
