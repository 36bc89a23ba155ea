"""Measuring what an engine is worth on a video: keyframes are hidden from it in turn (``models.hiding``).

A propagation that has succeeded queues a job that does so. It is a job of its own, since nobody shall wait for it: the
poses are seen before it begins, it is less urgent than anything else, and it gives way as soon as something more urgent
waits for its worker. The next propagation of the video calls it off, since that is measured in its turn. What it found
out by then is kept, so that a correction costs no more than what it changed.

What is known of an engine on a video is one object, and a row of ``measurement`` names it. It tells of the engine, not
of one run: each run replaces what is not true of its labels any more.

An engine that was fitted to the labels has seen what is to be hidden, and would look better there than it is. To fit it
anew without that takes as long as the propagation did, which is more than a measurement may take; so it is not measured
(``models.hiding.folds`` is how ``benchmarks/trust.py`` does it). What was measured before it was fitted is not true of
it either. The same goes for an engine that a checkpoint helps, which may have learnt from the labels.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.database import clock, insert_missing
from app.jobs import ledger, states
from app.jobs.params import JobRow, RunResult
from app.settings import Settings
from app.tables import Discard, Job, Measurement, Project, Run, Video

MEASURE = "measure"

#: Less urgent than anything else, packing among it.
PRIORITY = -2

#: A measurement takes so much of the time that the propagation took, at most, or so many seconds, if that is more: a
#: correction takes a fraction of one.
SHARE, LEAST_SECONDS = 0.5, 2.0

_WHY = "a later propagation is measured in its place"


class MeasuringParams(JobRow, frozen=True, kw_only=True):
    """What a measurement is to do.

    Attributes:
        run_id: The run whose engine is measured.
        seconds: It may take.
    """

    run_id: int
    seconds: float


class MeasuringResult(RunResult, frozen=True, kw_only=True):
    """What came of a measurement, or of the part of it that is done.

    Attributes:
        hidden: Keyframes that were hidden, now or earlier.
        left: Keyframes that there was no time to hide.
        seconds: That it took.
    """

    hidden: int = 0
    left: int = 0
    seconds: float = 0.0


def queue(session: Session, settings: Settings, run: Run) -> Job:
    """Queue the measurement of a run whose job has just succeeded, for the workers that did it."""
    project = session.get_one(Project, session.get_one(Video, run.video_id).project_id)
    job = session.get_one(Job, run.job_id, populate_existing=True)
    assert job.started_at is not None
    assert job.finished_at is not None
    took = (job.finished_at - job.started_at).total_seconds()
    return ledger.enqueue(
        session,
        project,
        MEASURE,
        MeasuringParams(run_id=run.id, seconds=max(SHARE * took, LEAST_SECONDS)).to_row(),
        queue=job.queue,
        video_id=run.video_id,
        priority=PRIORITY,
        max_attempts=settings.max_attempts,
    )


def gives_way(session: Session, queues: Sequence[str]) -> bool:
    """Whether a job waits for a worker of these queues that is more urgent than a measurement."""
    begins = or_(Job.lease_until.is_(None), Job.lease_until < clock())
    more = select(Job.id).where(Job.state == states.QUEUED, Job.priority > PRIORITY, begins).limit(1)
    return any(session.execute(more.where(Job.queue == queue)).first() is not None for queue in queues)


def supersede(session: Session, video: Video) -> None:
    """Call off what is measured of a video, since it is about to be propagated anew."""
    mine = (Job.video_id == video.id, Job.kind == MEASURE, Job.state.not_in(states.FINISHED))
    if found := session.scalars(select(Job.id).where(*mine)).all():
        ledger.cancel_all(session, Job.id.in_(found), _WHY)


def find(session: Session, video_id: int, engine: str) -> Measurement | None:
    """What is known of an engine on a video."""
    return session.get(Measurement, (video_id, engine))


def keep(session: Session, run: Run, engine: str, keyframes: int, sha256: str) -> None:
    """Write down what is known of an engine on a video, unless a later run was measured meanwhile.

    The object to which no row refers any more is removed when what was erased is.

    Args:
        session: Writes; the object is on record.
        run: The run that was measured.
        engine: What its errors are compared as.
        keyframes: How many were hidden.
        sha256: The object.
    """
    row = session.get(Measurement, (run.video_id, engine), with_for_update=True)
    if row is None:
        known = {"run_id": run.id, "keyframes": keyframes, "sha256": sha256}
        session.add(Measurement(video_id=run.video_id, engine=engine, **known))
        return
    unused = sha256
    if row.run_id <= run.id:
        unused, row.run_id, row.keyframes, row.sha256 = row.sha256, run.id, keyframes, sha256
    if unused != row.sha256:
        insert_missing(session, Discard, sha256=unused)
