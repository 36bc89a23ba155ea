"""Absent subjects and keypoints: the same rules for every engine.

An absence is an anchor in time as a place is. Between two of them there is no pose. Between a place and an absence a
point is followed from the place, and is gone somewhere on the way: nobody said where, so the share of the way that is
left is taken for the probability that it is still there.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from models.engines.confidence import LEAST_SCORE, SHAPE
from models.engines.engine import Engine
from pose.frames import FrameSource
from pose.segments import Segment, plan, relevant, vacant
from pose.track import Track, blank, join


def propagate_around(engine: Engine, video: FrameSource, keyframes: Track, segment: Segment) -> Track:
    """Poses on every frame of a segment by an engine, which is shown the labels that have a place alone.

    Args:
        engine: What propagates.
        video: The frames, without a cut.
        keyframes: The labels of one subject.
        segment: The frames wanted.
    """
    if not keyframes.absent.any():
        if not keyframes.visibility.any():
            return blank(segment.frames, keyframes.num_keypoints)
        return engine.propagate(video, keyframes, segment)
    return join([_between(engine, video, relevant(keyframes, part), part) for part in _parts(keyframes, segment)])


def _parts(keyframes: Track, segment: Segment) -> Iterator[Segment]:
    """The frames from one label up to the next: what a label says of places ends where another one says absent."""
    yield from plan(keyframes, segment.start, segment.stop, longest=max(1, len(segment)))


def _between(engine: Engine, video: FrameSource, near: Track, part: Segment) -> Track:
    placed: np.ndarray = np.any(near.visibility > 0, axis=1)
    places = near.select(placed)
    if not len(places):
        return blank(part.frames, near.num_keypoints)
    return masked(engine.propagate(video, places, part), near)


def masked(poses: Track, labels: Track) -> Track:
    """Poses as they are beside what people said: none where points are absent, and fading on the way there.

    Args:
        poses: Of a machine, of one subject.
        labels: People's, of the same subject; of them those next to the poses in time count.
    """
    if not labels.absent.any():
        return poses
    return faded(poses.without(vacant(labels, poses.frames)), left_over(labels, poses.frames))


def left_over(keyframes: Track, frames: np.ndarray) -> np.ndarray:
    """``(F, K)`` share of the way from a place to an absence that is left; 1 where there is no such way.

    Args:
        keyframes: The labels, ``(L, K)``.
        frames: ``(F,)`` ascending frame indices.
    """
    left = np.ones((len(frames), keyframes.num_keypoints))
    for k in np.flatnonzero(keyframes.absent.any(axis=0)):
        rows = np.flatnonzero(keyframes.said[:, k])
        labelled, absent = keyframes.frames[rows], keyframes.absent[rows, k]
        before = np.searchsorted(labelled, frames, side="right") - 1
        after = np.searchsorted(labelled, frames, side="left")
        within = (before >= 0) & (after < len(rows))
        before, after = np.where(within, before, 0), np.where(within, after, 0)
        gone = np.clip(frames - labelled[before], 0, None) / np.maximum(labelled[after] - labelled[before], 1)
        left[:, k] = np.where(within & absent[after] & ~absent[before], 1 - gone, left[:, k])
        left[:, k] = np.where(within & absent[before] & ~absent[after], gone, left[:, k])
    return left


def faded(poses: Track, share: np.ndarray) -> Track:
    """The same with scores multiplied by ``(F, K)``, and error bars as wide as such scores mean.

    Scores and error bars stay those of one distribution, see ``models.engines.confidence``.
    """
    score = poses.score * share
    fading = (share < 1) & (poses.score > 0) & (poses.score < 1)
    before, after = np.where(fading, poses.score, 0.5), np.where(fading, np.maximum(score, LEAST_SCORE), 0.5)
    wider = ((1 / after - 1) / (1 / before - 1)) ** (1 / SHAPE)
    return Track(
        frames=poses.frames,
        xy=poses.xy,
        visibility=poses.visibility,
        score=score.astype(np.float32),
        radius90=(poses.radius90 * wider).astype(np.float32),
        absent=poses.absent,
    )
