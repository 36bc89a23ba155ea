"""Quotas of labs, and what each lab has."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import CompoundSelect, func, select, union
from sqlalchemy.orm import Session

from app.errors import NoSpace, TooMany
from app.jobs import states
from app.jobs.ledger import HELD
from app.settings import QUEUES, Settings
from app.tables import (
    Blob,
    Checkpoint,
    CheckpointFile,
    Export,
    Job,
    Lab,
    Measurement,
    Project,
    Run,
    RunSlab,
    Upload,
    Video,
)

_OURS = ("ingest", "pack", "measure")  # as in app.videos.service and app.runs; nobody asks for these
_RETRY_SECONDS = 60

OPEN = "open"  # an upload that is not finished


class OverQuota(NoSpace):
    """The lab has no room, however much there is on the disk."""


def stored_bytes(session: Session, lab_id: int) -> int:
    """Bytes of the lab's videos, proxies, packed runs, measurements, exports and checkpoints, each file once."""
    projects = select(Project.id).where(Project.lab_id == lab_id)
    files: CompoundSelect[Any] = union(
        select(Video.sha256).where(Video.project_id.in_(projects)),
        select(Video.proxy_sha256).where(Video.project_id.in_(projects)),
        select(RunSlab.sha256).join(Run).join(Video).where(Video.project_id.in_(projects)),
        select(Measurement.sha256).join(Video).where(Video.project_id.in_(projects)),
        select(Export.sha256).where(Export.project_id.in_(projects)),
        select(Checkpoint.weights_sha256).where(Checkpoint.project_id.in_(projects)),
        select(CheckpointFile.sha256).join(Checkpoint).where(Checkpoint.project_id.in_(projects)),
    )
    total = select(func.coalesce(func.sum(Blob.size), 0)).where(Blob.sha256.in_(files))
    return int(session.execute(total).scalar_one())


def promised_bytes(session: Session, settings: Settings, lab_id: int) -> int:
    """Bytes that uploads which have begun will bring; of those that do not say how many, what has arrived here."""
    rows = session.execute(select(Upload.id, Upload.length).where(Upload.lab_id == lab_id, Upload.state == OPEN)).all()
    return sum(_arrived(settings.uploads_dir / upload_id) if length is None else length for upload_id, length in rows)


def queued_jobs(session: Session, lab_id: int) -> int:
    """Propagations, estimates, trainings and exports of the lab that wait for a worker or for one another."""
    # Naming the queues leads into an index that would otherwise be read for all jobs the lab ever had.
    mine = Job.lab_id == lab_id, Job.queue.in_((*QUEUES, HELD)), Job.state == states.QUEUED
    return session.execute(select(func.count()).where(*mine, Job.kind.not_in(_OURS))).scalar_one()


def check_storage(session: Session, settings: Settings, lab_id: int, more: int = 0) -> None:
    """Refuse what a lab has no room for.

    Args:
        session: The transaction; one that writes has already written what is to be checked, and is rolled back.
        settings: How much a lab may have.
        lab_id: Which lab.
        more: Bytes that are about to come.

    Raises:
        OverQuota: The lab would have more than it may, with what its uploads will bring.
    """
    limit = settings.max_lab_bytes
    if not limit:
        return
    # Two uploads to two projects must not each find room for itself alone.
    _lock(session, lab_id)
    present = stored_bytes(session, lab_id) + promised_bytes(session, settings, lab_id)
    if present + more > limit:
        raise OverQuota(over(limit, present + more))


def check_made(session: Session, settings: Settings, lab_id: int) -> None:
    """Refuse what was made for a lab, is on record by now, and has no room; what uploads will bring does not count.

    Raises:
        OverQuota: It has none.
    """
    limit = settings.max_lab_bytes
    if limit:
        _lock(session, lab_id)
        if (present := stored_bytes(session, lab_id)) > limit:
            raise OverQuota(over(limit, present))


def room(session: Session, settings: Settings, lab_id: int) -> int:
    """Bytes that a lab has room for besides what uploads will bring, where it may not have any number."""
    return settings.max_lab_bytes - stored_bytes(session, lab_id) - promised_bytes(session, settings, lab_id)


def over(limit: int, bytes_: int | None = None) -> str:
    """The sentence for a lab that has no room."""
    much = "more" if bytes_ is None else str(bytes_)
    return (
        f"this lab may keep {limit} bytes, and with this it would keep {much};"
        " whoever runs this installation can allow it more"
    )


def check_uploads(session: Session, settings: Settings, lab_id: int) -> None:
    """Refuse another upload while a lab has as many open as it may: each keeps its bytes until it expires.

    Raises:
        TooMany: It has.
    """
    limit = settings.max_open_uploads
    if not limit:
        return
    _lock(session, lab_id)
    mine = Upload.lab_id == lab_id, Upload.state == OPEN
    if session.execute(select(func.count()).where(*mine)).scalar_one() >= limit:
        sentence = f"{limit} uploads of this lab are open, and it may not have more; finish or terminate some"
        raise TooMany(sentence, retry_after=_RETRY_SECONDS)


def check_queue(session: Session, settings: Settings, lab_id: int) -> None:
    """Refuse another job while a lab has as many waiting as it may. Ingest does not count: videos count in bytes.

    Raises:
        TooMany: It has.
    """
    limit = settings.max_queued_jobs
    if limit and queued_jobs(session, lab_id) >= limit:
        sentence = f"{limit} jobs of this lab are waiting, and it may not have more; send this again when some are done"
        raise TooMany(sentence, retry_after=_RETRY_SECONDS)


def _lock(session: Session, lab_id: int) -> None:
    """Let others of the lab who ask how much it has wait until this transaction ends, where it is one that writes.

    Rows that refer to the lab may be written meanwhile: by those that have done so and wait for this lock.
    """
    session.get_one(Lab, lab_id, with_for_update=None if _readonly(session) else {"key_share": True})


def _arrived(part: Path) -> int:
    """Bytes of an upload that are on this machine."""
    size = 0
    for path in (part, part.with_suffix(".aside")):
        with suppress(FileNotFoundError):
            size += path.stat().st_size
    return size


def _readonly(session: Session) -> bool:
    return bool(session.get_bind().get_execution_options().get("readonly", False))
