"""Starting propagations, and the runs they leave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from msgspec.structs import replace
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.checkpoints import service as checkpoints
from app.errors import invalid
from app.jobs import lanes, ledger
from app.jobs.params import PropagationParams, RunParams, cuts_of
from app.jobs.states import SUCCEEDED
from app.labels import history
from app.labels.revision import check_revision
from app.projects import service as projects
from app.runs import filling, measuring, packing, stages
from app.runs.schemas import PropagationIn, RunOut, StaleSpan
from app.runs.staleness import Grounds, Staleness
from app.settings import Settings
from app.tables import Checkpoint, Job, JobSegment, Project, Run, Video
from app.tracks import service as tracks
from app.trash import dependants

PROPAGATE = "propagate"


@dataclass(frozen=True)
class Labelled:
    """The tracks that have keyframes at a revision, and how many of the frames wanted are labelled in each."""

    revision: int
    tracks: list[int]
    counts: list[int]


def read(session: Session, video: Video, wanted: PropagationIn) -> Labelled:
    """See what a propagation from the labels as they are now would start from.

    Raises:
        Conflict: The video cannot be read (yet).
        Invalid: A field is wrong, or there is no keyframe to start from.
    """
    stop = filling.check_frames(video, wanted.start, wanted.stop)
    if wanted.adapt and wanted.engine in ("flow", "linear"):
        raise invalid("/adapt", f"the engine {wanted.engine} cannot be fitted to a video")
    if wanted.corrects_run_id is not None:
        seen = session.scalar(select(Run.id).where(Run.id == wanted.corrects_run_id, Run.video_id == video.id))
        if seen is None:
            raise invalid("/corrects_run_id", f"the video has no run {wanted.corrects_run_id}")
    return Labelled(video.revision, *_labelled_tracks(session, video, wanted, stop))


def start(session: Session, settings: Settings, video: Video, wanted: PropagationIn, labelled: Labelled) -> Job:
    """Queue a propagation from the labels as they are now.

    Raises:
        Moved: They are others than were read.
        Conflict: The video cannot be read (yet).
        Invalid: There are no such frames.
        TooMany: The lab has as many jobs waiting as it may.
    """
    check_revision(session, video, labelled.revision)
    stop = filling.check_frames(video, wanted.start, wanted.stop)
    project = session.get_one(Project, video.project_id)
    numbers = labelled.tracks
    staged = wanted.engine == "auto" and wanted.adapt is None and stages.worth(stop - wanted.start, labelled.counts)
    detector = _detector(session, project, wanted, staged=staged)
    engine = "stdpose" if wanted.engine == "auto" and isinstance(wanted.detector, int) else wanted.engine
    params = PropagationParams(
        engine=engine,
        adapt=bool(wanted.adapt),
        tracks=numbers,
        start=wanted.start,
        stop=stop,
        keyframes=sorted(set(wanted.keyframes)) if wanted.keyframes is not None else None,
        checkpoint_id=detector,
        corrects_run_id=wanted.corrects_run_id,
    )

    def made() -> Run:
        return Run(
            video_id=video.id,
            engine=engine,
            label_revision=labelled.revision,
            skeleton_version=project.skeleton_version,
        )

    again = not wanted.adapt and _was_propagated(session, video, engine)

    def lane(frames: float) -> str:
        return lanes.of_propagation("stdpose" if staged else engine, 0 if again else frames, adapt=bool(wanted.adapt))

    run = made()
    job = filling.queue(session, settings, project, PROPAGATE, params, run, lane)
    if wanted.keyframes is None:
        stages.supersede(session, job)
    measuring.supersede(session, video)
    if staged:
        second, later = made(), stages.params_of_second(job, run)
        filling.queue(session, settings, project, PROPAGATE, later, second, lambda _: ledger.HELD)
        job.params = replace(params, stage=stages.FIRST, other_run_id=second.id).to_row()
        session.flush()
    return job


def show(session: Session, run: Run) -> RunOut:
    """A run as the API shows it."""
    (shown,) = show_all(session, session.get_one(Video, run.video_id), [run])
    return shown


def show_all(session: Session, video: Video, runs: Sequence[Run]) -> list[RunOut]:
    """Runs of a video as the API shows them, with one question for each kind of thing that is known of all.

    Where a run is stale is worked out for each whose labels changed since, and remembered.
    """
    found = session.scalars(select(Job).where(Job.id.in_([run.job_id for run in runs])))
    jobs = {job.id: job for job in found}
    count = select(JobSegment.job_id, func.count(), func.count(JobSegment.sha256)).group_by(JobSegment.job_id)
    rows = session.execute(count.where(JobSegment.job_id.in_(jobs)))
    segments = {number: (total, done) for number, total, done in rows}
    packed = packing.packed(session, [run.id for run in runs])
    deleted = dependants.deleted_under_jobs(session, jobs.values())
    others = stages.others(session, jobs.values())
    grounds = Grounds(video, projects.skeleton(session, video.project_id).size)
    grounds.expect(session, [(run, jobs[run.job_id]) for run in runs])
    shown = []
    for run in runs:
        job = jobs[run.job_id]
        params = RunParams.of(job.params)
        total, done = segments.get(job.id, (0, 0))
        shown.append(
            RunOut.model_validate(
                {
                    "id": run.id,
                    "video_id": run.video_id,
                    "job_id": run.job_id,
                    "state": job.state,
                    "engine": run.engine,
                    "checkpoint_id": params.checkpoint_id,
                    "checkpoint_sha256": run.checkpoint_sha256,
                    "corrects_run_id": params.corrects_run_id,
                    "label_revision": run.label_revision,
                    "skeleton_version": run.skeleton_version,
                    "code_version": run.code_version,
                    "computed": run.computed,
                    "tracks": params.tracks,
                    "start": params.start,
                    "stop": params.stop,
                    "cuts": [frame for frame in cuts_of(job.result) if params.start <= frame < params.stop],
                    "segments": total,
                    "segments_done": done,
                    "packed": run.id in packed,
                    "hidden": run.hidden_at is not None,
                    "stage": params.stage,
                    "other_stage": others.get(job.id),
                    "created_at": run.created_at,
                    "rests_on_deleted": deleted.get(job.id),
                    "calibration": None,
                    "engines": None,
                    "stale": spans_of(grounds.stale(session, run.id)),
                }
            )
        )
    return shown


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


def hide(session: Session, run: Run) -> bool:
    """Take a run's poses out of sight, of both stages where it has two; nothing is deleted.

    Tells whether they were in sight.
    """
    return _show(session, run, None, datetime.now(UTC))


def restore(session: Session, run: Run) -> bool:
    """Show a hidden run again, with both stages; tells whether it was hidden."""
    return _show(session, run, datetime.now(UTC), None)


def _show(session: Session, run: Run, before: datetime | None, hidden_at: datetime | None) -> bool:
    if (run.hidden_at is None) != (before is None):
        return False
    for one in stages.with_other(session, run):
        one.hidden_at = hidden_at
    return True


def _detector(session: Session, project: Project, wanted: PropagationIn, *, staged: bool) -> int | None:
    """The checkpoint whose poses are candidates of the engine."""
    if wanted.detector == "none":
        return None
    ours = {*projects.skeleton(session, project.id, project.skeleton_version).active().keypoints}
    if wanted.detector is None:
        fits = wanted.engine == "stdpose" or (wanted.engine == "auto" and (wanted.adapt or staged))
        promoted = checkpoints.current(session, project.id) if fits else None
        return promoted.id if promoted is not None and ours & _known_to(session, promoted) else None
    if wanted.engine in ("flow", "linear"):
        raise invalid("/detector", f"the engine {wanted.engine} takes no detector")
    checkpoint = session.get(Checkpoint, wanted.detector)
    if checkpoint is None or not projects.is_there(session, project.lab_id, checkpoint.project_id):
        raise invalid("/detector", f"there is no checkpoint {wanted.detector}")
    if not ours & (known := _known_to(session, checkpoint)):
        raise invalid("/detector", f"it finds none of the project's keypoints; it knows {', '.join(sorted(known))}")
    return checkpoint.id


def _known_to(session: Session, checkpoint: Checkpoint) -> set[str]:
    return {*projects.skeleton(session, checkpoint.project_id, checkpoint.skeleton_version).active().keypoints}


def _was_propagated(session: Session, video: Video, engine: str) -> bool:
    """Whether most poses may be there already. A worker that finds they are not passes the job on."""
    done = select(Job.id).where(Job.video_id == video.id, Job.kind == PROPAGATE, Job.state == SUCCEEDED)
    return session.scalar(done.where(Job.params["engine"].as_string() == engine).limit(1)) is not None


def _labelled_tracks(session: Session, video: Video, wanted: PropagationIn, stop: int) -> tuple[list[int], list[int]]:
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
    inside = labelled & (labels.frames >= wanted.start) & (labels.frames < stop)
    return numbers, [int((labels.tracks[inside] == number).sum()) for number in numbers]
