"""An estimator's poses as candidates of propagation: a lab's own training helps with its next videos.

An estimator has seen other videos of the lab, but no label of this one; where it is off at the labels, it is off by
about as much between them. So its error at the labels is taken off in between, and a keypoint that it finds too far
from its labels is not believed at all. All of that is ours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.compute.devices import Compute
from models.engines.confidence import SHAPE
from models.engines.detection import Detected
from models.errors import CheckpointError
from models.estimators.checkpoints import Loaded
from models.estimators.predict import estimate_frames
from models.estimators.reliability import radius90
from models.estimators.views import boxes_on
from models.stdpose.engine import StdPoseEngine
from pose.frames import FrameSource, OnStep, no_step
from pose.segments import Segment
from pose.track import Track

_VERSION = 1
_BATCH = 8

#: Share of the subject's size: what is expected to be off by more is not believed.
WORST = 0.25
#: How sure a detector is by how far off it is, as the verifier learnt it (``models.pretraining.starts``).
SUREST, PER_SHARE = 0.92, 1.5


@dataclass(frozen=True, eq=False)
class EstimatorDetector:
    """See ``models.engines.detection.Detect``.

    Args:
        loaded: The estimator.
        points: For each keypoint of the labels, the estimator's, or -1 where it has none of that name.
        compute: Where it computes, and in which precision.
        step: Called several times a second; what it raises ends the propagation.
    """

    loaded: Loaded
    points: Sequence[int]
    compute: Compute
    step: OnStep = no_step

    def __call__(self, video: FrameSource, keyframes: Track, poses: Track) -> Detected:
        """The estimator's keypoints, less its error at the labels."""
        count, known = len(poses), np.asarray(self.points) >= 0
        xy, expected = poses.xy.astype(np.float64), np.full((count, len(self.points)), np.inf)
        if not known.any() or not bool((poses.visibility > 0).any()):
            return Detected(xy, np.zeros(expected.shape))
        estimator, theirs = self.loaded.estimator.to(self.compute.device), np.asarray(self.points)[known]
        window, around = Segment(int(poses.frames[0]), int(poses.frames[-1]) + 1), boxes_on(poses, poses.frames)
        with self.compute.autocast():
            found = estimate_frames(video, estimator, window, around, _BATCH, self.step)
        size = np.maximum(np.linalg.norm(around[:, 2:], axis=-1), 1.0)
        table = self.loaded.recipe.get("reliability", ())
        xy[:, known] = found.xy[:, theirs]
        expected[:, known] = radius90(table, found.height[:, theirs]) / 9 ** (1 / SHAPE)
        labels = keyframes.between(window.start, window.stop)
        for k in np.flatnonzero(known):
            labelled = labels.visibility[:, k] > 0
            frames, places = labels.frames[labelled], labels.xy[labelled, k].astype(np.float64)
            xy[:, k], doubt = anchored(xy[:, k], poses.frames, size, frames, places)
            expected[:, k] += doubt
        mass = np.clip(SUREST - PER_SHARE * expected, 0.05, 1.0)
        return Detected(xy, np.where((expected <= WORST) & (poses.visibility > 0), mass, 0.0))


def with_estimator(
    engine: StdPoseEngine, loaded: Loaded, keypoints: Sequence[str], step: OnStep = no_step
) -> StdPoseEngine:
    """The engine with an estimator's poses among its candidates.

    Args:
        engine: Not fitted to a video yet.
        loaded: The estimator; of another skeleton it gives the points of the same names.
        keypoints: Names of the labels' keypoints.
        step: Called several times a second; what it raises ends the propagation.

    Raises:
        CheckpointError: The estimator knows none of the keypoints.
    """
    points = by_name(keypoints, loaded.skeleton.keypoints)
    if max(points, default=-1) < 0:
        known = ", ".join(loaded.skeleton.keypoints)
        raise CheckpointError(f"the detector finds none of the keypoints that are labelled; it knows {known}")
    told = hashlib.sha256(f"{_VERSION} {loaded.sha256} {points}".encode()).hexdigest()
    detector = EstimatorDetector(loaded, points, engine.compute, step)
    return engine.with_detector(detector, f"{engine.version}-detector-{told[:12]}")


def by_name(ours: Sequence[str], theirs: Sequence[str]) -> tuple[int, ...]:
    """For each of our keypoints, which of theirs has the same name; -1 where none has."""
    number = {name: index for index, name in enumerate(theirs)}
    return tuple(number.get(name, -1) for name in ours)


def anchored(
    found: np.ndarray, frames: np.ndarray, size: np.ndarray, labelled: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take the error at a keypoint's labels off what was found in between.

    Args:
        found: ``(F, 2)`` frame pixels.
        frames: ``(F,)`` consecutive.
        size: ``(F,)`` of the subject in pixels.
        labelled: ``(L,)`` frames among them on which the keypoint is labelled, ascending.
        places: ``(L, 2)`` the labels.

    Returns:
        ``(F, 2)`` places, and ``(F,)`` how far off they may be for what is seen at the labels, in shares of the size:
        half of what the errors at the labels on both sides differ by, half of the only error where there is one side,
        infinite without a label, and where the errors are larger than an estimator's that knows the keypoint.
    """
    if not len(labelled):
        return found, np.full(len(found), np.inf)
    rows = labelled - frames[0]
    error = found[rows] - places
    far = np.linalg.norm(error, axis=-1) / size[rows]
    shift = np.stack([np.interp(frames, labelled, error[:, axis]) for axis in range(2)], axis=-1)
    after = np.searchsorted(labelled, frames)
    left, right = np.maximum(after - 1, 0), np.minimum(after, len(labelled) - 1)
    between = (after > 0) & (after < len(labelled))
    apart = np.linalg.norm(error[left] - error[right], axis=-1) / size
    doubt = np.where(between, apart, far[np.where(after > 0, left, right)]) / 2
    doubt = np.where(np.minimum(far[left], far[right]) > WORST, np.inf, doubt)
    doubt[rows] = 0.0
    return found - shift, doubt
