"""Starting propagations, and the runs they leave."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.errors import invalid
from app.jobs import lanes
from app.jobs.states import SUCCEEDED
from app.labels import history
from app.projects import service as projects
from app.runs import filling, packing
from app.runs.schemas import PropagationIn, RunOut, StaleSpan
from app.runs.staleness import Grounds, Staleness
from app.settings import Settings
from app.tables import Job, JobSegment, Project, Run, Video
from app.tracks import service as tracks
from app.trash import dependants

PROPAGATE = "propagate"


def start(session: Session, settings: Settings, video: Video, wanted: PropagationIn) -> Job:
    """Queue a propagation from the labels as they are now.

    Raises:
        Conflict: The video cannot be read (yet).
        Invalid: A field is wrong, or there is no keyframe to start from.
        TooMany: The lab has as many jobs waiting as it may.
    """
    stop = filling.check_frames(video, wanted.start, wanted.stop)
    if wanted.adapt and wanted.engine in ("flow", "linear"):
        raise invalid("/adapt", f"the engine {wanted.engine} cannot be fitted to a video")
    project = session.get_one(Project, video.project_id)
    numbers = _labelled_tracks(session, video, wanted)
    params = {
        "engine": wanted.engine,
        "adapt": bool(wanted.adapt),
        "tracks": numbers,
        "start": wanted.start,
        "stop": stop,
        "keyframes": sorted(set(wanted.keyframes)) if wanted.keyframes is not None else None,
    }
    run = Run(
        video_id=video.id,
        engine=wanted.engine,
        label_revision=video.revision,
        skeleton_version=project.skeleton_version,
    )
    again = not wanted.adapt and _was_propagated(session, video, wanted.engine)

    def lane(frames: float) -> str:
        return lanes.of_propagation(wanted.engine, 0 if again else frames, adapt=bool(wanted.adapt))

    return filling.queue(session, settings, project, PROPAGATE, params, run, lane)


def show(session: Session, run: Run) -> RunOut:
    """A run as the API shows it."""
    video = session.get_one(Video, run.video_id)
    size = projects.skeleton(session, video.project_id).size
    job = session.get_one(Job, run.job_id)
    total, done = session.execute(
        select(func.count(), func.count(JobSegment.sha256)).where(JobSegment.job_id == job.id)
    ).one()
    return RunOut.model_validate(
        {
            "id": run.id,
            "video_id": run.video_id,
            "job_id": run.job_id,
            "state": job.state,
            "engine": run.engine,
            "checkpoint_id": job.params.get("checkpoint_id"),
            "checkpoint_sha256": run.checkpoint_sha256,
            "label_revision": run.label_revision,
            "skeleton_version": run.skeleton_version,
            "code_version": run.code_version,
            "computed": run.computed,
            "tracks": job.params["tracks"],
            "start": job.params["start"],
            "stop": job.params["stop"],
            "cuts": [frame for frame in _cuts(job) if job.params["start"] <= frame < job.params["stop"]],
            "segments": total,
            "segments_done": done,
            "packed": packing.is_packed(session, run),
            "hidden": run.hidden_at is not None,
            "created_at": run.created_at,
            "rests_on_deleted": dependants.deleted_under_run(session, job),
            "stale": spans_of(Grounds(video, size).stale(session, run.id)),
        }
    )


def spans_of(stale: Staleness) -> list[StaleSpan]:
    """Where a run is stale as the API shows it: in order of track and frame, keypoints with the same span together."""
    spans: dict[tuple[int, int, int], list[int]] = {}
    for track, by_keypoint in stale.spans.items():
        for k, found in enumerate(by_keypoint):
            for start, stop in found.tolist():
                spans.setdefault((track, start, stop), []).append(k)
    return [
        StaleSpan(
            track_id=track,
            start=start,
            stop=stop,
            keypoints=None if len(points) == len(stale.spans[track]) else points,
        )
        for (track, start, stop), points in sorted(spans.items())
    ]


def hide(run: Run) -> bool:
    """Take a run's poses out of sight; nothing is deleted. Tells whether they were in sight."""
    if run.hidden_at is not None:
        return False
    run.hidden_at = datetime.now(UTC)
    return True


def restore(run: Run) -> bool:
    """Show a hidden run again; tells whether it was hidden."""
    if run.hidden_at is None:
        return False
    run.hidden_at = None
    return True


def _was_propagated(session: Session, video: Video, engine: str) -> bool:
    """Whether most poses may be there already. A worker that finds they are not passes the job on."""
    done = select(Job.id).where(Job.video_id == video.id, Job.kind == PROPAGATE, Job.state == SUCCEEDED)
    return session.scalar(done.where(Job.params["engine"].as_string() == engine).limit(1)) is not None


def _cuts(job: Job) -> list[int]:
    frames: list[int] = (job.result or {}).get("cuts", {}).get("frames", [])
    return frames


def _labelled_tracks(session: Session, video: Video, wanted: PropagationIn) -> list[int]:
    known = tracks.numbers(session, video)
    for index, number in enumerate(wanted.tracks or []):
        if number not in known:
            raise invalid(f"/tracks/{index}", f"the video has no track {number}")
    size = projects.skeleton(session, video.project_id).size
    labels = history.read(session, video.id, size, tracks=wanted.tracks)
    labelled = (labels.keypoints[..., 2] > 0).any(axis=1)
    if wanted.keyframes is not None:
        frames = {*labels.frames[labels.said.any(axis=1)].tolist()}
        for index, frame in enumerate(wanted.keyframes):
            if frame not in frames:
                raise invalid(f"/keyframes/{index}", f"nothing is labelled on frame {frame}")
        labelled &= np.isin(labels.frames, wanted.keyframes)
    found = {*labels.tracks[labelled].tolist()}
    numbers = sorted(found)
    for index, number in enumerate(wanted.tracks or []):
        if number not in found:
            raise invalid(f"/tracks/{index}", f"track {number} has no keyframe; label at least one frame first")
    if not numbers:
        raise invalid("/keyframes", "the video has no keyframe; label at least one frame first")
    return numbers
