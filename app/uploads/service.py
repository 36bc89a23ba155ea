"""The rows of uploads: how they begin, what becomes of them, and when they are forgotten."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.errors import NotFound, TooLarge, invalid
from app.keys.service import Caller
from app.labs import quotas
from app.settings import Settings
from app.storage import Storage, Stored
from app.tables import Project, Upload
from app.uploads.protocol import Described, Gone
from app.videos import service as videos

OPEN, FINISHED, REFUSED, TERMINATED, EXPIRED = "open", "finished", "refused", "terminated", "expired"

_ID = re.compile(r"[0-9a-f]{32}")

#: Written down anew only when this share of the time is gone, so that not every piece costs a write.
_STALE = 0.02
_REMEMBERED = timedelta(days=30)


def create(session: Session, settings: Settings, caller: Caller, described: Described, length: int | None) -> Upload:
    """Begin an upload.

    Raises:
        NoSpace: The lab would keep more than it may.
        TooMany: The lab has as many open as it may.
    """
    quotas.check_storage(session, settings, caller.lab_id, length or 0)
    quotas.check_uploads(session, settings, caller.lab_id)
    upload = Upload(
        # Random, and so never used twice: a client may come back long after its upload is forgotten.
        id=uuid.uuid4().hex,
        lab_id=caller.lab_id,
        project_id=described.project_id,
        key_id=caller.key_id,
        session_id=caller.session_id,
        filename=described.filename,
        description=described.header,
        length=length,
        expires_at=datetime.now(UTC) + _lifetime(settings),
    )
    session.add(upload)
    session.flush()
    return upload


def find(session: Session, lab_id: int, upload_id: str) -> Upload:
    """A lab's upload that is open or finished.

    Raises:
        NotFound: There is none, or it is another lab's.
        Gone: It was refused or terminated, it expired, or the video that it became was deleted.
    """
    upload = session.get(Upload, upload_id) if _ID.fullmatch(upload_id) else None
    if upload is None or upload.lab_id != lab_id:
        raise NotFound(f"there is no upload {upload_id}")
    if upload.state not in (OPEN, FINISHED):
        raise Gone(upload.reason or f"this upload was {upload.state}")
    if upload.video_id is not None and not videos.is_there(session, upload.video_id):
        raise Gone("the video that this upload became was deleted")
    if upload.state == OPEN and upload.sha256 is None and upload.expires_at <= datetime.now(UTC):
        raise Gone(expired(upload))
    return upload


def renew(session: Session, settings: Settings, upload_id: str) -> datetime:
    """Let an upload wait for its full time again, since bytes came; gives when it expires."""
    upload = session.get_one(Upload, upload_id)
    upload.expires_at = datetime.now(UTC) + _lifetime(settings)
    return upload.expires_at


def wants_renewal(settings: Settings, upload: Upload) -> bool:
    """Return whether a noticeable part of its time is gone."""
    return upload.expires_at - datetime.now(UTC) < (1 - _STALE) * _lifetime(settings)


def set_length(session: Session, settings: Settings, upload_id: str, length: int, offset: int) -> None:
    """Write down how long an upload will be that did not say so when it began.

    Raises:
        Invalid: It has another length, or more bytes than that.
        TooLarge: It is too long.
        NoSpace: The lab would keep more than it may.
    """
    upload = session.get_one(Upload, upload_id, with_for_update=True)
    if upload.length not in (None, length):
        raise invalid("/upload-length", f"this upload has a length of {upload.length} bytes, for good", "header")
    if length < max(1, offset):
        raise invalid("/upload-length", f"{offset} bytes of this upload are there already", "header")
    check_size(settings, length)
    if upload.length is None:
        quotas.check_storage(session, settings, upload.lab_id, length)
        upload.length = length


def check_size(settings: Settings, length: int) -> None:
    """Refuse what is too long.

    Raises:
        TooLarge: It is.
    """
    if length > settings.max_upload_bytes:
        raise TooLarge(f"a video may have {settings.max_upload_bytes} bytes")


def mark_whole(session: Session, upload_id: str, sha256: str) -> None:
    """Write down the digest of all bytes, before they leave scratch: after a crash they are found by it."""
    session.get_one(Upload, upload_id, with_for_update=True).sha256 = sha256


def become_video(session: Session, settings: Settings, storage: Storage, upload_id: str, stored: Stored) -> Upload:
    """Make the stored bytes of an upload a video, once.

    Raises:
        Gone: The upload ended meanwhile.
        NoSpace: The lab would keep more than it may.
    """
    upload = session.get_one(Upload, upload_id, with_for_update=True)
    if upload.state == FINISHED:
        return upload
    if upload.state != OPEN:
        raise Gone(upload.reason or f"this upload was {upload.state}")
    project = session.get_one(Project, upload.project_id)
    if project.deleted_at is not None:
        raise Gone("the project that this upload was for was deleted")
    # First, so that its bytes do not count as promised and as stored.
    upload.state = FINISHED
    video, new = videos.add(session, settings, storage, project, upload.filename, stored)
    upload.video_id = video.id
    if new:
        audit.record(session, upload, "video.upload", video=video, filename=upload.filename, sha256=stored.sha256)
    return upload


def end(session: Session, upload_id: str, state: str, reason: str, caller: Caller | None = None) -> None:
    """End an upload that is open without a video; where a caller wants it, the audit trail says so."""
    upload = session.get_one(Upload, upload_id, with_for_update=True)
    if upload.state != OPEN:
        return
    upload.state, upload.reason = state, reason
    if caller is not None:
        project = session.get_one(Project, upload.project_id)
        audit.record(session, caller, "upload.cancel", project=project, upload=upload_id, filename=upload.filename)


def expired(upload: Upload) -> str:
    """The sentence for a client that comes too late."""
    return f"this upload expired at {upload.expires_at:%Y-%m-%d %H:%M} UTC; begin again"


def all_open(session: Session) -> Sequence[str]:
    """Ids of the uploads that are neither finished nor ended."""
    return session.scalars(select(Upload.id).where(Upload.state == OPEN)).all()


def ended(session: Session, upload_ids: Iterable[str]) -> list[str]:
    """Those of some uploads that have ended without a video."""
    over = Upload.state.not_in((OPEN, FINISHED))
    return list(session.scalars(select(Upload.id).where(Upload.id.in_(list(upload_ids)), over)))


def forget(session: Session) -> None:
    """Remove the rows of uploads that ended long ago."""
    session.execute(delete(Upload).where(Upload.state != OPEN, Upload.expires_at < datetime.now(UTC) - _REMEMBERED))


def _lifetime(settings: Settings) -> timedelta:
    return timedelta(hours=settings.upload_expiry_hours)
