"""Propagation: segment by segment, each stored before the ledger says that it is done."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import insert, select, update

from app import blobs
from app.jobs import ledger
from app.labels import history
from app.projects import service as projects
from app.runs.service import PROPAGATE
from app.storage import Stored
from app.tables import Job, JobSegment, Run, Video
from models import cuts as shots
from models.cuts import Cuts
from models.engines.engine import Engine, FrameSource
from models.propagate import RecentFrames, propagate_segment
from models.registry import PropagationError, adaptable, resolve
from pose.formats import npy
from pose.frame_table import FrameTable
from pose.segments import Segment, plan, relevant
from pose.track import Track
from pose.video import Video as VideoReader
from worker.context import Context, JobFailed


@dataclass(frozen=True, eq=False)
class _Piece:
    """One segment to be computed, with all it depends on."""

    track: int
    segment: Segment
    keyframes: Track
    input_sha256: str


def propagate(context: Context) -> None:
    """Run a propagation job; segments that were computed before, here or in an earlier run, are not computed again."""
    with context.database.session(readonly=True) as session:
        job = session.get_one(Job, context.held.job_id)
        run = session.scalars(select(Run).where(Run.job_id == job.id)).one()
        video = session.get_one(Video, run.video_id)
    assert video.proxy_sha256 is not None
    assert video.proxy_table_sha256 is not None
    wanted_fit = bool(job.params.get("adapt"))
    engine, labels = _engine(job.params["engine"], adapt=wanted_fit), _labels(context, job, run, video)
    adapts = wanted_fit and adaptable(engine)
    steps = context.settings.adapt_steps
    version = _version(engine, labels, steps) if adapts else engine.version
    pieces = _pieces(f"{engine.name} {version}", labels, job, video)
    total = sum(len(piece.segment) for piece in pieces)
    done = sum(len(piece.segment) for piece in _write_down(context, engine, run, pieces))
    context.step(done / total, "propagating")
    cuts = _known_cuts(context, video)
    table = FrameTable.from_bytes(context.storage.get(video.proxy_table_sha256))
    with VideoReader(context.storage.file(video.proxy_sha256), table, key=video.proxy_sha256) as reader:
        frames = RecentFrames(_Watched(reader, lambda: context.step(done / total, "propagating")))
        waiting = _open(context, pieces)
        if adapts and waiting:
            engine = _adapted(engine, frames, labels, steps, cuts, lambda: context.step(done / total, "adapting"))
        for piece in waiting:
            poses = propagate_segment(engine, frames, piece.keyframes, piece.segment, cuts)
            _record(context, piece, context.storage.put(npy.encode(poses)), _result(run, cuts))
            done += len(piece.segment)
            context.step(done / total, "propagating")
    with context.writing() as session:
        ledger.succeed(session, context.held, _result(run, cuts))


def _engine(name: str, *, adapt: bool) -> Engine:
    try:
        return resolve(name, adapt=adapt)
    except PropagationError as error:
        raise JobFailed(str(error)) from error


def _version(engine: Engine, labels: dict[int, Track], steps: int) -> str:
    from models.adaptation.adaptation import version_of
    from models.adaptation.fitting import AdaptRecipe  # loads PyTorch, which other engines do without

    assert adaptable(engine)
    return version_of(engine, labels, AdaptRecipe(steps=steps))


def _adapted(
    engine: Engine, video: FrameSource, labels: dict[int, Track], steps: int, cuts: Cuts, step: Callable[[], None]
) -> Engine:
    from models.adaptation.adaptation import Adaptation
    from models.adaptation.fitting import AdaptRecipe

    assert adaptable(engine)
    fitting = Adaptation(engine, video, labels, cuts=cuts, recipe=AdaptRecipe(steps=steps))
    for _ in fitting:
        step()
    return fitting.engine


class _Watched:
    """A video that says when a frame is read: looking for a cut can take long between two segments."""

    def __init__(self, video: FrameSource, step: Callable[[], None]) -> None:
        self._video = video
        self._step = step
        self.key = video.key
        self.num_frames, self.width, self.height = video.num_frames, video.width, video.height

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        """See ``FrameSource.frames``."""
        for frame in self._video.frames(start, stop, gray=gray):
            self._step()
            yield frame


def _result(run: Run, cuts: Cuts) -> dict[str, Any]:
    found = {"version": shots.VERSION, "frames": cuts.frames, "scanned": cuts.scanned}
    return {"run_id": run.id, "cuts": found}


def _known_cuts(context: Context, video: Video) -> Cuts:
    """What this job, before it was interrupted, or the propagation that ended last found."""
    with context.database.session(readonly=True) as session:
        ended = (
            select(Job.id)
            .where(Job.video_id == video.id, Job.kind == PROPAGATE, Job.state == ledger.SUCCEEDED)
            .order_by(Job.finished_at.desc())
            .limit(1)
        )
        for job_id in (context.held.job_id, session.scalar(ended)):
            result = session.scalar(select(Job.result).where(Job.id == job_id))
            found = (result or {}).get("cuts", {})
            if found.get("version") == shots.VERSION:
                return Cuts(found["frames"], found["scanned"])
    return Cuts()


def _labels(context: Context, job: Job, run: Run, video: Video) -> dict[int, Track]:
    wanted = job.params
    with context.database.session(readonly=True) as session:
        size = projects.skeleton(session, video.project_id, run.skeleton_version).size
        labels = history.read(session, video.id, size, revision=run.label_revision, tracks=wanted["tracks"])
    tracks = {number: labels.track(number) for number in wanted["tracks"]}
    if wanted["keyframes"] is None:
        return tracks
    return {number: track.select(np.isin(track.frames, wanted["keyframes"])) for number, track in tracks.items()}


def _pieces(made_by: str, labels: dict[int, Track], job: Job, video: Video) -> list[_Piece]:
    pieces = []
    for number, keyframes in labels.items():
        for segment in plan(keyframes, job.params["start"], job.params["stop"]):
            near = relevant(keyframes, segment)
            pieces.append(_Piece(number, segment, near, _digest(made_by, video, segment, near)))
    return sorted(pieces, key=lambda piece: (piece.segment, piece.track))


def _digest(made_by: str, video: Video, segment: Segment, keyframes: Track) -> str:
    """What a segment's poses depend on, as a digest: equal digests mean equal poses."""
    digest = hashlib.sha256(f"{made_by} cuts {shots.VERSION} {video.proxy_sha256} {segment}".encode())
    digest.update(npy.encode(keyframes))
    return digest.hexdigest()


