"""What was made from a video: exports that hold it, estimators that learnt from it, poses that those saw elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.tables import Checkpoint, Export, ExportVideo, Job, Project, Run, Video
from app.trash import visible
from app.trash.schemas import Rests, RestsOnDeleted


@dataclass(frozen=True)
class _Learnt:
    """What a checkpoint was made from directly.

    Attributes:
        project: Whose it is.
        videos: That it learnt from or was measured on.
        checkpoints: That it goes on from, or that saw poses which it learnt from.
    """

    project: int
    videos: frozenset[int]
    checkpoints: frozenset[int]


def of_videos(session: Session, lab_id: int, videos: Collection[int], without: int | None = None) -> Rests:
    """What was made from some videos of a lab.

    Args:
        session: The transaction.
        lab_id: The lab.
        videos: The videos.
        without: A project that goes with them: what is in it is not named.
    """
    known = _checkpoints(session, lab_id)
    resting = {number for number, one in known.items() if one.videos & {*videos}}
    if without is not None:
        resting |= {number for number, one in known.items() if one.project == without}
    while more := {number for number, one in known.items() if one.checkpoints & resting} - resting:
        resting |= more
    exports = select(ExportVideo.export_id).where(ExportVideo.video_id.in_(videos)).distinct()
    estimated = (
        select(Run.id)
        .join(Job, Job.id == Run.job_id)
        .where(Job.lab_id == lab_id, Job.params["checkpoint_id"].as_integer().in_(resting))
        .where(Run.video_id.not_in(videos))
    )
    if without is not None:
        exports = exports.join(Export, Export.id == ExportVideo.export_id).where(Export.project_id != without)
    return Rests(
        exports=sorted(session.scalars(exports)),
        checkpoints=sorted(number for number in resting if known[number].project != without),
        runs=sorted(session.scalars(estimated)),
    )


def deleted_under(session: Session, checkpoint: Checkpoint) -> RestsOnDeleted | None:
    """What a checkpoint was made from, directly or through others, that was deleted; None where all of it is there."""
    videos: set[int] = set()
    gone: set[int] = set()
    seen: set[int] = set()
    ahead = [checkpoint]
    while ahead:
        one = ahead.pop()
        seen.add(one.id)
        learnt = _learnt(one, _estimators(session, one))
        videos |= learnt.videos
        for number in learnt.checkpoints - seen - gone:
            found = session.get(Checkpoint, number)
            if found is None:
                gone.add(number)
            else:
                ahead.append(found)
    there = set(session.scalars(select(Video.id).join(Project).where(Video.id.in_(videos), visible.VIDEO)))
    if not gone and there == videos:
        return None
    return RestsOnDeleted(videos=sorted(videos - there), checkpoints=sorted(gone))


def deleted_under_run(session: Session, job: Job) -> RestsOnDeleted | None:
    """What the estimator of a run was made from that was deleted; None where it has none, or all of it is there."""
    number = job.params.get("checkpoint_id")
    if number is None:
        return None
    checkpoint = session.get(Checkpoint, number)
    return RestsOnDeleted(checkpoints=[number]) if checkpoint is None else deleted_under(session, checkpoint)


def _checkpoints(session: Session, lab_id: int) -> Mapping[int, _Learnt]:
    rows = session.scalars(select(Checkpoint).join(Project).where(Project.lab_id == lab_id))
    return {one.id: _learnt(one, _estimators(session, one)) for one in rows}


def _learnt(checkpoint: Checkpoint, estimators: Collection[int]) -> _Learnt:
    parent = (checkpoint.pedigree.get("parent") or {}).get("id", checkpoint.parent_id)
    return _Learnt(
        project=checkpoint.project_id,
        videos=frozenset(part["id"] for part in checkpoint.pedigree["videos"]),
        checkpoints=frozenset({*estimators, *([parent] if parent is not None else [])}),
    )


def _estimators(session: Session, checkpoint: Checkpoint) -> set[int]:
    """The checkpoints whose estimates a checkpoint may have learnt from."""
    runs = [number for part in checkpoint.pedigree["videos"] for number in part.get("runs", [])]
    query = select(Job.params["checkpoint_id"].as_integer()).join(Run, Run.job_id == Job.id).where(Run.id.in_(runs))
    return {number for number in session.scalars(query) if number is not None}
