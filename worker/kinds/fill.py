"""Filling a run: segment by segment, each stored before the ledger says that it is done.

The worker that holds the job puts its segments on the ledger, takes them a few at a time as those do that help it, and
ends the job when all are done. Helpers come of their own accord, see ``worker.registry``. What computes the poses, an
engine or an estimator, is handed in.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import numpy as np
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from app.jobs import held, ledger, notifier, segments
from app.jobs.params import Computed, PropagationResult
from app.jobs.segments import Taken
from app.runs import packing
from app.settings import QUICK
from app.tables import Job, JobSegment, Run, Video
from pose.doubt import doubted
from pose.formats import npy
from pose.frame_table import FrameTable
from pose.frames import FrameSource, RecentFrames
from pose.track import Track
from pose.video import VideoReader
from worker.context import Context, HelperContext, MissingFile, TakesLong
from worker.kinds.work import Compute, Work

_WAIT_SECONDS = 0.1  # for helpers that are not done
_COUNT_SECONDS = 0.5  # between two counts of what is done
_ASKED_AT_ONCE = 1000  # segments

# A worker takes neighbouring segments, of which it decodes the frames once, but not so much that others wait for it.
_MOST = 8
_FRAMES = 256


def fill(
    context: Context,
    work: Work,
    prepare: Callable[[FrameSource, Progress], Compute],
    *,
    stage: str,
    shared: bool,
    queue: Callable[[float], str],
    ended: Callable[[Session], None] | None = None,
) -> None:
    """Fill the run of the context's job and end the job; what was computed before, here or in an earlier run, is not
    computed again.

    Args:
        context: The job.
        work: What it consists of.
        prepare: Gives what computes the pieces, once the frames can be read.
        stage: What the job is said to be doing.
        shared: Whether other workers may help.
        queue: Where a job belongs of which so many frames, once for each track, are to be computed.
        ended: What is to be written with the end of the job.

    Raises:
        TakesLong: This worker does what is quick, and the job is not.
    """
    context.device_use.on(work.device)
    context.insist(lambda: _write_down(context, work, shared=shared))
    _check_lane(context, queue)
    progress = Progress(context, len(work.pieces), stage)
    progress.step()
    with frames_of(context, work.video, progress.step) as frames, context.sharing():
        compute = prepare(frames, progress)
        while progress.unfinished():
            if not _some(context, work, compute, progress.step):
                progress.step()
                time.sleep(_WAIT_SECONDS)
    context.insist(lambda: _end(context, work, ended))


def _end(context: Context, work: Work, ended: Callable[[Session], None] | None) -> None:
    with context.writing() as session:
        _learn(session, work, context.held.job_id)
        ledger.succeed(session, context.held, work.result().to_row())
        held.release(session, context.held.job_id)
        packing.queue(session, context.settings, work.run)
        if ended is not None:
            ended(session)


def help_fill(
    context: HelperContext, work: Work, prepare: Callable[[FrameSource], Compute], more: Callable[[], bool]
) -> bool:
    """Compute segments of a job that another worker holds, as long as there are any.

    Args:
        context: The help.
        work: What the job consists of.
        prepare: Gives what computes the pieces, once the frames can be read.
        more: Asked before each few segments whether to go on: a job that waits comes first.

    Returns:
        Whether this worker can help: not where it computes other things than the job's holder does.
    """
    context.device_use.on(work.device)
    with frames_of(context, work.video, context.check_cancelled) as frames, context.sharing():
        compute = prepare(frames)
        while more():
            try:
                if not _some(context, work, compute, context.check_cancelled, most_attempts=_attempts(context)):
                    return True
            except _OtherVersion:
                return False
    return True


def _check_lane(context: Context, queue: Callable[[float], str]) -> None:
    if context.settings.lane == "quick":
        with context.database.session(readonly=True) as session:
            wanted = queue(segments.unfinished_frames(session, context.held.job_id))
        if wanted not in QUICK.values():
            raise TakesLong(wanted)


class Going(Protocol):
    """The progress of a step that comes before the segments."""

    @property
    def stage(self) -> str:
        """The name of the step."""
        ...

    @property
    def progress(self) -> float:
        """From 0 to 1."""
        ...

    @property
    def elapsed(self) -> float:
        """Seconds that it took so far."""
        ...

    @property
    def remaining(self) -> float | None:
        """Seconds that it will still take, where that can be told."""
        ...


class Progress:
    """The progress of a job, whichever workers compute it; counted now and then.

    Args:
        context: The job.
        total: How many segments it has.
        stage: What it is said to be doing.
    """

    def __init__(self, context: Context, total: int, stage: str) -> None:
        self._context = context
        self._total = total
        self._stage = stage
        self._counted_at = -float("inf")
        self._open = self.unfinished()
        self._before: Callable[[], Going] | None = None
        self._share = 0.0  # of the job, that comes before the segments
        self._began, self._open_then = time.monotonic(), self._open

    def unfinished(self) -> int:
        """The number of segments that are not done."""
        with self._context.database.session(readonly=True) as session:
            self._open = segments.unfinished(session, self._context.held.job_id)
        self._counted_at = time.monotonic()
        return self._open

    @contextmanager
    def first(self, report: Callable[[], Going], *, share: float) -> Iterator[None]:
        """For the length of a block something else goes on, before any segment.

        Args:
            report: Tells how far it is.
            share: Of the job's progress that it takes.
        """
        self._before, self._share = report, share
        try:
            yield
        finally:
            self._before = None
            self._began, self._open_then = time.monotonic(), self._open

    def step(self) -> None:
        """Say how far the job is, and hear whether it shall go on, see ``Context.step``."""
        if self._before is not None:
            going = self._before()
            after = (1 - self._share) / self._share * (going.elapsed + (going.remaining or 0.0))
            remaining = None if going.remaining is None else going.remaining + after
            self._context.step(self._share * going.progress, going.stage, remaining)
            return
        if time.monotonic() - self._counted_at > _COUNT_SECONDS:
            self.unfinished()
        done = self._open_then - self._open
        remaining = (time.monotonic() - self._began) / done * self._open if done else None
        share = self._share + (1 - self._share) * (1 - self._open / self._total)
        self._context.step(share, self._stage, remaining)


class _OtherVersion(Exception):
    """The segments on the ledger are those of another engine."""


def _some(
    context: Context, work: Work, compute: Compute, step: Callable[[], None], *, most_attempts: int | None = None
) -> int:
    """Take a few segments and compute them; tells how many there were."""
    batch = _take(context, _batch(work), most_attempts)
    for taken in batch:
        piece = work.pieces.get((taken.track, taken.start))
        if piece is None or piece.input_sha256 != taken.input_sha256:
            raise _OtherVersion
        _record(context, work, taken, doubted(compute(piece), work.video.damaged or ()))
        context.metrics.segments.labels(work.name).inc()
        context.metrics.frames.labels(work.name).inc(len(piece.segment))
        step()
    return len(batch)


def _take(context: Context, count: int, most_attempts: int | None) -> list[Taken]:
    job_id, owner, lease = context.held.job_id, context.held.owner, context.settings.lease_seconds
    tried = False

    def take() -> list[Taken]:
        nonlocal tried
        with context.database.session() as session:
            if tried:
                segments.give_back(session, job_id, owner)  # what was taken, and nobody heard of it
            tried = True
            return segments.take(session, job_id, owner, lease, count, most_attempts=most_attempts)

    return context.insist(take)


def _batch(work: Work) -> int:
    """The number of segments that a worker takes at a time."""
    frames = sum(len(piece.segment) for piece in work.pieces.values())
    return max(1, min(_MOST, _FRAMES * len(work.pieces) // frames))


def _record(context: Context, work: Work, taken: Taken, poses: Track) -> None:
    stored = context.storage.put(npy.encode(poses))

    def record() -> None:
        with context.keeping([stored]) as session:
            _learn(session, work, taken.job_id)
            session.execute(update(Job).where(Job.id == taken.job_id).values(result=work.result().to_row()))
            segments.record(session, taken, stored.sha256)

    context.insist(record)


def _learn(session: Session, work: Work, job_id: int) -> None:
    if (row := session.scalar(select(Job.result).where(Job.id == job_id))) is not None:
        work.learn(PropagationResult.of(row))


def _attempts(context: Context) -> int:
    with context.database.session(readonly=True) as session:
        return session.scalars(select(Job.max_attempts).where(Job.id == context.held.job_id)).one()


@contextmanager
def frames_of(context: Context, video: Video, step: Callable[[], None]) -> Iterator[FrameSource]:
    """The frames of a video, for the length of a block.

    Args:
        context: The job.
        video: Which.
        step: Called when a frame is asked for.

    Raises:
        MissingFile: The video is not in the storage.
    """
    assert video.proxy_sha256 is not None
    assert video.proxy_table_sha256 is not None
    try:
        table = FrameTable.from_bytes(context.storage.get(video.proxy_table_sha256))
        proxy = context.storage.file(video.proxy_sha256, context.check_cancelled)
        proxy.stat()
    except FileNotFoundError as error:
        raise MissingFile(f"the file of video {video.id} is missing from the storage") from error
    with VideoReader(proxy, table, key=video.proxy_sha256) as reader:
        yield _Watched(RecentFrames(reader), step)


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
    """Segments of the video that were computed from these inputs before, in this run or another."""
    # Of a video that was corrected often there are many more than are wanted.
    computed = (
        select(JobSegment.input_sha256, JobSegment.sha256)
        .join(Job, Job.id == JobSegment.job_id)
        .where(Job.video_id == run.video_id, JobSegment.sha256.is_not(None), JobSegment.input_sha256.in_(digests))
    )
    return {digest: sha256 for digest, sha256 in session.execute(computed)}  # noqa: C416


def _computed_before(session: Session, work: Work) -> Computed | None:
    """The pedigree of the run that computed this one's segments last; of this one, where it is done."""
    digests = {piece.input_sha256 for piece in work.pieces.values()}
    makers = (
        select(Run)
        .join(JobSegment, JobSegment.job_id == Run.job_id)
        .where(Run.video_id == work.run.video_id, JobSegment.input_sha256.in_(sorted(digests)[:1]))
        .order_by(Run.id.desc())
    )
    own = session.get_one(Run, work.run.id)
    rows = (run.computed for run in (own, *session.scalars(makers)) if run.computed)
    return next((Computed.of(row) for row in rows), None)


