"""A paired bootstrap over blocks of time: how much of a difference between two estimators may be chance.

Labels a moment apart are much alike, so what is drawn again and again is not frames but blocks of time within videos,
with all their subjects, and both estimators' errors in them together (Künsch, *The jackknife and the bootstrap for
general stationary observations*, Annals of Statistics 1989; Koehn, *Statistical significance tests for machine
translation evaluation*, EMNLP 2004). With few blocks percentiles are too narrow; they are widened as Hesterberg has it
(*What teachers should know about the bootstrap*, The American Statistician 2015, "expanded percentile"): to those at
which the normal distribution has the quantiles of Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, stdtrit

from models.evaluation.judged import LabelledPrediction

#: Length of a block: half a second of usual video. Errors farther apart have little to do with each other.
BLOCK_FRAMES = 15

#: Draws.
DRAWS = 10_000

_CELLS = 1 << 22  # numbers of a batch of draws


@dataclass(frozen=True, eq=False)
class Blocks:
    """Relative distances of two estimators on the same labels, summed by block of time.

    Attributes:
        errors: ``(U, K)`` sums of the first one's.
        rivals: ``(U, K)`` sums of the other's.
        points: ``(U, K)`` how many there are.
        frames: How many frames of subjects there are in all.
    """

    errors: np.ndarray
    rivals: np.ndarray
    points: np.ndarray
    frames: int

    def __len__(self) -> int:
        return len(self.points)

    def means(self) -> tuple[float, float]:
        """Mean relative distance of the first one and of the other; NaN where there are no points."""
        count = self.points.sum()
        return (float(self.errors.sum() / count), float(self.rivals.sum() / count)) if count else (math.nan, math.nan)


@dataclass(frozen=True, eq=False)
class Gains:
    """By how much the first one's mean relative distance is smaller than the other's, with confidence intervals.

    Attributes:
        low: Lower end over all points.
        high: Upper end.
        keypoints: ``(K,)`` gain of each keypoint; 0 for one without labels.
        keypoint_low: ``(K,)`` lower ends.
        keypoint_high: ``(K,)`` upper ends.
    """

    low: float
    high: float
    keypoints: np.ndarray
    keypoint_low: np.ndarray
    keypoint_high: np.ndarray


def in_blocks(judged: Sequence[LabelledPrediction], rivals: Sequence[LabelledPrediction]) -> Blocks:
    """Sum errors up by block.

    Args:
        judged: Subjects with the first estimator's poses.
        rivals: The same subjects in the same order with the other's.
    """
    count = judged[0].truth.num_keypoints if judged else 0
    errors, rival_errors, known = ([np.zeros((0, count))] for _ in range(3))
    frames = []
    for one, rival in zip(judged, rivals, strict=True):
        ours, theirs = one.errors(), rival.errors()
        frames.append((one.video, ours.frames))
        errors.append(np.where(ours.known, ours.errors, 0))
        rival_errors.append(np.where(ours.known, theirs.errors, 0))
        known.append(ours.known.astype(np.float64))
    rows, blocks = block_rows(frames)
    return Blocks(
        errors=summed(np.concatenate(errors), rows, blocks),
        rivals=summed(np.concatenate(rival_errors), rows, blocks),
        points=summed(np.concatenate(known), rows, blocks),
        frames=len(rows),
    )


def block_rows(frames: Sequence[tuple[str, np.ndarray]]) -> tuple[np.ndarray, int]:
    """Which block each of the frames of some videos lies in, one video after the other, and how many blocks there are.

    Args:
        frames: Videos and their frames ``(F,)``; subjects of one video share its blocks.
    """
    blocks = [(video, block) for video, some in frames for block in (some // BLOCK_FRAMES).tolist()]
    place = {block: number for number, block in enumerate(sorted(set(blocks)))}
    return np.array([place[block] for block in blocks], dtype=np.int64), len(place)


def summed(values: np.ndarray, rows: np.ndarray, count: int) -> np.ndarray:
    """``(count, ...)`` sums of the values ``(F, ...)`` of the frames in each block."""
    sums = np.zeros((count, *values.shape[1:]))
    np.add.at(sums, rows, values)
    return sums


def gains(blocks: Blocks, seed: int, confidence: float) -> Gains:
    """Draw blocks with replacement, as many as there are, and see how the gain comes out each time.

    Args:
        blocks: Two or more.
        seed: Of the draws.
        confidence: Of the intervals, two-sided.
    """
    saved = blocks.rivals - blocks.errors
    overall, by_keypoint = [], []
    for times in draws(len(blocks), seed):
        gain, points = times @ saved, times @ blocks.points
        overall.append(gain.sum(axis=1) / points.sum(axis=1))
        # A draw without a label of a keypoint says nothing of it: as if it were as before.
        by_keypoint.append(_ratio(gain, points))
    low, high = interval(np.concatenate(overall), len(blocks), confidence)
    keypoint_low, keypoint_high = interval(np.concatenate(by_keypoint), len(blocks), confidence)
    total = _ratio(saved.sum(axis=0), blocks.points.sum(axis=0))
    return Gains(float(low), float(high), total, keypoint_low, keypoint_high)


def draws(count: int, seed: int) -> Iterator[np.ndarray]:
    """The number of times that each of ``count`` blocks is drawn in each of ``DRAWS`` draws: ``(some, count)`` at a
    time.
    """
    rng = np.random.default_rng((seed, 0x6A7E))
    chances = np.full(count, 1 / count)
    batch = max(1, _CELLS // count)
    for start in range(0, DRAWS, batch):
        yield rng.multinomial(count, chances, size=min(batch, DRAWS - start)).astype(np.float64)


def interval(drawn: np.ndarray, blocks: int, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper ends of what came out in the draws ``(DRAWS, ...)``, widened as is due to so many blocks."""
    quantile = stdtrit(blocks - 1, (1 + confidence) / 2)
    tail = float(ndtr(-math.sqrt(blocks / (blocks - 1)) * quantile))
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return low, high


def fewest_blocks(confidence: float) -> int:
    """So many that chance favours one side in all of them no more often than an interval may be wrong at one end."""
    return max(2, math.ceil(math.log2(2 / (1 - confidence))))


def _ratio(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    ratio: np.ndarray = np.divide(total, count, out=np.zeros_like(total), where=count > 0)
    return ratio
