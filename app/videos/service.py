"""Videos: what was uploaded, what ingest found out about it, and its frames."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app import blobs
from app.errors import Conflict, FieldProblem, NotFound
from app.jobs import lanes, ledger, states
from app.labs import quotas
from app.settings import Settings
from app.storage import Storage, Stored
from app.tables import Job, Project, Video
from app.trash import visible
from app.videos import shares
from app.videos.schemas import ShareOut, VideoOut

INGEST = "ingest"
READABLE = ("ready", "degraded")


def add(
    session: Session, settings: Settings, storage: Storage, project: Project, filename: str, stored: Stored
) -> tuple[Video, bool]:
    """Make a video of a stored file and queue its ingest.

    Returns:
        The video and whether it is new: the same bytes in the same project are the video that is there, unless it was
        deleted, and one that could not be read is tried again.

    Raises:
        NoSpace: The lab would keep more than it may.
    """
    # Locks the project, so that the same bytes sent twice at a time become one video; rows may refer to it meanwhile.
    session.refresh(project, with_for_update={"key_share": True})
    known = session.scalars(
        select(Video).where(Video.project_id == project.id, Video.sha256 == stored.sha256, Video.deleted_at.is_(None))
    ).one_or_none()
    if known is not None:
        if known.status == "rejected" or is_given_up(session, known):
            ingest_again(session, settings, project, known)
        return known, False
    blobs.record(session, storage, stored)
    video = Video(
        project_id=project.id,
        filename=filename,
        slug=_free_slug(session, project, filename),
        sha256=stored.sha256,
        size=stored.size,
        status="ingesting",
    )
    session.add(video)
    session.flush()
    quotas.check_storage(session, settings, project.lab_id)
    _queue_ingest(session, settings, project, video)
    return video, True


def is_given_up(session: Session, video: Video) -> bool:
    """Return whether nobody reads a video that is to be ingested, or is asked not to."""
    if video.status != "ingesting":
        return False
    job = _ingest_jobs(session, [video])[video.id]
    return _given_up(job) or job.cancel_requested


def ingest_again(session: Session, settings: Settings, project: Project, video: Video) -> None:
    """Queue the ingest of a video once more."""
    video.status, video.reason = "ingesting", None
    _queue_ingest(session, settings, project, video)


def show(session: Session, video: Video) -> VideoOut:
    """A video as the API shows it."""
    (shown,) = show_all(session, [video])
    return shown


def show_all(session: Session, videos: Sequence[Video]) -> list[VideoOut]:
    """Videos as the API shows them, with a few questions for what became of reading them and how much is done."""
    jobs = _ingest_jobs(session, videos)
    counted = shares.known(session, [video.id for video in videos])
    return [_show(video, jobs[video.id], counted.get(video.id)) for video in videos]


def _show(video: Video, job: Job, share: ShareOut | None) -> VideoOut:
    own = VideoOut.model_fields.keys() - {"ingest_job_id", "share"}
    fields = {name: getattr(video, name) for name in own}
    fields["damaged"] = video.damaged or []
    if video.status == "ingesting" and _given_up(job):
        fields |= {"status": "rejected", "reason": f"{job.error or 'reading it was cancelled'}; upload it again"}
    return VideoOut(**fields, ingest_job_id=job.id, share=share)


def is_there(session: Session, video_id: int) -> bool:
    """Return whether there is such a video, and neither it nor its project was deleted."""
    return session.scalar(select(Video.id).join(Project).where(Video.id == video_id, visible.VIDEO)) is not None


def readable(video: Video) -> Video:
    """The video, when its frames can be read.

    Raises:
        Conflict: It is still being ingested, or was rejected.
    """
    if video.status == "ingesting":
        raise Conflict("the video is still being ingested; follow its ingest job")
    if video.status not in READABLE:
        raise Conflict(f"the video was rejected: {video.reason}")
    return video


def check_frame(num_frames: int, index: int) -> None:
    """Refuse a frame that a video does not have.

    Raises:
        NotFound: There is no such frame.
    """
    if index >= num_frames:
        detail = f"there is no frame {index}: the video has the frames 0 to {num_frames - 1}"
        raise NotFound(detail, [FieldProblem(pointer="/index", detail=detail, location="path")])


def _queue_ingest(session: Session, settings: Settings, project: Project, video: Video) -> None:
    queue = lanes.of_ingest(video.size)
    ledger.enqueue(session, project, INGEST, {}, queue=queue, video_id=video.id, max_attempts=settings.max_attempts)


def _ingest_jobs(session: Session, videos: Sequence[Video]) -> dict[int, Job]:
    """The last ingest of each video."""
    mine = Job.video_id.in_([video.id for video in videos]), Job.kind == INGEST
    last = select(func.max(Job.id)).where(*mine).group_by(Job.video_id)
    return {job.video_id: job for job in session.scalars(select(Job).where(Job.id.in_(last))) if job.video_id}


def _given_up(job: Job) -> bool:
    return job.state in (states.FAILED, states.CANCELLED)


def _free_slug(session: Session, project: Project, filename: str) -> str:
    plain = unicodedata.normalize("NFKD", filename.rpartition(".")[0] or filename).encode("ascii", "ignore").decode()
    slug = re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")[:60] or "video"
    taken = set(session.scalars(select(Video.slug).where(Video.project_id == project.id, Video.slug.startswith(slug))))
    numbered = (f"{slug}-{number}" for number in range(2, len(taken) + 3))
    return next(name for name in (slug, *numbered) if name not in taken)
