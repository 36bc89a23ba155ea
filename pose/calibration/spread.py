"""The distribution of errors that are left once scale and level are taken off: quantiles of finitely many videos.

Two layers, after Dunn, Wasserman and Ramdas (*Distribution-free prediction sets for two-layer hierarchical models*,
JASA 2023) and Lee, Barber and Willett (*Distribution-free inference with hierarchical data*, 2023), known to us in
part: videos are drawn from a project, keyframes from a video, so every video weighs the same, and within it every
keyframe, however many points it has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Spread:
    """A distribution with some mass beyond all that was seen.

    Attributes:
        values: ``(N,)`` ascending.
        mass: ``(N,)`` probability of a value up to each; the last one is below 1.
    """

    values: np.ndarray
    mass: np.ndarray

    def quantile(self, level: float) -> float:
        """The least value that holds at least so much of the mass; infinite where all that was seen holds less."""
        row = int(np.searchsorted(self.mass, level - 1e-12, side="left"))
        return float(self.values[row]) if row < len(self.values) else float("inf")

    def thinned(self, level: float, count: int = 64) -> Spread:
        """About the same with few values: evenly spread by mass, the least and greatest, the quantile of ``level``.

        Args:
            level: Whose quantile stays as it is.
            count: Of values, about.
        """
        if len(self.values) <= count:
            return self
        rows = np.searchsorted(self.mass, np.linspace(0, self.mass[-1], count) - 1e-12, side="left")
        kept = np.searchsorted(self.mass, level - 1e-12, side="left")
        last = len(self.values) - 1
        rows = np.unique(np.minimum([0, *rows, kept, last], last))
        return Spread(self.values[rows], self.mass[rows])

    def below(self, values: np.ndarray) -> np.ndarray:
        """The probability of less, any shape: in between it is interpolated, below all that was seen it falls to 0.

        It never falls where the value grows, and is never so high that the quantile of it would be a greater value.
        """
        if not len(self.values):
            return np.zeros(np.shape(values))
        knots, first = np.unique(self.values, return_index=True)
        mass = np.maximum.reduceat(self.mass, first)
        # Below the least value the distribution is not known: half its mass for each factor of e.
        low = mass[0] * np.exp2(np.minimum(values - knots[0], 0))
        below: np.ndarray = np.clip(np.where(values < knots[0], low, np.interp(values, knots, mass)), 0, 1)
        return below


def two_layer(videos: Sequence[tuple[np.ndarray, np.ndarray]], units: float) -> Spread:
    """The spread of the values of some videos, each of which weighs the same, as each of its keyframes does.

    Args:
        videos: Values ``(N,)`` and the keyframe of each, counted from 0; videos without a value do not count.
        units: How many independent values that is worth: a share of ``1 / (units + 1)`` lies beyond all of them, which
            makes the quantile that of the rank ``ceil((n + 1) * level)`` of ``n`` values that weigh the same.
    """
    some = [(values, keyframes) for values, keyframes in videos if len(values)]
    if not some:
        return Spread(np.zeros(0), np.zeros(0))
    weights = []
    for _, keyframes in some:
        points = np.bincount(keyframes)
        weights.append(1 / (points[keyframes] * (points > 0).sum() * len(some)))
    values, weight = np.concatenate([values for values, _ in some]), np.concatenate(weights)
    order = np.argsort(values, kind="stable")
    return Spread(values[order], np.cumsum(weight[order]) * units / (units + 1))
