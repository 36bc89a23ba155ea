"""The plan of a propagation job: its engine, and each segment with all it depends on.

Every worker that takes part works this out for itself from the job's row and the labels as of its run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from msgspec import UNSET
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.jobs import states
from app.jobs.params import Computed, FoundCuts, PropagationParams, PropagationResult
from app.projects import service as projects
from app.runs.keyframes import keyframes_of
from app.runs.service import PROPAGATE
from app.settings import Settings
from app.tables import Checkpoint, Job, Run, Video
from models.engines import cuts as shots
from models.engines.cuts import Cuts
from models.engines.engine import Engine
from models.registry import PropagationError, adaptable, resolve
from pose.formats import npy
from pose.segments import Segment, plan, relevant
from pose.track import Track
from worker.context import Context, JobFailed
from worker.kinds.compute import compute_of
from worker.kinds.features import features
from worker.kinds.work import SegmentTask


@dataclass(frozen=True, eq=False)
class Propagation:
    """A propagation job; see ``worker.kinds.work.Work``.

    Attributes:
        run: What it fills.
        video: What it is about.
        engine: What computes it, before it is fitted to the video.
        adapts: Whether the engine is fitted to the video first.
        labels: The labels as of the run, by track.
        pieces: The segments in the order in which they are computed, by track and first frame.
        cuts: What is known of the video's cuts.
        device: Where the engine computes.
        computed: Where and how, for the pedigree; None for engines without a network.
    """

    run: Run
    video: Video
    engine: Engine
    adapts: bool
    labels: dict[int, Track]
    pieces: dict[tuple[int, int], SegmentTask]
    cuts: Cuts
    device: str
    computed: Computed | None

    @property
    def name(self) -> str:
        """The engine's."""
        return self.engine.name

    @property
    def weights(self) -> str | None:
        """The engine's, where it has any."""
        return getattr(self.engine, "checkpoint_sha256", None)

    def learn(self, result: PropagationResult) -> None:
        """Add the cuts that the job's row names."""
        _learn(self.cuts, result.cuts)

    def result(self) -> PropagationResult:
        """The result for the job's row: the run, and the cuts found so far."""
        found = FoundCuts(version=shots.VERSION, frames=self.cuts.frames, scanned=self.cuts.scanned)
        return PropagationResult(run_id=self.run.id, cuts=found)


def propagation_of(context: Context, job_id: int | None = None) -> Propagation:
    """The work of a propagation.

    Args:
        context: The job that does something with it.
        job_id: The job of the propagation, where that is another one.

    Raises:
        JobFailed: The engine that it asks for cannot be had.
    """
    with context.database.session(readonly=True) as session:
        job = session.get_one(Job, context.held.job_id if job_id is None else job_id)
        run = session.scalars(select(Run).where(Run.job_id == job.id)).one()
        video = session.get_one(Video, run.video_id)
        labels = keyframes_of(session, job, run, video, step=context.check_cancelled)
        cuts = _known_cuts(session, job, video)
        params = PropagationParams.of(job.params)
        checkpoint = session.get(Checkpoint, number) if (number := params.checkpoint_id) else None
        keypoints = projects.skeleton(session, video.project_id, run.skeleton_version).keypoints
    fitted_once = params.adapt or params.stage is not UNSET
    engine = _engine(params.engine, adapt=fitted_once, settings=context.settings)
    if adaptable(engine):
        engine.lay_on(features(context.settings) if context.settings.feature_cache_bytes else None)
    adapts, version = False, engine.version
    if adaptable(engine):
        from worker.kinds import fitting  # loads PyTorch, which the other engines do without

        if number:
            if checkpoint is None:
                raise JobFailed(f"checkpoint {number}, whose poses were to help, was erased")
            engine = fitting.helped(context, engine, checkpoint, keypoints)
        adapts = params.adapt
        version = fitting.version_of(engine, labels, context.settings) if adapts else engine.version
    pieces = _pieces(f"{engine.name} {version}", labels, params, video, context.check_cancelled)
    by_place = {(one.track, one.segment.start): one for one in pieces}
    compute = compute_of(context.settings) if adaptable(engine) else None
    device, computed = (compute.device_name, Computed.of(compute.pedigree())) if compute else ("cpu", None)
    return Propagation(run, video, engine, adapts, labels, by_place, cuts, device, computed)


def _learn(cuts: Cuts, found: FoundCuts | None) -> None:
    if found is not None and found.version == shots.VERSION:
        cuts.learn(found.frames, found.scanned)


def _engine(name: str, *, adapt: bool, settings: Settings) -> Engine:
    try:
        return resolve(name, adapt=adapt, device=settings.device, precision=settings.precision)
    except PropagationError as error:
        raise JobFailed(str(error)) from error


def _known_cuts(session: Session, job: Job, video: Video) -> Cuts:
    """The cuts that this job, before it was interrupted, or the propagation that ended last found."""
    ended = (
        select(Job.result)
        .where(Job.video_id == video.id, Job.kind == PROPAGATE, Job.state == states.SUCCEEDED)
        .order_by(Job.finished_at.desc())
        .limit(1)
    )
    cuts = Cuts()
    for row in (job.result, session.scalar(ended)):
        if row is not None:
            _learn(cuts, PropagationResult.of(row).cuts)
    return cuts


def _pieces(
    made_by: str, labels: dict[int, Track], params: PropagationParams, video: Video, step: Callable[[], None]
) -> list[SegmentTask]:
    pieces = []
    for number, keyframes in labels.items():
        for segment in plan(keyframes, params.start, params.stop):
            step()
            near = relevant(keyframes, segment)
            pieces.append(SegmentTask(number, segment, near, digest_of(made_by, video, segment, near)))
    return sorted(pieces, key=lambda piece: (piece.segment, piece.track))


def digest_of(made_by: str, video: Video, segment: Segment, keyframes: Track) -> str:
    """The digest of all that a segment's poses depend on: equal digests mean equal poses."""
    digest = hashlib.sha256(f"{made_by} cuts {shots.VERSION} {video.proxy_sha256} {segment.canonical}".encode())
    digest.update(npy.encode(keyframes))
    if keyframes.absent.any():
        digest.update(keyframes.absent.tobytes())
    return digest.hexdigest()
