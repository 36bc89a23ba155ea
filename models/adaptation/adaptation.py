"""Fitting the engine ``stdpose`` to one video: stage B of propagation."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from models.adaptation.detector import Detector
from models.adaptation.fitting import AdaptRecipe, Step, Subject, collect, detect, fit, untrained
from models.adaptation.steadying import steady
from models.cuts import Cuts
from models.devices import Compute
from models.engines.engine import FrameSource
from models.engines.stdpose import Detected, StdPoseEngine
from models.propagate import propagate_segment
from pose import boxes
from pose.formats import npy
from pose.segments import plan
from pose.track import Track, blank, join

#: Frames, of all subjects together, that are propagated for the detector to learn from.
FRAMES = 384

_LONGEST = 48  # frames of a stretch


class Adaptation:
    """Fits a detector to a video: to its labels, and to what the engine is sure of. Iterate, then take ``engine``.

    The work does not grow with the video: stretches of it, spread evenly over time, stand for the whole.

    Args:
        engine: Stage A, without a detector.
        video: The frames.
        keyframes: Labels by track id, of one skeleton, some with a known point; those without teach nothing.
        cuts: What is known of the video's cuts; more is added to it as it is found.
        recipe: How.
    """

    def __init__(
        self,
        engine: StdPoseEngine,
        video: FrameSource,
        keyframes: Mapping[int, Track],
        *,
        cuts: Cuts | None = None,
        recipe: AdaptRecipe | None = None,
    ) -> None:
        self._stage_a = engine
        self._video = video
        self._keyframes = keyframes
        self._labelled = [labels for labels in keyframes.values() if labels.visibility.any()]
        self._cuts = Cuts() if cuts is None else cuts
        self._recipe = recipe or AdaptRecipe()
        self._detector: Detector | None = None

    def __iter__(self) -> Iterator[Step]:
        """Fit; a report after each step of the optimiser."""
        recipe, engine = self._recipe, self._stage_a
        detector = untrained(engine.network, self._labelled[0].num_keypoints, recipe)
        ends = [recipe.steps * number // recipe.rounds for number in range(recipe.rounds + 1)]
        for number, (begin, end) in enumerate(pairwise(ends)):
            subjects = [Subject(labels, self._pseudo(engine, labels)) for labels in self._labelled]
            part = replace(recipe, seed=recipe.seed + number, steps=end - begin)
            for step in fit(detector, collect(self._video, subjects, part), part, engine.compute):
                yield Step(begin + step.number, recipe.steps, step.loss)
            engine = self._stage_a.with_detector(_Look(detector, engine.compute), self._stage_a.version)
        self._detector = detector

    @property
    def engine(self) -> StdPoseEngine:
        """The engine with the detector, once it is fitted: its results depend on all of the labels."""
        if self._detector is None:
            raise RuntimeError("the detector is not fitted yet")
        version = version_of(self._stage_a, self._keyframes, self._recipe)
        return self._stage_a.with_detector(_Look(self._detector, self._stage_a.compute), version)

    def _pseudo(self, engine: StdPoseEngine, labels: Track) -> Track:
        first, last = int(labels.frames[0]), int(labels.frames[-1])
        pieces = [piece for piece in plan(labels, first, last + 1, longest=_LONGEST) if len(piece) > 1]
        if not pieces:
            return blank(np.zeros(0, dtype=np.int64), labels.num_keypoints)
        total = sum(len(piece) for piece in pieces) * len(self._labelled)
        count = min(len(pieces), max(1, round(FRAMES * len(pieces) / total)))
        chosen = np.unique(np.linspace(0, len(pieces) - 1, count).round().astype(int))
        made = [propagate_segment(engine, self._video, labels, pieces[row], self._cuts) for row in chosen]
        return join(made)


def version_of(engine: StdPoseEngine, keyframes: Mapping[int, Track], recipe: AdaptRecipe | None = None) -> str:
    """The version of the engine that :class:`Adaptation` would give, known before it is fitted."""
    digest = hashlib.sha256(repr(recipe or AdaptRecipe()).encode())
    for number, labels in sorted(keyframes.items()):
        digest.update(f"{number} ".encode() + npy.encode(labels))
        if labels.absent.any():
            digest.update(labels.absent.tobytes())
    return f"{engine.version}-{digest.hexdigest()[:12]}"


@dataclass(frozen=True, eq=False)
class _Look:
    """See ``models.engines.stdpose.Detect``."""

    detector: Detector
    compute: Compute

    def __call__(self, video: FrameSource, keyframes: Track, poses: Track) -> Detected:
        found = list(detect(self.detector, video, poses, self.compute))
        xy = np.concatenate([part.xy for part in found]).astype(np.float64)
        mass = np.concatenate([part.mass for part in found]).astype(np.float64)
        labels = keyframes.between(int(poses.frames[0]), int(poses.frames[-1]) + 1)
        row, column = np.nonzero(labels.visibility)
        frame = labels.frames[row] - poses.frames[0]
        xy[frame, column], mass[frame, column] = labels.xy[row, column], 1.0
        size = np.linalg.norm(boxes.around(poses.xy, poses.visibility)[:, 2:], axis=-1)
        return Detected(steady(xy, mass, poses.xy.astype(np.float64), np.maximum(size, 1.0)), mass)