def _write_down(context: Context, work: Work, *, shared: bool) -> None:
    """Put the segments on the ledger, those that were computed before as done, and let others help with the rest."""
    job_id, run = context.held.job_id, work.run
    wanted = {key: piece.input_sha256 for key, piece in work.pieces.items()}
    with context.database.session(readonly=True) as session:
        mine = select(JobSegment.track_number, JobSegment.start, JobSegment.input_sha256)
        held = session.execute(mine.where(JobSegment.job_id == job_id)).all()
    if {(track, start): digest for track, start, digest in held} != wanted:
        _begin(context, work)
    with context.writing() as session:
        session.execute(update(Run).where(Run.id == run.id).values(engine=work.name, checkpoint_sha256=work.weights))
        unfinished = segments.unfinished(session, job_id)
        computed = work.computed if unfinished else _computed_before(session, work)
        if computed is not None:
            session.execute(update(Run).where(Run.id == run.id).values(computed=computed.to_row()))
        if shared and unfinished > _batch(work):
            segments.share(session, job_id)
            notifier.notify_after_commit(
                session, session.scalars(select(Job.queue).where(Job.id == job_id)).one(), job_id
            )


def _begin(context: Context, work: Work) -> None:
    """Write all segments, some at a time: there can be a hundred thousand, and others write as well.

    Nobody takes one before the job is shared. What an engine of another version began, or an attempt that was ended
    here, is begun anew.
    """
    job_id, pieces = context.held.job_id, [*work.pieces.values()]
    with context.writing() as session:
        session.execute(update(Job).where(Job.id == job_id).values(shared=False))
        session.execute(delete(JobSegment).where(JobSegment.job_id == job_id))
    for first in range(0, len(pieces), _ASKED_AT_ONCE):
        context.check_cancelled()
        some = pieces[first : first + _ASKED_AT_ONCE]
        with context.database.session(readonly=True) as session:
            known = _known(session, work.run, [piece.input_sha256 for piece in some])
        with context.writing() as session:
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
                    for piece in some
                ],
            )
