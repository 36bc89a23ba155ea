"""Measuring: what an engine would have made of labelled frames, had their labels been hidden from it.

See ``app.runs.measuring`` for when that is done, and ``models.hiding`` for how.
"""

from __future__ import annotations

import hashlib
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select, update

from app.errors import DamagedObject
from app.jobs import ledger
from app.runs import measuring
from app.runs.measuring import MeasuringParams, MeasuringResult
from app.tables import Job, Run
from app.tracks import service as tracks
from models.compute.memory import ran_out
from models.engines.engine import Engine
from models.hiding import Hidden, choose, hide, lasting
from pose.calibration.situation import sizes
from pose.damage import inside
from pose.formats import hidden as files
from pose.formats import npy
from pose.formats.hidden import Uncovered
from pose.segments import Segment, relevant
from worker.context import Cancelled, Context, GivesWay, Stopping
from worker.kinds.fill import frames_of
from worker.kinds.propagate import listening
from worker.kinds.propagation import Propagation, digest_of, propagation_of

_STAGE = "hiding keyframes"
_LOOK_SECONDS = 0.1  # between two looks at what else waits
_MOST_OTHERS = 1024  # hidden keyframes of tracks that a run does not have


class _NoTime(Exception):
    """The measurement has taken as long as it may."""


@dataclass(frozen=True)
class _Wanted:
    """A keyframe to hide, and the digest of all that its errors depend on."""

    hidden: Hidden
    input_sha256: str


def run(context: Context) -> None:
    """Run a measuring job; what is known from the last time is not measured again."""
    params = MeasuringParams.of(context.held.params)
    with context.database.session(readonly=True) as session:
        run = session.get_one(Run, params.run_id)
        row = session.scalar(select(Job.result).where(Job.id == context.held.job_id))
    took = MeasuringResult.of(row).seconds if row else 0.0
    work = propagation_of(context, run.job_id)
    context.device_use.on(work.device)
    found = _Found(context, work, took)
    try:
        _uncover(context, work, found, params.seconds)
    except (Cancelled, Stopping):
        if found.news:
            context.insist(found.keep)
        raise
    context.insist(lambda: found.keep(end=True))


class _Found:
    """What is known of the engine on the video, and what comes to it.

    Args:
        context: The job.
        work: What is measured.
        took: Seconds that this job took before it gave way.
    """

    def __init__(self, context: Context, work: Propagation, took: float) -> None:
        self._context, self._work = context, work
        self._took, self._began = took, time.monotonic()
        before = _known(context, work)
        by_digest = {one.input_sha256: one for one in before}
        self._wanted = _plan(context, work)
        self.missing = [one for one in self._wanted if one.input_sha256 not in by_digest]
        #: What is not about a track of this run is as true as it was.
        self._others = [one for one in before if one.track not in work.labels][-_MOST_OTHERS:]
        self._mine = [by_digest[one.input_sha256] for one in self._wanted if one.input_sha256 in by_digest]
        self.news = False

    @property
    def seconds(self) -> float:
        """How long the job took so far."""
        return self._took + time.monotonic() - self._began

    def add(self, one: Uncovered) -> None:
        """Take in what came to light."""
        self._mine.append(one)
        self.news = True

    def keep(self, *, end: bool = False) -> None:
        """Write it down, and with ``end`` that the job is done."""
        context, known = self._context, self._others + self._mine
        left = len(self._wanted) - len(self._mine)
        result = MeasuringResult(
            run_id=self._work.run.id, hidden=len(self._mine), left=left, seconds=round(self.seconds, 3)
        ).to_row()
        stored = context.storage.put(files.encode(known))
        with context.keeping([stored]) as session:
            measuring.keep(session, self._work.run, self._work.name, len(known), stored.sha256)
            context.check_quota(session)
            if end:
                ledger.succeed(session, context.held, result)
            else:
                session.execute(update(Job).where(Job.id == context.held.job_id).values(result=result))
        self.news = False


def _uncover(context: Context, work: Propagation, found: _Found, seconds: float) -> None:
    """Hide what was not hidden yet, one keyframe after the other, as long as there is time and memory for it."""
    if not found.missing:
        return
    step = _Watch(context, lambda: found.seconds > seconds).step
    engine = listening(work.engine, context, step)
    try:
        with frames_of(context, work.video, step) as frames:
            for place, one in enumerate(found.missing):
                context.step(place / len(found.missing), _STAGE)
                step()
                (errors,) = hide(frames, work.labels, engine, [one.hidden], work.cuts)
                found.add(Uncovered(one.input_sha256, one.hidden.track, one.hidden.frame, errors))
    except _NoTime:
        pass
    except (MemoryError, RuntimeError) as error:
        if not ran_out(error):
            raise
        context.warn("out of memory: no more keyframes are hidden")


class _Watch:
    """Hears what ends or interrupts a measurement.

    Args:
        context: The job.
        over: Whether it has taken as long as it may.
    """

    def __init__(self, context: Context, over: Callable[[], bool]) -> None:
        self._context, self._over = context, over
        self._thread = threading.get_ident()
        self._looked_at = -float("inf")

    def step(self) -> None:
        """Hear whether to go on; may be called from several threads, and very often.

        Raises:
            _NoTime: It has taken as long as it may.
            GivesWay: Something more urgent waits.
            Cancelled: Somebody asked for an end.
        """
        self._context.check_cancelled()
        if self._over():
            raise _NoTime
        now = time.monotonic()
        if threading.get_ident() != self._thread or now - self._looked_at < _LOOK_SECONDS:
            return
        self._looked_at = now
        with self._context.database.session(readonly=True) as session:
            # A heartbeat would hear of it as well, but an annotator waits for what is to come.
            if session.scalar(select(Job.cancel_requested).where(Job.id == self._context.held.job_id)):
                raise Cancelled
            if measuring.gives_way(session, self._context.settings.queues):
                raise GivesWay


def _known(context: Context, work: Propagation) -> list[Uncovered]:
    """What came to light before, of tracks that are still there."""
    with context.database.session(readonly=True) as session:
        row = measuring.find(session, work.video.id, work.name)
        there = tracks.numbers(session, work.video)
    if row is None:
        return []
    try:
        known = files.decode(context.storage.get(row.sha256))
    except (FileNotFoundError, DamagedObject):
        return []  # it is measured anew
    return [one for one in known if one.track in there]


def _plan(context: Context, work: Propagation) -> list[_Wanted]:
    """What to hide, in this order: not what shows another frame's picture."""
    context.check_cancelled()
    possible = choose(work.labels, sys.maxsize)
    shown = ~inside(work.video.damaged or (), np.array([one.frame for one in possible], dtype=np.int64))
    hidden = lasting([one for one, seen in zip(possible, shown, strict=True) if seen])
    return [_Wanted(one, _digest(context, work, one)) for one in hidden]


def _digest(context: Context, work: Propagation, one: Hidden) -> str:
    """Of all that the errors on a hidden keyframe depend on."""
    context.check_cancelled()
    labels, segment = work.labels[one.track], Segment(one.frame, one.frame + 1)
    given = one.given(labels)
    diagonal = float(np.hypot(work.video.width or 0, work.video.height or 0))
    engine: Engine = work.engine
    poses = digest_of(f"{engine.name} {engine.version}", work.video, segment, relevant(given, segment))
    digest = hashlib.sha256(f"hidden {one.track} {poses}".encode())
    digest.update(npy.encode(labels.between(segment.start, segment.stop)))
    digest.update(sizes(given, segment.frames, diagonal).tobytes())
    return digest.hexdigest()
