"""Propagation: segment by segment, each stored before the ledger says that it is done.

The worker that holds the job puts its segments on the ledger, takes them a few at a time as those do that help it, and
ends the job when all are done. Helpers come of their own accord, see ``help_out``. An engine that is fitted to the
video stays with the worker that fitted it, so such a job is not shared.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from app import blobs
from app.jobs import bell, ledger, segments
from app.jobs.segments import Taken
from app.runs import packing
from app.tables import Job, JobSegment, Run
from models.engines.engine import Engine, FrameSource, Stepwise
from models.propagate import RecentFrames
from models.registry import adaptable
from pose.formats import npy
from pose.frame_table import FrameTable
from pose.track import Track
from pose.video import Video as VideoReader
from worker.context import Context, HelperContext
from worker.memory import Sparing
from worker.pieces import Work, learn_cuts, result_of, work_of

log = logging.getLogger(__name__)

_WAIT_SECONDS = 0.1  # for helpers that are not done
_COUNT_SECONDS = 0.5  # between two counts of what is done
_ASKED_AT_ONCE = 1000  # segments


def propagate(context: Context) -> None:
    """Run a propagation job; segments that were computed before, here or in an earlier run, are not computed again."""
    work = work_of(context)
    context.stint.on(_device(work.engine, context.settings.device))
    _write_down(context, work)
    progress = _Progress(context, work)
    progress.step()
    with _frames(context, work, progress.step) as frames, context.sharing():
        engine = _listening(work.engine, context)
        if work.adapts and progress.unfinished():
            engine = _adapted(context, work, frames, lambda: progress.step("adapting"))
        sparing = Sparing(engine, context.metrics.spared)
        while progress.unfinished():
            if not _some(context, work, sparing, frames, progress.step):
                progress.step()
                time.sleep(_WAIT_SECONDS)
    with context.writing() as session:
        learn_cuts(work.cuts, session.scalar(select(Job.result).where(Job.id == context.held.job_id)))
        ledger.succeed(session, context.held, result_of(work))
        packing.queue(session, context.settings, work.run)


def help_out(context: HelperContext, more: Callable[[], bool]) -> bool:
    """Compute segments of a job that another worker holds, as long as there are any.

    Args:
        context: The help.
        more: Asked before each few segments whether to go on: a job that waits comes first.

    Returns:
        Whether this worker can help: not where its engine is of another version than the job holder's.
    """
    work = work_of(context)
    context.stint.on(_device(work.engine, context.settings.device))
    with _frames(context, work, context.listen) as frames, context.sharing():
        sparing = Sparing(_listening(work.engine, context), context.metrics.spared)
        while more():
            try:
                if not _some(context, work, sparing, frames, context.listen, most_attempts=_attempts(context)):
                    return True
            except _OtherVersion:
                return False
    return True


class _OtherVersion(Exception):
    """The segments on the ledger are those of another engine."""


def _some(
    context: Context,
    work: Work,
    engine: Sparing,
    frames: FrameSource,
    step: Callable[[], None],
    *,
    most_attempts: int | None = None,
) -> int:
    """Take a few segments and compute them; tells how many there were."""
    lease = context.settings.lease_seconds
    with context.database.session() as session:
        job_id, owner = context.held.job_id, context.held.owner
        batch = segments.take(session, job_id, owner, lease, work.batch, most_attempts=most_attempts)
    for taken in batch:
        piece = work.pieces.get((taken.track, taken.start))
        if piece is None or piece.input_sha256 != taken.input_sha256:
            raise _OtherVersion
        poses = engine.propagate(frames, piece.keyframes, piece.segment, work.cuts)
        _record(context, work, taken, poses)
        context.metrics.segments.labels(work.engine.name).inc()
        context.metrics.frames.labels(work.engine.name).inc(len(piece.segment))
        step()
    return len(batch)


def _record(context: Context, work: Work, taken: Taken, poses: Track) -> None:
    stored = context.storage.put(npy.encode(poses))
    with context.writing() as session:
        learn_cuts(work.cuts, session.scalar(select(Job.result).where(Job.id == taken.job_id)))
        session.execute(update(Job).where(Job.id == taken.job_id).values(result=result_of(work)))
        blobs.record(session, context.storage, stored)
        segments.record(session, taken, stored.sha256)


def _attempts(context: Context) -> int:
    with context.database.session(readonly=True) as session:
        return session.scalars(select(Job.max_attempts).where(Job.id == context.held.job_id)).one()


class _Progress:
    """How far a job is, whoever computes it: counted now and then."""

    def __init__(self, context: Context, work: Work) -> None:
        self._context = context
        self._total = len(work.pieces)
        self._counted_at = -float("inf")
        self._open = self.unfinished()

    def unfinished(self) -> int:
        with self._context.database.session(readonly=True) as session:
            self._open = segments.unfinished(session, self._context.held.job_id)
        self._counted_at = time.monotonic()
        return self._open

    def step(self, stage: str = "propagating") -> None:
        if time.monotonic() - self._counted_at > _COUNT_SECONDS:
            self.unfinished()
        self._context.step(1 - self._open / self._total, stage)


@contextmanager
def _frames(context: Context, work: Work, step: Callable[[], None]) -> Iterator[FrameSource]:
    video = work.video
    assert video.proxy_sha256 is not None
    assert video.proxy_table_sha256 is not None
    table = FrameTable.from_bytes(context.storage.get(video.proxy_table_sha256))
    proxy = context.storage.file(video.proxy_sha256, context.listen)
    with VideoReader(proxy, table, key=video.proxy_sha256) as reader:
        yield _Watched(RecentFrames(reader), step)


def _device(engine: Engine, wanted: str) -> str:
    if not adaptable(engine):
        return "cpu"
    from models.devices import pick  # loads PyTorch, as the engine has

    device = pick(wanted)
    return f"cuda:{device.index or 0}" if device.type == "cuda" else device.type


def _adapted(context: Context, work: Work, frames: FrameSource, step: Callable[[], None]) -> Engine:
    from models.adaptation.adaptation import Adaptation
    from models.adaptation.fitting import AdaptRecipe

    assert adaptable(work.engine)
    recipe = AdaptRecipe(steps=context.settings.adapt_steps)
    fitting = Adaptation(work.engine, frames, work.labels, cuts=work.cuts, recipe=recipe)
    for _ in fitting:
        step()
    return fitting.engine


def _listening(engine: Engine, context: Context) -> Engine:
    if isinstance(engine, Stepwise):
        engine.step = context.listen
    return engine


class _Watched:
    """A video that says when a frame is asked for: looking for a cut can take long between two segments."""

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


def _known(session: Session, run: Run, digests: Sequence[str]) -> dict[str, str | None]:
    """What segments of the video were computed from these inputs before, in this run or another."""
    known: dict[str, str | None] = {}
    # Of a video that was corrected often there are many more than are wanted.
    for first in range(0, len(digests), _ASKED_AT_ONCE):
        computed = (
            select(JobSegment.input_sha256, JobSegment.sha256)
            .join(Job, Job.id == JobSegment.job_id)
            .where(Job.video_id == run.video_id, JobSegment.sha256.is_not(None))
            .where(JobSegment.input_sha256.in_(digests[first : first + _ASKED_AT_ONCE]))
        )
        known |= dict(session.execute(computed).all())
    return known


def _write_down(context: Context, work: Work) -> None:
    """Put the segments on the ledger, those that were computed before as done, and let others help with the rest."""
    job_id, run, engine = context.held.job_id, work.run, work.engine
    with context.writing() as session:
        weights = getattr(engine, "checkpoint_sha256", None)
        session.execute(update(Run).where(Run.id == run.id).values(engine=engine.name, checkpoint_sha256=weights))
        wanted = {key: piece.input_sha256 for key, piece in work.pieces.items()}
        mine = select(JobSegment.track_number, JobSegment.start, JobSegment.input_sha256)
        held = session.execute(mine.where(JobSegment.job_id == job_id)).all()
        if {(track, start): digest for track, start, digest in held} != wanted:
            known = _known(session, run, [*wanted.values()])
            # What an engine of another version began is begun anew.
            session.execute(delete(JobSegment).where(JobSegment.job_id == job_id))
            session.execute(
                insert(JobSegment),
                [
                    {
                        "job_id": job_id,
                        "track_number": piece.track,
                        "start": piece.segment.start,
                        "stop": piece.segment.stop,
                        "input_sha256": piece.input_sha256,
                        "sha256": known.get(piece.input_sha256),
                    }
                    for piece in work.pieces.values()
                ],
            )
        if not work.adapts and segments.unfinished(session, job_id) > work.batch:
            segments.share(session, job_id)
            bell.note(session, session.scalars(select(Job.queue).where(Job.id == job_id)).one(), job_id)
