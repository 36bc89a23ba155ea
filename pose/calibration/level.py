"""How hard a video is beside the others of its project, told from few keyframes: a random-effects model.

``level = w * mean + (1 - w) * mu`` with ``w = between / (between + within / n)``: the mean of ``n`` hidden keyframes is
drawn towards that of the project, the more the fewer there are and the less videos differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Levels:
    """How levels of videos vary.

    Attributes:
        mean: Of the videos of a project.
        between: Variance of videos' levels.
        within: Variance of one keyframe about the level of its video.
    """

    mean: float
    between: float
    within: float

    def shrunk(self, mean: np.ndarray, count: int, towards: np.ndarray | None = None) -> np.ndarray:
        """The levels of videos, given the means of ``count`` keyframes of each.

        Args:
            mean: Any shape; does not matter where ``count`` is 0.
            count: Of keyframes.
            towards: What is known beside them, where not the mean of the project.
        """
        centre = np.full(np.shape(mean), self.mean) if towards is None else towards
        if count == 0:
            return centre
        noise = self.within / count
        weight = self.between / (self.between + noise) if self.between + noise > 0 else 1.0
        level: np.ndarray = weight * mean + (1 - weight) * centre
        return level


def levels_of(videos: Sequence[np.ndarray]) -> Levels:
    """Tell from the keyframes of some videos how levels vary; by the method of moments.

    Args:
        videos: ``(n,)`` a value for each keyframe; at least one video with one.

    Raises:
        ValueError: There is no keyframe.
    """
    some = [values for values in videos if len(values)]
    if not some:
        raise ValueError("levels cannot be told without a keyframe")
    means = np.array([values.mean() for values in some])
    counts = np.array([len(values) for values in some])
    spare = (counts - 1).sum()
    within = float(sum(((values - values.mean()) ** 2).sum() for values in some) / spare) if spare else 0.0
    between = max(float(means.var(ddof=1)) - within * float((1 / counts).mean()), 0.0) if len(some) > 1 else 0.0
    weight = 1 / (between + within / counts) if between + within > 0 else np.ones(len(some))
    return Levels(float((weight * means).sum() / weight.sum()), between, within)


def others_means(values: np.ndarray, count: int) -> np.ndarray:
    """For each of ``n`` keyframes the mean of ``count`` others, ``(n,)``: those that follow it in a fixed random order.

    Args:
        values: ``(n,)``.
        count: At most ``n - 1``; 0 gives zeros.
    """
    total = len(values)
    if not 0 <= count <= max(total - 1, 0):
        raise ValueError(f"of {total} keyframes none has {count} others")
    if count == 0:
        return np.zeros(total)
    order = np.random.default_rng(total).permutation(total)
    twice = np.concatenate([[0.0], np.cumsum(np.tile(values[order], 2))])
    places = np.arange(total)
    means = np.empty(total)
    means[order] = (twice[places + 1 + count] - twice[places + 1]) / count
    return means
