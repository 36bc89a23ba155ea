"""Bias of pseudo-labels: whether those that an estimator learnt from lie to one side of where people put the points.

An estimator that learnt from both is held against both. Where it errs by itself, it errs alike on both, since they are
of the same subjects; by what its mean offset from pseudo-labels differs from that from people's labels, pseudo-labels
lie to one side. Heat maps are learnt so robustly that a few labels that are off hardly show in an estimator's errors on
what was held out; here they do, because nothing else moves a mean over many frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from models.evaluation.bootstrap import block_rows, draws, fewest_blocks, interval, summed
from models.evaluation.judged import LabelledPrediction
from pose import boxes
from pose.track import blank

#: How far the pseudo-labels of a keypoint may lie to one side on average, in shares of the box diagonal.
OFFSET_TOLERANCE = 0.01

#: Fewest points of each kind.
FEWEST_POINTS = 10

_FARTHEST = 0.2  # an offset counts as no longer: there the estimator saw something else


@dataclass(frozen=True, eq=False)
class TrainingFit:
    """The labels that an estimator learnt from, of one subject, and its own poses there.

    Attributes:
        judged: Its labels, of people and of a machine, as the truth.
        weight: ``(F, K)`` how much each counted: 1 for a person's, less for a pseudo-label, 0 for none.
    """

    judged: LabelledPrediction
    weight: np.ndarray


@dataclass(frozen=True)
class Offset:
    """A keypoint whose pseudo-labels lie to one side.

    Attributes:
        keypoint: Its place in the skeleton.
        mean: How far, in shares of the box diagonal.
        low: Lower end of its confidence interval.
        high: Upper end.
    """

    keypoint: int
    mean: float
    low: float
    high: float


def farthest_offset(learnt: Sequence[TrainingFit], *, seed: int = 0, confidence: float = 0.95) -> Offset | None:
    """The keypoint whose pseudo-labels lie farthest to one side; None where none can be told.

    Pseudo-labels count by their weights. The interval is of the part along the mean offset, see
    ``models.evaluation.bootstrap``.

    Args:
        learnt: Of an estimator.
        seed: Of the draws.
        confidence: Of the interval, two-sided.

    Raises:
        ValueError: Weights do not fit the labels.
    """
    parts = [_offsets(one) for one in learnt]
    rows, count = block_rows([(one.judged.video, frames) for one, (frames, _, _) in zip(learnt, parts, strict=True)])
    if count < fewest_blocks(confidence):
        return None
    offset = np.concatenate([offset for _, offset, _ in parts])
    weight = np.concatenate([weight for _, _, weight in parts])
    person = (weight >= 1).astype(np.float64)
    machine = np.where(weight < 1, weight, 0.0)
    told = (person.sum(axis=0) >= FEWEST_POINTS) & ((machine > 0).sum(axis=0) >= FEWEST_POINTS)
    if not told.any():
        return None
    sums = [
        (summed(offset[:, told] * kind[:, told, None], rows, count), summed(kind[:, told], rows, count))
        for kind in (person, machine)
    ]
    mean = _difference(sums, np.ones((1, count)))[0]
    size = np.linalg.norm(mean, axis=-1)
    along = mean / np.maximum(size, 1e-12)[:, None]
    drawn = np.concatenate([(_difference(sums, times) * along).sum(axis=-1) for times in draws(count, seed)])
    low, high = interval(drawn, count, confidence)
    worst = int(np.argmax(low))
    return Offset(int(np.flatnonzero(told)[worst]), float(size[worst]), float(low[worst]), float(high[worst]))


def _offsets(learnt: TrainingFit) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames ``(F,)``, offsets of labels from what is seen ``(F, K, 2)``, in box diagonals, and their weights."""
    truth = learnt.judged.truth
    if learnt.weight.shape != truth.visibility.shape:
        raise ValueError(f"weights {learnt.weight.shape} do not fit labels {truth.visibility.shape}")
    guess = learnt.judged.guess.over(blank(truth.frames, truth.num_keypoints))
    guess = guess.select(np.isin(guess.frames, truth.frames))
    known = (learnt.weight > 0) & (truth.visibility > 0)
    diagonal = np.linalg.norm(boxes.around(truth.xy, known.astype(np.uint8))[:, 2:], axis=-1)
    fits = known & (guess.visibility > 0) & ((known.sum(axis=1) >= 2) & (diagonal > 0))[:, None]
    offset = (truth.xy - guess.xy) / np.maximum(diagonal, 1e-9)[:, None, None]
    length = np.linalg.norm(offset, axis=-1, keepdims=True)
    offset = offset * np.minimum(1, _FARTHEST / np.maximum(length, 1e-12))
    return truth.frames, np.where(fits[..., None], offset, 0), np.where(fits, learnt.weight, 0)


def _difference(sums: Sequence[tuple[np.ndarray, np.ndarray]], times: np.ndarray) -> np.ndarray:
    """Mean offset of pseudo-labels less that of people's, ``(D, K, 2)``, with blocks counted ``times`` ``(D, U)``."""
    person, machine = (
        np.einsum("du,uka->dka", times, offset) / np.maximum(times @ weight, 1e-9)[..., None] for offset, weight in sums
    )
    difference: np.ndarray = machine - person
    return difference
