"""Jobs that fill a run: what starting a propagation and starting an estimate have in common."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from app.errors import invalid
from app.jobs import ledger
from app.jobs.params import EstimateParams, EstimateResult, FillingParams, RunResult
from app.labs import quotas
from app.settings import Settings
from app.tables import Job, Project, Run, Video
from app.version import VERSION
from app.videos.service import readable


def check_frames(video: Video, start: int, stop: int | None) -> int:
    """Where the frames end that are asked for: at ``stop``, or at the end of the video.

    Raises:
        Conflict: The video cannot be read (yet).
        Invalid: There are no such frames.
    """
    readable(video)
    assert video.num_frames is not None
    stop = video.num_frames if stop is None else stop
    if stop > video.num_frames:
        raise invalid("/stop", f"the video has {video.num_frames} frames")
    if start >= stop:
        raise invalid("/start", f"no frame lies between start {start} and stop {stop}")
    return stop


def queue(
    session: Session,
    settings: Settings,
    project: Project,
    kind: str,
    params: FillingParams,
    run: Run,
    lane: Callable[[float], str],
) -> Job:
    """Queue a job that fills a new run, whose id is in the job's result.

    Args:
        session: Writes.
        settings: Tell how often a job is tried.
        project: Of the video.
        kind: Of the job.
        params: What the job needs.
        run: Not added to the session yet, and without job and version of the code.
        lane: The queue for so many frames, counted once for each track.

    Raises:
        TooMany: The lab has as many jobs waiting as it may.
    """
    quotas.check_queue(session, settings, project.lab_id)
    frames = float(len(params.tracks) * (params.stop - params.start))
    job = ledger.enqueue(
        session,
        project,
        kind,
        params.to_row(),
        queue=lane(frames),
        video_id=run.video_id,
        max_attempts=settings.max_attempts,
        work=frames,
    )
    run.job_id, run.code_version = job.id, VERSION
    session.add(run)
    session.flush()
    job.result = _begun(params, run.id).to_row()
    session.flush()
    return job


def _begun(params: FillingParams, run_id: int) -> RunResult:
    if isinstance(params, EstimateParams):
        return EstimateResult(run_id=run_id, checkpoint_id=params.checkpoint_id)
    return RunResult(run_id=run_id)
