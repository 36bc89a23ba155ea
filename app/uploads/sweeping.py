"""What becomes of uploads whose clients do not come back."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

from fastapi.concurrency import run_in_threadpool

from app.errors import ServiceError
from app.tables import Upload
from app.uploads import service
from app.uploads.intake import Intake, end, finish, recover
from app.uploads.parts import Missing, Taken
from app.uploads.protocol import Gone

log = logging.getLogger(__name__)

_ORPHANED_SECONDS = 3600
_SWEEP_SECONDS = 600


async def keep_swept(intake: Intake) -> None:
    """Sweep now and then, for ever."""
    while True:
        try:
            await sweep(intake)
        except Exception:
            # A full disk, a database that does not answer, a storage that is away: the next round may do better.
            log.exception("uploads could not be swept")
        await asyncio.sleep(min(_SWEEP_SECONDS, intake.settings.upload_expiry_hours * 3600 / 4))


async def sweep(intake: Intake) -> None:
    """End uploads that expired, finish those that a crash left whole, and forget what ended."""
    idle = await run_in_threadpool(intake.parts.idle, _ORPHANED_SECONDS)
    begun = await run_in_threadpool(_all_open, intake)
    for upload_id in begun:
        try:
            await _settle(intake, upload_id)
        except ServiceError as error:
            log.info("upload %s: %s", upload_id, error.detail)
    for upload_id in idle - begun:
        intake.parts.remove(upload_id)
    await run_in_threadpool(_remove_ended, intake)
    async with intake.turns.writing.of(None):
        await run_in_threadpool(_forget, intake)


async def _settle(intake: Intake, upload_id: str) -> None:
    try:
        async with intake.parts.hold(upload_id, patience=0) as part:
            upload = await run_in_threadpool(_look, intake, upload_id)
            if part.size == upload.length:
                await finish(intake, upload, part)
            elif _late(upload):
                await end(intake, upload, service.EXPIRED, service.expired(upload))
    except Taken:
        return
    except Missing:
        upload = await run_in_threadpool(_look, intake, upload_id)
        # Its bytes may be on another machine: before it expires it is not ours to judge.
        if upload.state == service.OPEN and _late(upload):
            try:
                await recover(intake, upload)
            except Gone:
                await end(intake, upload, service.EXPIRED, service.expired(upload))


def _late(upload: Upload) -> bool:
    return upload.expires_at <= datetime.now(UTC)


def _look(intake: Intake, upload_id: str) -> Upload:
    with intake.database.session(readonly=True) as session:
        return session.get_one(Upload, upload_id)


def _all_open(intake: Intake) -> set[str]:
    with intake.database.session(readonly=True) as session:
        return set(service.all_open(session))


def _remove_ended(intake: Intake) -> None:
    """Remove what is left of uploads that somebody else ended: they were for something that was deleted."""
    with intake.database.session(readonly=True) as session:
        ended = service.ended(session, intake.parts.there())
    intake.parts.remove_idle(ended)


def _forget(intake: Intake) -> None:
    with intake.database.session() as session:
        service.forget(session)
