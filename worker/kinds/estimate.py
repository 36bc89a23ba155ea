"""Estimates: an estimator fills a run with the poses that it sees, where no keyframe is needed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.jobs import lanes
from app.jobs.params import Computed, EstimateParams, EstimateResult, PropagationResult
from app.labels import windows
from app.projects import service as projects
from app.runs.keyframes import keyframes_of
from app.runs.staleness import Grounds
from app.tables import Checkpoint, Job, Run, Video
from models.estimators.predict import EstimateError, estimate
from pose.formats import npy
from pose.frames import FrameSource
from pose.segments import Segment, plan, relevant
from pose.skeleton import Skeleton
from pose.track import Track, join
from worker.context import Context, HelperContext, JobFailed
from worker.kinds.compute import compute_of
from worker.kinds.fill import Progress, fill, help_fill
from worker.kinds.memory import OomRetryBatches
from worker.kinds.networks import load
from worker.kinds.work import Compute, SegmentTask

_VERSION = 1  # of what is computed from the same frames, weights and poses
# Frames and poses that are read at a time: between two of them a cancellation is heard.
_WINDOW = 1024
_POSES = 10_000
_BATCH = 16
_SUBJECT = 1  # the one that is looked for on whole frames, see ``models.estimators.predict``


@dataclass(frozen=True, eq=False)
class Estimation:
    """An estimate job; see ``worker.kinds.work.Work``.

    Attributes:
        run: What it fills.
        video: What it is about.
        checkpoint: What computes it.
        skeleton: Of the run; the estimator knows those of its keypoints that are not retired.
        pieces: The segments in the order in which they are computed, by track and first frame.
        whole_frame: Whether the subject is looked for on whole frames, there being no pose to look around.
        device: Where the estimator computes.
        computed: Where and how, for the pedigree.
    """

    run: Run
    video: Video
    checkpoint: Checkpoint
    skeleton: Skeleton
    pieces: dict[tuple[int, int], SegmentTask]
    whole_frame: bool
    device: str
    computed: Computed | None

    @property
    def name(self) -> str:
        """The estimator's."""
        return f"estimator {self.checkpoint.estimator}"

    @property
    def weights(self) -> str:
        """The checkpoint's."""
        return self.checkpoint.weights_sha256

    def learn(self, result: PropagationResult) -> None:
        """Take nothing over: segments find nothing out for each other."""

    def result(self) -> EstimateResult:
        """The result for the job's row."""
        return EstimateResult(run_id=self.run.id, checkpoint_id=self.checkpoint.id)


def run(context: Context) -> None:
    """Run an estimate job."""
    work = _work(context)
    prepare = partial(_prepared, context, work)
    fill(context, work, prepare, stage="estimating", shared=True, queue=lanes.of_estimate)


def help_out(context: HelperContext, more: Callable[[], bool]) -> bool:
    """Help with an estimate that another worker holds, see ``worker.kinds.fill.help_fill``."""
    work = _work(context)
    return help_fill(context, work, lambda frames: _computing(context, work, frames), more)


def _prepared(context: Context, work: Estimation, frames: FrameSource, progress: Progress) -> Compute:
    return _computing(context, work, frames)


def _work(context: Context) -> Estimation:
    with context.database.session(readonly=True) as session:
        job = session.get_one(Job, context.held.job_id)
        run = session.scalars(select(Run).where(Run.job_id == job.id)).one()
        video = session.get_one(Video, run.video_id)
        params = EstimateParams.of(job.params)
        checkpoint = session.get_one(Checkpoint, params.checkpoint_id)
        skeleton = projects.skeleton(session, video.project_id, run.skeleton_version)
        size = skeleton.size
        tracks = {number: Track.empty(size) for number in params.tracks}
        labels = keyframes_of(session, job, run, video, step=context.check_cancelled)
        if not params.whole_frame:
            tracks |= _poses(session, context, params, run, video, size)
    bare = [number for number, track in tracks.items() if not len(track)]
    if bare and len(tracks) > 1:
        raise JobFailed(f"track {bare[0]} has no pose to look around; label one of its frames, or ask for it alone")
    compute = compute_of(context.settings)
    # Those without a name of a precision are fp32: once all were.
    version = f"{_VERSION} bf16" if compute.precision == "bf16" else str(_VERSION)
    made_by = f"estimate {version} {checkpoint.weights_sha256} {video.proxy_sha256}"
    if skeleton.retired:
        made_by += f" {size} {skeleton.points.tolist()}"
    pieces = []
    for number, track in tracks.items():
        context.check_cancelled()
        pieces += [
            piece_of(made_by, number, segment, track, labels[number])
            for segment in plan(Track.empty(size), params.start, params.stop)
        ]
    pieces.sort(key=lambda piece: (piece.segment, piece.track))
    by_place = {(piece.track, piece.segment.start): piece for piece in pieces}
    device, made = compute.device_name, Computed.of(compute.pedigree())
    return Estimation(run, video, checkpoint, skeleton, by_place, bool(bare), device, made)


