"""Which pseudo-labels know of held-out labels: those are not learnt from, or the hold-out would not be one.

An engine is given the labels next to a segment in time and nothing else (``pose.segments.relevant``), so the
pseudo-labels of a segment depend on a held-out label exactly where one is among those. An engine that was fitted to a
video has learnt from all labels of the propagation, and an estimator, also one that helps an engine, from all that its
training learnt from: where a held-out label is among these, none of the run's poses are learnt from. Poses that came in
a file may know of anything: none of them are learnt from where the video has held-out labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from sqlalchemy.orm import Session

from app.checkpoints.lineage import TrainingCoverage
from app.estimates.service import ESTIMATE
from app.jobs.params import PropagationParams, RunParams
from app.runs.imported import IMPORT
from app.runs.keyframes import keyframes_of
from app.storage import go_on
from app.tables import Checkpoint, Job, Run, Video
from app.trainings.spans import Spans
from pose.segments import Segment, plan, relevant
from pose.track import Track

_FITTED = "stdpose"  # the engine that can be fitted to a video


@dataclass(frozen=True)
class Dependence:
    """The part of a run that depends on held-out labels.

    Attributes:
        wholly: All of it.
        segments: By track, ascending, where not all of it does.
    """

    wholly: bool = False
    segments: Mapping[int, list[Segment]] = field(default_factory=dict)

    def cover(self, track: int, frames: np.ndarray) -> np.ndarray:
        """``(F,)`` bool: which of ``(F,)`` frames of a track have poses that depend on held-out labels."""
        if self.wholly:
            return np.ones(len(frames), dtype=bool)
        covered = np.zeros(len(frames), dtype=bool)
        for segment in self.segments.get(track, []):
            covered |= (frames >= segment.start) & (frames < segment.stop)
        return covered


def dependence(
    session: Session,
    run: Run,
    video: Video,
    held: Spans,
    held_frames: np.ndarray,
    step: Callable[[], None] = go_on,
) -> Dependence:
    """Find out what of a run depends on held-out labels.

    Args:
        session: The transaction.
        run: Of the video.
        video: Whose run it is.
        held: What is held out.
        held_frames: The video's labelled frames among it.
        step: Called now and then; what it raises ends this.
    """
    job = session.get_one(Job, run.job_id)
    if (number := RunParams.of(job.params).checkpoint_id) is not None:
        checkpoint = session.get(Checkpoint, number)
        if checkpoint is None:  # erased with its project: nobody knows what it has learnt from
            return Dependence(wholly=True)
        knows = bool(TrainingCoverage(session, checkpoint).cover(video.id, held_frames).any())
        if knows or job.kind == ESTIMATE:
            return Dependence(wholly=knows)
    if job.kind == IMPORT:
        # Nobody knows what poses of a file were made from: maybe from these very labels.
        return Dependence(wholly=bool(len(held_frames)))
    keyframes = keyframes_of(session, job, run, video, step=step)
    touched = {}
    for number, track in keyframes.items():
        step()
        if held.cover(video.id, track.frames).any():
            touched[number] = track
    params = PropagationParams.of(job.params)
    if params.adapt and run.engine == _FITTED:
        return Dependence(wholly=bool(touched))
    segments = {}
    for number, track in touched.items():
        step()
        segments[number] = [
            part for part in plan(track, params.start, params.stop) if _knows(track, part, video.id, held)
        ]
    return Dependence(segments=segments)


def _knows(keyframes: Track, segment: Segment, video: int, held: Spans) -> bool:
    return bool(held.cover(video, relevant(keyframes, segment).frames).any())
