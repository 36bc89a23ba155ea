"""Fitting the engine ``stdpose`` to one video: stage B of propagation."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Mapping
from dataclasses import dataclass

import numpy as np

from models.adapt import AdaptRecipe, Step, Subject, collect, detect, fit, untrained
from models.detector import Detector
from models.engines.engine import FrameSource
from models.engines.stdpose import Detected, StdPoseEngine
from models.steadying import steady
from pose import boxes
from pose.formats import npy
from pose.segments import Segment, plan
from pose.track import Track, blank, join

#: Frames, of all subjects together, that are propagated for the detector to learn from.
FRAMES = 384

_LONGEST = 48  # frames of a stretch


def adapt(
    engine: StdPoseEngine, video: FrameSource, keyframes: Mapping[int, Track], recipe: AdaptRecipe | None = None
) -> Generator[Step, None, StdPoseEngine]:
    """Fit a detector to a video's labels, and to what the engine is sure of between them.

    The work does not grow with the video: stretches of it, spread evenly over time, stand for the whole.

    Args:
        engine: Stage A, without a detector.
        video: The frames.
        keyframes: Labels by track id, of one skeleton, each with a known point.
        recipe: How.

    Yields:
        A report after each step of the optimiser.

    Returns:
        The engine with the detector: its results depend on all of ``keyframes``.
    """
    recipe = recipe or AdaptRecipe()
    subjects = [
        Subject(labels, _pseudo(engine, video, labels, FRAMES // len(keyframes))) for labels in keyframes.values()
    ]
    detector = untrained(engine.network, subjects[0].labels.num_keypoints, recipe)
    yield from fit(detector, collect(video, subjects, recipe), recipe)
    return engine.with_detector(_Look(detector), _digest(keyframes, recipe))


def _pseudo(engine: StdPoseEngine, video: FrameSource, labels: Track, frames: int) -> Track:
    first, last = int(labels.frames[0]), int(labels.frames[-1])
    pieces = [piece for piece in plan(labels, first, last + 1, longest=_LONGEST) if len(piece) > 1]
    total = sum(len(piece) for piece in pieces)
    count = min(len(pieces), max(1, round(frames * len(pieces) / max(1, total))))
    chosen = [pieces[row] for row in np.unique(np.linspace(0, len(pieces) - 1, count).round().astype(int))]
    if not chosen:
        return blank(np.zeros(0, dtype=np.int64), labels.num_keypoints)
    return join([engine.propagate(video, labels, Segment(piece.start, piece.stop)) for piece in chosen])


def _digest(keyframes: Mapping[int, Track], recipe: AdaptRecipe) -> str:
    digest = hashlib.sha256(repr(recipe).encode())
    for number, labels in sorted(keyframes.items()):
        digest.update(f"{number} ".encode() + npy.encode(labels))
    return digest.hexdigest()[:12]


@dataclass(frozen=True, eq=False)
class _Look:
    """See ``models.engines.stdpose.Detect``."""

    detector: Detector

    def __call__(self, video: FrameSource, keyframes: Track, poses: Track) -> Detected:
        found = list(detect(self.detector, video, poses))
        xy = np.concatenate([part.xy for part in found]).astype(np.float64)
        mass = np.concatenate([part.mass for part in found]).astype(np.float64)
        labels = keyframes.between(int(poses.frames[0]), int(poses.frames[-1]) + 1)
        row, column = np.nonzero(labels.visibility)
        frame = labels.frames[row] - poses.frames[0]
        xy[frame, column], mass[frame, column] = labels.xy[row, column], 1.0
        size = np.linalg.norm(boxes.around(poses.xy, poses.visibility)[:, 2:], axis=-1)
        return Detected(steady(xy, mass, poses.xy.astype(np.float64), np.maximum(size, 1.0)), mass)