def _poses(
    session: Session, context: Context, params: EstimateParams, run: Run, video: Video, size: int
) -> dict[int, Track]:
    """The poses of the tracks that were known when the estimate was asked for, wherever a point is."""
    assert video.num_frames is not None
    parts: dict[int, list[Track]] = {number: [] for number in params.tracks}
    what: windows.Choice = {"layer": "merged", "revision": run.label_revision, "runs": params.runs}
    grounds = Grounds(video, size, run.label_revision, context.check_cancelled)
    start = 0
    while start < video.num_frames:
        context.check_cancelled()
        stop = min(start + _WINDOW, video.num_frames)
        stop = windows.reach(session, video, start=start, stop=stop, most=_POSES, **what)
        for found in windows.read(
            session, context.storage, video, size, start=start, stop=stop, grounds=grounds, **what
        ):
            if found.number in parts:
                trusted = found.trusted
                known: np.ndarray = np.any(trusted.visibility > 0, axis=1)
                parts[found.number].append(trusted.select(known))
        start = stop
    return {number: join(tracks) for number, tracks in parts.items() if tracks}


def _near(track: Track, segment: Segment) -> Track:
    """The poses on a segment's frames, and those next to it in time where its ends have none."""
    first = int(np.searchsorted(track.frames, segment.start, side="right")) - 1
    last = int(np.searchsorted(track.frames, segment.stop - 1, side="left"))
    return track.select(np.arange(max(first, 0), min(last + 1, len(track))))


def piece_of(made_by: str, number: int, segment: Segment, track: Track, labels: Track) -> SegmentTask:
    """A segment with all it depends on.

    Args:
        made_by: What computes it from which video.
        number: The track's.
        segment: Its frames.
        track: The poses known of it.
        labels: People's of it, of which those count that say of points that they are absent.
    """
    given, said = _near(track, segment), relevant(labels, segment)
    absent = said if said.absent.any() else None
    digest = hashlib.sha256(f"{made_by} {segment.canonical}".encode())
    digest.update(npy.encode(given))
    if absent is not None:
        digest.update(npy.encode(absent) + absent.absent.tobytes())
    return SegmentTask(number, segment, given, digest.hexdigest(), absent)


def _computing(context: Context, work: Estimation, frames: FrameSource) -> Compute:
    loaded = load(context.storage, work.checkpoint, context.check_cancelled)
    batches = OomRetryBatches(_BATCH, context.warn_out_of_memory)

    def compute(piece: SegmentTask) -> Track:
        start, stop = piece.segment.start, piece.segment.stop
        around = None if work.whole_frame else {piece.track: piece.given}
        absent = {} if piece.absent is None else {_SUBJECT if work.whole_frame else piece.track: piece.absent}
        labels = {number: track.pick(work.skeleton.points) for number, track in absent.items()}

        def once(batch: int) -> Track:
            wish = context.settings
            found = estimate(
                frames,
                loaded,
                around,
                labels=labels,
                start=start,
                stop=stop,
                batch=batch,
                device=wish.device,
                precision=wish.precision,
                step=context.check_cancelled,
            )
            return join([poses for _, _, poses in found]).spread(work.skeleton.points, work.skeleton.size)

        try:
            return batches.run(once, piece.segment)
        except EstimateError as error:
            raise JobFailed(str(error)) from error

    return compute
