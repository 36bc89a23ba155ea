"""From bytes that arrive to a video: the steps of an upload."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from anyio.to_thread import run_sync
from fastapi import Request
from fastapi.concurrency import run_in_threadpool

from app import blobs, disk
from app.database import Database
from app.errors import Conflict, NoSpace, TooLarge, invalid
from app.incoming import Incoming
from app.keys.service import Caller
from app.labs import quotas
from app.labs.arrivals import within
from app.labs.quotas import OverQuota
from app.sessions import service as sessions
from app.settings import Settings
from app.storage import Storage, Stored
from app.tables import Upload
from app.turns import Turns
from app.uploads import service
from app.uploads.parts import PartFile, PartMissing, Parts, PartTaken
from app.uploads.protocol import Checksum, ChecksumMismatch, Gone, Locked
from app.videos.probe import probe
from app.videos.upload import watched

#: A request waits so long for the one before it, whose connection may be gone without the server knowing yet.
PATIENCE_SECONDS = 1.0

_LOCKED = "another request is writing to this upload; ask for its offset and try again"


Answer = TypeVar("Answer")


@dataclass(frozen=True)
class UploadServices:
    """The parts of the service that taking in uploads needs."""

    settings: Settings
    database: Database
    storage: Storage
    turns: Turns
    parts: Parts


@asynccontextmanager
async def hold(services: UploadServices, upload: Upload) -> AsyncIterator[PartFile]:
    """The part of an upload, for one request at a time.

    Raises:
        Locked: Another request has it.
        Conflict: The one before this brought the last bytes.
        Gone: It is not there.
    """
    try:
        async with services.parts.hold(upload.id, PATIENCE_SECONDS) as part:
            yield part
    except PartTaken as error:
        raise Locked(_LOCKED) from error
    except PartMissing:
        whole = await recover(services, upload)
        raise Conflict("all bytes of this upload are here", offset=whole.length) from None


def check_room(services: UploadServices, length: int) -> None:
    """Refuse an upload for which the disk has no room.

    Raises:
        NoSpace: It has not.
    """
    free = disk.room(services.parts.folder)
    if length > free:
        raise NoSpace(f"the server has room for {free} bytes besides its reserve, the upload has {length}")


async def standing(services: UploadServices, upload: Upload) -> tuple[Upload, int]:
    """An upload as it is, and how many of its bytes are safely here.

    One that a crash left whole becomes a video now: clients take an upload whose bytes are all there for finished.

    Raises:
        Locked: Another request is about to make it a video.
        Invalid: It is no video; the upload has ended.
        Gone: It is not there.
    """
    if upload.state == service.FINISHED:
        return upload, upload.length or 0
    try:
        offset = await run_in_threadpool(services.parts.offset, upload.id)
        if offset != upload.length:
            return upload, offset
        async with services.parts.hold(upload.id, PATIENCE_SECONDS) as part:
            return await finish(services, upload, part), offset
    except PartTaken as error:
        raise Locked(_LOCKED) from error
    except PartMissing:
        whole = await recover(services, upload)
        return whole, whole.length or 0


async def receive(
    services: UploadServices,
    request: Request,
    part: PartFile,
    *,
    length: int | None,
    checksum: Checksum | None,
    caller: Caller,
) -> None:
    """Append the body of a request; what arrived before a connection breaks off stays, unless a checksum was promised.

    Raises:
        TooLarge: The body goes beyond the end; nothing of it is kept.
        ChecksumMismatch: Other bytes arrived; nothing of them is kept.
        NoSpace: The disk or the lab is full; what there was room for is kept.
        Silence: No bytes came for too long.
        Unauthorized: The caller's key or session ended meanwhile.
    """
    room = (length if length is not None else services.settings.max_upload_bytes) - part.size
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > room:
        raise _beyond(room)
    confirm = partial(services.turns.glancing.run, partial(_confirm, services, caller), caller.lab_id)
    body = watched(request.stream(), services.settings.upload_silence_seconds, confirm)
    if length is None and services.settings.max_lab_bytes:
        ask = partial(services.turns.glancing.run, partial(_room, services, caller.lab_id), caller.lab_id)
        body = within(body, ask)
    if checksum is None:
        before = part.mark()
        try:
            await _write(body, part, room)
        except TooLarge:
            part.cut(before)
            raise
    else:
        hashed = hashlib.new(checksum.algorithm)
        with part.aside() as aside:
            await _write(body, aside, room, hashed)
            if hashed.digest() != checksum.digest:
                raise ChecksumMismatch("the bytes that arrived have another checksum; send them again")
            await run_in_threadpool(part.append, aside)
    await run_in_threadpool(part.sync)


async def finish(services: UploadServices, upload: Upload, part: PartFile) -> Upload:
    """Make an upload whose bytes are all there a video; doing it again gives the same video.

    Raises:
        Invalid: It is no video; the upload has ended.
        OverQuota: The lab would keep more than it may; the upload has ended.
        NoSpace: There is no room for it in storage or in the database; it can be tried again.
    """
    sha256 = upload.sha256 or await _judge(services, upload, part)
    store = partial(_slowly, services, services.storage.adopt, part.path, sha256)
    async with services.turns.recording(upload.lab_id, store):
        return await run_in_threadpool(_become_video, services, upload, sha256)


async def recover(services: UploadServices, upload: Upload) -> Upload:
    """An upload that has no part here: it is a video, or a crash came after its bytes went into storage.

    Raises:
        Gone: Neither.
    """
    upload = await run_in_threadpool(_again, services, upload)
    if upload.state == service.FINISHED:
        return upload
    if upload.sha256 is None or not await run_in_threadpool(services.storage.has, upload.sha256):
        raise Gone("the bytes of this upload are not on this server any more; begin again")
    async with services.turns.writing.of(upload.lab_id):
        return await run_in_threadpool(_become_video, services, upload, upload.sha256)


async def end(services: UploadServices, upload: Upload, state: str, reason: str, caller: Caller | None = None) -> None:
    """End an upload without a video; nothing of its bytes stays.

    Args:
        services: Where uploads are.
        upload: Which one.
        state: What becomes of it.
        reason: What to tell who asks for it.
        caller: Who wants it, where somebody does.
    """
    async with services.turns.writing.of(upload.lab_id):
        await run_in_threadpool(_end, services, upload, state, reason, caller)


async def _slowly(services: UploadServices, work: Callable[..., Answer], *given: object) -> Answer:
    """Do what takes long in a thread that nobody needs who only asks the database."""
    return await run_sync(partial(work, *given), limiter=services.turns.slow)


async def _judge(services: UploadServices, upload: Upload, part: PartFile) -> str:
    """Digest of all bytes of an upload, written down; unless they are no video, which ends it."""
    settings = services.settings
    fault, sha256 = await asyncio.gather(
        _slowly(services, probe, part.path, settings.limits, settings.ingest_memory_bytes),
        _slowly(services, part.sha256),
    )
    if fault is not None:
        await end(services, upload, service.REFUSED, fault)
        raise invalid("", fault)
    async with services.turns.writing.of(upload.lab_id):
        await run_in_threadpool(_mark_whole, services, upload.id, sha256)
    return sha256


async def _write(body: AsyncIterator[bytes], target: Incoming, room: int, hashed: hashlib._Hash | None = None) -> None:
    end = target.size + room
    async for piece in body:
        if target.size + len(piece) > end:
            raise _beyond(room)
        target.write(piece)
        if hashed is not None:
            hashed.update(piece)


def _beyond(room: int) -> TooLarge:
    return TooLarge(f"the upload has room for {room} more bytes")


def _confirm(services: UploadServices, caller: Caller) -> None:
    with services.database.session(readonly=True) as session:
        sessions.confirm(session, caller)


def _room(services: UploadServices, lab_id: int) -> int:
    with services.database.session(readonly=True) as session:
        return quotas.room(session, services.settings, lab_id)


# Transactions of their own, in a thread: one that spans the request would hold the database while the bytes arrive.
def _mark_whole(services: UploadServices, upload_id: str, sha256: str) -> None:
    with services.database.session() as session:
        service.mark_whole(session, upload_id, sha256)


def _become_video(services: UploadServices, upload: Upload, sha256: str) -> Upload:
    assert upload.length is not None
    stored = Stored(sha256, upload.length)
    try:
        with services.database.session() as session:
            made = service.become_video(session, services.settings, services.storage, upload.id, stored)
    except OverQuota as error:
        # Kept for another try it would take the room that the lab may not have, for as long as it likes.
        upload.sha256 = sha256
        _end(services, upload, service.REFUSED, error.detail)
        raise
    services.parts.remove(upload.id)
    return made


def _again(services: UploadServices, upload: Upload) -> Upload:
    with services.database.session(readonly=True) as session:
        return service.find(session, upload.lab_id, upload.id)


def _end(services: UploadServices, upload: Upload, state: str, reason: str, caller: Caller | None = None) -> None:
    # First, so that there is room for the row where the disk is full of these very bytes. What a failure leaves is an
    # upload that begins anew, or that the next sweep ends.
    services.parts.empty(upload.id)
    with services.database.session() as session:
        service.end(session, upload.id, state, reason, caller)
    services.parts.remove(upload.id)
    if upload.sha256 is not None:
        blobs.drop_unused(services.database, services.storage, upload.sha256)
