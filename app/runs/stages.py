"""Propagations of two stages: an unfitted result first, seconds after the request, then a fitted one in its place.

Each stage is a job with a run of its own. Both are written down with the request, so that whatever is propagated later
is seen above both; the second job is held back until the first has succeeded (``app.jobs.held``). Its run is not seen,
not even in part, before it is complete, and then wherever the first was: people see one run that becomes better at one
moment. What named the first run before (an export, a review, a training) still means the poses that it had then.

Cancelling the second keeps the first. Cancelling the first, and its failure, end both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from msgspec.structs import replace
from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import Session, aliased

from app.jobs import lanes, ledger
from app.jobs.params import PropagationParams, RunParams
from app.jobs.states import FINISHED, SUCCEEDED
from app.runs.schemas import OtherStage
from app.tables import Job, Run

FIRST, SECOND = 1, 2

#: A video is fitted of its own accord where so many frames lie between labels at least, on average: with fewer, fitting
#: was measured to gain nothing on some videos.
FRAMES_PER_LABEL = 10

#: And where no more frames are to be filled than this, counted once for each track: with two cores that takes a quarter
#: of an hour, for which others wait.
MOST_FRAMES = 20_000

_WHY = "a later propagation covers the same frames"


def worth(frames: int, labels: Collection[int]) -> bool:
    """Whether a propagation is to have a second stage, unasked.

    Args:
        frames: How many frames are to be filled, in each track.
        labels: How many of them are labelled, of each track.
    """
    between = sum(labels) - len(labels)
    filled = frames * len(labels)
    return min(labels, default=0) > 1 and FRAMES_PER_LABEL * between <= filled <= MOST_FRAMES


def supersede(session: Session, job: Job) -> None:
    """End the second stages of earlier propagations of which nothing would be seen under a new one."""
    wanted = PropagationParams.of(job.params)
    earlier = select(Job).where(Job.video_id == job.video_id, Job.state.not_in(FINISHED), _stage(Job) == SECOND)
    second = {one.id: PropagationParams.of(one.params) for one in session.scalars(earlier.where(Job.id < job.id))}
    covered = [
        number
        for number, one in second.items()
        if {*one.tracks} <= {*wanted.tracks} and wanted.start <= one.start and one.stop <= wanted.stop
    ]
    if covered:
        ledger.cancel_all(session, Job.id.in_(covered), _WHY)


def params_of_second(first: Job, run: Run) -> PropagationParams:
    """What the job of a second stage needs to know.

    Args:
        first: The job of the first stage.
        run: Which that job fills.
    """
    then = lanes.of_propagation("stdpose", 0, adapt=True)
    wanted = PropagationParams.of(first.params)
    return replace(wanted, adapt=True, stage=SECOND, other_run_id=run.id, after=first.id, then=then)


def is_seen() -> ColumnElement[bool]:
    """Of queries that have runs: no second stage that is not complete."""
    job = aliased(Job)
    return ~exists().where(job.id == Run.job_id, _stage(job) == SECOND, job.state != SUCCEEDED)


def is_current() -> ColumnElement[bool]:
    """Of queries that have runs: of the stages of a propagation the one that is seen."""
    second = aliased(Job)
    after = second.params["after"].as_integer()
    over = and_(second.video_id == Run.video_id, after == Run.job_id, second.state == SUCCEEDED)
    return and_(is_seen(), ~exists().where(over))


def with_other(session: Session, run: Run) -> list[Run]:
    """A run and the other stage of its propagation."""
    job = session.get_one(Job, run.job_id)
    number = RunParams.of(job.params).other_run_id
    other = session.get(Run, number) if number is not None else None
    return [run] if other is None else [run, other]


def firsts(session: Session, runs: Collection[int]) -> list[int]:
    """Those of some runs that are the first of two stages of which the second has not succeeded."""
    if not runs:
        return []
    query = select(Run.id).join(Job, Job.id == Run.job_id).where(Run.id.in_(runs), _stage(Job) == FIRST, is_current())
    return sorted(session.scalars(query))


def others(session: Session, jobs: Iterable[Job]) -> dict[int, OtherStage]:
    """By job, what the API says of the other stage of its propagation."""
    wanted = {job.id: number for job in jobs if (number := RunParams.of(job.params).other_run_id) is not None}
    if not wanted:
        return {}
    rows = session.execute(
        select(Run.id, Run.job_id, Job.state).join(Job, Job.id == Run.job_id).where(Run.id.in_(wanted.values()))
    )
    found = {run_id: OtherStage(run_id=run_id, job_id=job_id, state=state) for run_id, job_id, state in rows}
    return {job_id: found[run_id] for job_id, run_id in wanted.items() if run_id in found}


def _stage(job: type[Job]) -> ColumnElement[int]:
    stage: ColumnElement[int] = job.params["stage"].as_integer()
    return stage
