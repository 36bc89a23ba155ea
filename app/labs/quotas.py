"""How much a lab may have, and how much it has."""

from __future__ import annotations

from typing import Any

from sqlalchemy import CompoundSelect, func, select, union
from sqlalchemy.orm import Session

from app.errors import NoSpace, TooMany
from app.jobs import states
from app.settings import QUEUES, Settings
from app.tables import Blob, Checkpoint, CheckpointFile, Export, Job, Lab, Project, Run, RunSlab, Upload, Video

_OURS = ("ingest", "pack")  # as in app.videos.service and app.runs.packing; nobody asks for these
_RETRY_SECONDS = 60


class OverQuota(NoSpace):
    """The lab has no room, however much there is on the disk."""


def stored_bytes(session: Session, lab_id: int) -> int:
    """Bytes of the lab's videos, proxies, packed runs, exports and checkpoints, each file once however often used."""
    projects = select(Project.id).where(Project.lab_id == lab_id)
    files: CompoundSelect[Any] = union(
        select(Video.sha256).where(Video.project_id.in_(projects)),
        select(Video.proxy_sha256).where(Video.project_id.in_(projects)),
        select(RunSlab.sha256).join(Run).join(Video).where(Video.project_id.in_(projects)),
        select(Export.sha256).where(Export.project_id.in_(projects)),
        select(Checkpoint.weights_sha256).where(Checkpoint.project_id.in_(projects)),
        select(CheckpointFile.sha256).join(Checkpoint).where(Checkpoint.project_id.in_(projects)),
    )
    total = select(func.coalesce(func.sum(Blob.size), 0)).where(Blob.sha256.in_(files))
    return int(session.execute(total).scalar_one())


def promised_bytes(session: Session, lab_id: int) -> int:
    """Bytes that uploads which have begun will bring, as far as they said."""
    promised = select(func.coalesce(func.sum(Upload.length), 0)).where(Upload.lab_id == lab_id, Upload.state == "open")
    return int(session.execute(promised).scalar_one() or 0)


def queued_jobs(session: Session, lab_id: int) -> int:
    """Propagations, estimates, trainings and exports of the lab that wait for a worker."""
    # Naming the queues leads into an index that would otherwise be read for all jobs the lab ever had.
    mine = Job.lab_id == lab_id, Job.queue.in_(QUEUES), Job.state == states.QUEUED
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
    # Two uploads to two projects must not each find room for itself alone. Rows that refer to the lab may be written
    # meanwhile: by those that have done so and wait for this lock.
    session.get_one(Lab, lab_id, with_for_update=None if _readonly(session) else {"key_share": True})
    present = stored_bytes(session, lab_id) + promised_bytes(session, lab_id)
    if present + more > limit:
        raise OverQuota(
            f"this lab may keep {limit} bytes, and with this it would keep {present + more};"
            " whoever runs this installation can allow it more"
        )


def check_queue(session: Session, settings: Settings, lab_id: int) -> None:
    """Refuse another job while a lab has as many waiting as it may. Ingest does not count: videos count in bytes.

    Raises:
        TooMany: It has.
    """
    limit = settings.max_queued_jobs
    if limit and queued_jobs(session, lab_id) >= limit:
        sentence = f"{limit} jobs of this lab are waiting, and it may not have more; send this again when some are done"
        raise TooMany(sentence, retry_after=_RETRY_SECONDS)


def _readonly(session: Session) -> bool:
    return bool(session.get_bind().get_execution_options().get("readonly", False))
