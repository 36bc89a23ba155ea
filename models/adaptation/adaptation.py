"""Fitting the engine ``stdpose`` to one video: stage B of propagation."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from models.adaptation.detector import Detector
from models.adaptation.fitting import AdaptRecipe, FitStep, FittingSubject, collect, detect, fit, untrained
from models.adaptation.pace import Clock, FittingPace, own_time
from models.compute.devices import Compute
from models.engines.cuts import Cuts
from models.engines.detection import Detected
from models.propagate import propagate_segment
from models.stdpose.engine import StdPoseEngine
from pose.formats import npy
from pose.frames import FrameSource
from pose.segments import Segment, plan
from pose.track import Track, blank, join

#: Frames, of all subjects together, that are propagated for the detector to learn from.
FRAMES = 384

_LONGEST = 48  # frames of a stretch
_LOOKING = 0.4  # share of a round's time after which no stretch is begun any more

#: What fitting is doing.
Stage = Literal["looking at frames", "fitting to the video"]


@dataclass(frozen=True)
class Report:
    """Progress of fitting.

    Attributes:
        stage: What it is doing.
        progress: Share of the time that is over, 0 to 1; it never falls.
        elapsed: Seconds that it took so far.
        remaining: Seconds that it will still take; None before anything can be told.
    """

    stage: Stage
    progress: float
    elapsed: float
    remaining: float | None


class Adaptation:
    """Fits a detector to a video: to its labels, and to what the engine is sure of. Iterate, then take ``engine``.

    The work does not grow with the video: stretches of it, spread evenly over time, stand for the whole. It is bounded
    in time too: where the machine is slow, there are fewer steps.

    Args:
        engine: Stage A, without a detector.
        video: The frames.
        keyframes: Labels by track id, of one skeleton, some with a known point; those without teach nothing.
        cuts: What is known of the video's cuts; more is added to it as it is found.
        recipe: How.
        clock: Begins one that the recipe's seconds are counted by.
    """

    def __init__(
        self,
        engine: StdPoseEngine,
        video: FrameSource,
        keyframes: Mapping[int, Track],
        *,
        cuts: Cuts | None = None,
        recipe: AdaptRecipe | None = None,
        clock: Callable[[], Clock] = own_time,
    ) -> None:
        self._stage_a = engine
        self._video = video
        self._keyframes = keyframes
        self._labelled = [labels for labels in keyframes.values() if labels.visibility.any()]
        self._cuts = Cuts() if cuts is None else cuts
        self._recipe = recipe or AdaptRecipe()
        self._begin_clock = clock
        self._detector: Detector | None = None
        self._progress = _Progress(self._recipe)
        self._taken = 0

    def __iter__(self) -> Iterator[FitStep]:
        """Fit; a report after each step of the optimiser."""
        recipe, engine, progress = self._recipe, self._stage_a, self._progress
        clock = self._begin_clock()
        progress.begin()
        detector = untrained(engine.network, self._labelled[0].num_keypoints, recipe)
        ends = [recipe.steps * number // recipe.rounds for number in range(recipe.rounds + 1)]
        for number, (begin, end) in enumerate(pairwise(ends)):
            now, until = clock(), recipe.seconds * (number + 1) / recipe.rounds
            progress.look()
            looking = _Until(now + _LOOKING * max(0.0, until - now), clock)
            subjects = [FittingSubject(labels, self._pseudo(engine, labels, looking)) for labels in self._labelled]
            part = replace(recipe, seed=recipe.seed + number, steps=end - begin)
            examples = collect(self._video, subjects, part)
            pace = FittingPace(part.steps, until, clock)
            progress.learn(number)
            for step in fit(detector, examples, part, engine.compute, pace, hear=self._stage_a.step):
                self._taken += 1
                progress.stepped(step)
                yield FitStep(self._taken, self._taken + (step.total - step.number) + recipe.steps - end, step.loss)
            engine = self._stage_a.with_detector(_Look(detector, engine.compute), self._stage_a.version)
        self._detector = detector
        progress.end()

    @property
    def engine(self) -> StdPoseEngine:
        """The engine with the detector, once it is fitted: its results depend on all of the labels."""
        if self._detector is None:
            raise RuntimeError("the detector is not fitted yet")
        version = version_of(self._stage_a, self._keyframes, self._recipe)
        return self._stage_a.with_detector(_Look(self._detector, self._stage_a.compute), version)

    def report(self) -> Report:
        """The progress now; may be asked at any time, also in the middle of a step."""
        return self._progress.report()

    @property
    def pedigree(self) -> dict[str, Any]:
        """Entries for a run's pedigree: the steps taken and planned, how long they took, and in which precision."""
        asked = self._recipe.steps
        return {
            "steps": self._taken,
            "planned": asked,
            "seconds": round(self._progress.elapsed, 1),
            "short_of_time": self._taken < asked,
            "precision": self._stage_a.compute.to_learn().precision,
        }

    def _pseudo(self, engine: StdPoseEngine, labels: Track, looking: _Until) -> Track:
        first, last = int(labels.frames[0]), int(labels.frames[-1])
        pieces = [piece for piece in plan(labels, first, last + 1, longest=_LONGEST) if len(piece) > 1]
        if not pieces:
            return blank(np.zeros(0, dtype=np.int64), labels.num_keypoints)
        total = sum(len(piece) for piece in pieces) * len(self._labelled)
        count = min(len(pieces), max(1, round(FRAMES * len(pieces) / total)))
        chosen = np.unique(np.linspace(0, len(pieces) - 1, count).round().astype(int))
        made: dict[Segment, Track] = {}
        for row in chosen[spread(len(chosen))]:
            if made and looking.over():
                break
            piece = pieces[row]
            made[piece] = propagate_segment(engine, self._video, labels, piece, self._cuts)
        return join([made[piece] for piece in sorted(made)])


