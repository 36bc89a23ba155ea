"""Dependants of a video: exports that hold it, estimators that learnt from it, poses that those saw elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.tables import Checkpoint, Export, ExportVideo, Job, Project, Run, Video
from app.trash import visible
from app.trash.schemas import Rests, RestsOnDeleted

_AT_ONCE = 5000


@dataclass(frozen=True)
class _Learnt:
    """The direct sources of a checkpoint.

    Attributes:
        project: Whose it is.
        videos: That it learnt from or was measured on.
        checkpoints: That it goes on from, or that saw poses which it learnt from.
    """

    project: int
    videos: frozenset[int]
    checkpoints: frozenset[int]


def of_videos(session: Session, lab_id: int, videos: Collection[int], without: int | None = None) -> Rests:
    """The dependants of some videos of a lab.

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


def deleted_under(session: Session, checkpoints: Collection[Checkpoint]) -> dict[int, RestsOnDeleted]:
    """The deleted sources of checkpoints, direct or through others.

    Asks the database once for each generation, however many checkpoints there are.

    Returns:
        By checkpoint; those of which everything is there are left out.
    """
    learnt: dict[int, _Learnt] = {}
    gone: set[int] = set()
    ahead = {one.id: one for one in checkpoints}
    while ahead:
        learnt |= _learnt(session, ahead.values())
        wanted = set().union(*(learnt[number].checkpoints for number in ahead)) - learnt.keys() - gone
        ahead = {one.id: one for part in _parts(wanted) for one in _with_ids(session, part)}
        gone |= wanted - ahead.keys()
    videos = set().union(*(one.videos for one in learnt.values()))
    there: set[int] = set()
    for part in _parts(videos):
        there |= {*session.scalars(select(Video.id).join(Project).where(Video.id.in_(part), visible.VIDEO))}
    missing = {one.id: _missing(one.id, learnt, gone, videos - there) for one in checkpoints}
    return {number: found for number, found in missing.items() if found is not None}


def deleted_under_jobs(session: Session, jobs: Collection[Job]) -> dict[int, RestsOnDeleted]:
    """The deleted sources of the estimators of some jobs' runs, by job; see ``deleted_under``."""
    named = {job.id: job.params["checkpoint_id"] for job in jobs if job.params.get("checkpoint_id") is not None}
    there = {one.id: one for part in _parts({*named.values()}) for one in _with_ids(session, part)}
    under = deleted_under(session, there.values())
    lost = {number: RestsOnDeleted(checkpoints=[number]) for number in {*named.values()} - there.keys()}
    found = under | lost
    return {job: found[number] for job, number in named.items() if number in found}


def _missing(number: int, learnt: Mapping[int, _Learnt], gone: set[int], lost: set[int]) -> RestsOnDeleted | None:
    below, ahead = {number}, [number]
    videos: set[int] = set()
    while ahead:
        one = learnt[ahead.pop()]
        videos |= one.videos & lost
        ahead += (one.checkpoints & learnt.keys()) - below
        below |= one.checkpoints
    if not videos and not below & gone:
        return None
    return RestsOnDeleted(videos=sorted(videos), checkpoints=sorted(below & gone))


def _checkpoints(session: Session, lab_id: int) -> Mapping[int, _Learnt]:
    return _learnt(session, session.scalars(select(Checkpoint).join(Project).where(Project.lab_id == lab_id)).all())


def _with_ids(session: Session, numbers: Collection[int]) -> Sequence[Checkpoint]:
    return session.scalars(select(Checkpoint).where(Checkpoint.id.in_(numbers))).all()


def _learnt(session: Session, checkpoints: Collection[Checkpoint]) -> dict[int, _Learnt]:
    runs = {one.id: [run for part in one.pedigree["videos"] for run in part.get("runs", [])] for one in checkpoints}
    estimators: dict[int, int | None] = {}
    for part in _parts({run for mine in runs.values() for run in mine}):
        query = select(Run.id, Job.params["checkpoint_id"].as_integer()).join(Job, Run.job_id == Job.id)
        estimators |= {run: number for run, number in session.execute(query.where(Run.id.in_(part)))}  # noqa: C416
    found = {}
    for one in checkpoints:
        parent = (one.pedigree.get("parent") or {}).get("id", one.parent_id)
        before = {parent, *(estimators.get(run) for run in runs[one.id])} - {None}
        found[one.id] = _Learnt(
            project=one.project_id,
            videos=frozenset(part["id"] for part in one.pedigree["videos"]),
            checkpoints=frozenset(number for number in before if number is not None),
        )
    return found


def _parts(numbers: Collection[int]) -> Iterator[list[int]]:
    """Not more at once than a statement may name."""
    listed = sorted(numbers)
    return (listed[at : at + _AT_ONCE] for at in range(0, len(listed), _AT_ONCE))