def _write_down(context: Context, engine: Engine, run: Run, pieces: list[_Piece]) -> list[_Piece]:
    """Put the segments on the ledger, those that were computed before as done; give the ones done."""
    with context.writing() as session:
        weights = getattr(engine, "checkpoint_sha256", None)
        session.execute(update(Run).where(Run.id == run.id).values(engine=engine.name, checkpoint_sha256=weights))
        held = {
            (row.track_number, row.start): row.sha256
            for row in session.scalars(select(JobSegment).where(JobSegment.job_id == context.held.job_id))
        }
        if not held:
            known = dict(
                session.execute(
                    select(JobSegment.input_sha256, JobSegment.sha256)
                    .join(Job, Job.id == JobSegment.job_id)
                    .where(Job.video_id == run.video_id, JobSegment.sha256.is_not(None))
                ).all()
            )
            held = {(piece.track, piece.segment.start): known.get(piece.input_sha256) for piece in pieces}
            session.execute(
                insert(JobSegment),
                [
                    {
                        "job_id": context.held.job_id,
                        "track_number": piece.track,
                        "start": piece.segment.start,
                        "stop": piece.segment.stop,
                        "input_sha256": piece.input_sha256,
                        "sha256": held[piece.track, piece.segment.start],
                    }
                    for piece in pieces
                ],
            )
    return [piece for piece in pieces if held[piece.track, piece.segment.start] is not None]


def _open(context: Context, pieces: list[_Piece]) -> list[_Piece]:
    with context.database.session(readonly=True) as session:
        waiting = set(
            session.execute(
                select(JobSegment.track_number, JobSegment.start).where(
                    JobSegment.job_id == context.held.job_id, JobSegment.sha256.is_(None)
                )
            )
        )
    return [piece for piece in pieces if (piece.track, piece.segment.start) in waiting]


def _record(context: Context, piece: _Piece, stored: Stored, result: dict[str, Any]) -> None:
    with context.writing() as session:
        session.execute(update(Job).where(Job.id == context.held.job_id).values(result=result))
        blobs.record(session, context.storage, stored)
        session.execute(
            update(JobSegment)
            .where(
                JobSegment.job_id == context.held.job_id,
                JobSegment.track_number == piece.track,
                JobSegment.start == piece.segment.start,
            )
            .values(sha256=stored.sha256)
        )