def spread(count: int) -> np.ndarray:
    """The numbers below ``count`` in an order of which any beginning is spread over all of them."""
    numbers = np.arange(1 << max(0, count - 1).bit_length())
    turned = np.zeros_like(numbers)
    for bit in range(max(0, count - 1).bit_length()):
        turned = (turned << 1) | (numbers >> bit & 1)
    return turned[turned < count]


@dataclass(frozen=True)
class _Until:
    """A moment by a clock."""

    end: float
    clock: Clock

    def over(self) -> bool:
        return self.clock() >= self.end


class _Progress:
    """Foretells how long fitting takes, by the clock on the wall, from how long its parts took so far."""

    def __init__(self, recipe: AdaptRecipe) -> None:
        self._recipe = recipe
        self._began: float | None = None
        self._stage: Stage = "looking at frames"
        self._entered = 0.0  # the present stage, at this time
        self._looked = 0.0  # seconds that the last look took
        self._round = 0
        self._left = 0.0  # seconds from the last step on
        self._at = 0.0  # when that was
        self._known = False
        self._shown = 0.0
        self._ended: float | None = None

    @property
    def elapsed(self) -> float:
        if self._began is None:
            return 0.0
        return (time.monotonic() if self._ended is None else self._ended) - self._began

    def begin(self) -> None:
        self._began = self._entered = time.monotonic()

    def look(self) -> None:
        self._stage, self._entered = "looking at frames", time.monotonic()

    def learn(self, number: int) -> None:
        now = time.monotonic()
        self._looked, self._round = now - self._entered, number
        self._stage, self._entered = "fitting to the video", now

    def stepped(self, step: FitStep) -> None:
        now = time.monotonic()
        each = (now - self._entered) / step.number
        rounds = self._recipe.rounds - 1 - self._round
        self._left = each * (step.total - step.number) + rounds * (self._looked + each * step.total)
        self._at, self._known = now, True

    def end(self) -> None:
        self._ended, self._left, self._shown = time.monotonic(), 0.0, 1.0

    def report(self) -> Report:
        if self._began is None or self._ended is not None:
            return Report(self._stage, self._shown, self.elapsed, 0.0 if self._ended is not None else None)
        # As long as nothing is known, all that may be taken is thought to be.
        left = self._left - (time.monotonic() - self._at) if self._known else self._recipe.seconds - self.elapsed
        # What takes longer than foretold draws near its end and does not get there.
        left = max(left, 0.05 * self.elapsed)
        self._shown = max(self._shown, min(0.999, self.elapsed / (self.elapsed + left)))
        return Report(self._stage, self._shown, self.elapsed, left if self._known else None)


def version_of(engine: StdPoseEngine, keyframes: Mapping[int, Track], recipe: AdaptRecipe | None = None) -> str:
    """The version of the engine that :class:`Adaptation` would give, known before it is fitted."""
    digest = hashlib.sha256((recipe or AdaptRecipe()).canonical.encode())
    digest.update(engine.compute.to_learn().precision.encode())
    for number, labels in sorted(keyframes.items()):
        digest.update(f"{number} ".encode() + npy.encode(labels))
        if labels.absent.any():
            digest.update(labels.absent.tobytes())
    return f"{engine.version}-{digest.hexdigest()[:12]}"


@dataclass(frozen=True, eq=False)
class _Look:
    """See ``models.engines.detection.Detect``."""

    detector: Detector
    compute: Compute

    def __call__(self, video: FrameSource, keyframes: Track, poses: Track) -> Detected:
        found = list(detect(self.detector, video, poses, self.compute))
        return Detected(np.concatenate([part.xy for part in found]), np.concatenate([part.mass for part in found]))
