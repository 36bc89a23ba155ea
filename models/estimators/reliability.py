"""Calibration of the heights of an estimator's heat maps, measured where the truth is known.

How far off its points are, where they are there at all; and whether they are, where people said of points that they are
absent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

#: Share of the box diagonal that holds a point 90 % of the time where nothing was measured.
UNKNOWN = 0.5

_BINS = 8
_FEWEST = 20  # points in a bin


def fit(height: np.ndarray, share: np.ndarray) -> list[tuple[float, float]]:
    """Radii by height of heat maps.

    The points are put in order of height, cut into bins of equal number, and the 90 % quantile of each is made to fall
    with the height, by pooling neighbours that do not (isotonic regression).

    Args:
        height: ``(P,)`` of the heat maps at the points found, 0 to 1.
        share: ``(P,)`` how far off these are, in shares of the box diagonal.

    Returns:
        Pairs of mean height and radius, heights ascending; none where there are too few points.
    """
    order = np.argsort(height, kind="stable")
    bins = min(_BINS, len(order) // _FEWEST)
    pooled: list[tuple[np.ndarray, float]] = []
    for part in np.array_split(order, bins) if bins else ():
        rows, radius = part, _quantile(share[part])
        while pooled and pooled[-1][1] < radius:
            rows = np.concatenate([pooled.pop()[0], rows])
            radius = _quantile(share[rows])
        pooled.append((rows, radius))
    return [(float(height[rows].mean()), radius) for rows, radius in pooled]


def radius90(table: Sequence[Sequence[float]], height: np.ndarray) -> np.ndarray:
    """The radius that holds points 90 % of the time, in shares of the box diagonal, of any shape as ``height`` is."""
    if not len(table):
        return np.full(height.shape, UNKNOWN)
    heights, radii = np.asarray(table, dtype=np.float64).T
    found: np.ndarray = np.interp(height, heights, radii)
    return found


def fit_presence(there: np.ndarray, absent: np.ndarray) -> list[tuple[float, float]]:
    """Probabilities that a point is there, by height of heat maps.

    In bins as those of ``fit``, the share of points that are there is made to rise with the height. Absent points weigh
    no more than the others do, all in all: people label absences where it is hard to tell, and as often as they like.

    Args:
        there: ``(P,)`` heights at points that are there.
        absent: ``(Q,)`` heights where points are absent.

    Returns:
        Pairs of mean height and probability, heights ascending; none where nothing is absent, or too few points are
        known.
    """
    height = np.concatenate([there, absent])
    bins = min(_BINS, len(height) // _FEWEST)
    if not len(absent) or not len(there) or not bins:
        return []
    present = np.concatenate([np.ones(len(there)), np.zeros(len(absent))])
    weight = np.where(present > 0, 1.0, min(1.0, len(there) / len(absent)))
    pooled: list[tuple[np.ndarray, float]] = []
    for part in np.array_split(np.argsort(height, kind="stable"), bins):
        rows, share = part, float(np.average(present[part], weights=weight[part]))
        while pooled and pooled[-1][1] > share:
            rows = np.concatenate([pooled.pop()[0], rows])
            share = float(np.average(present[rows], weights=weight[rows]))
        pooled.append((rows, share))
    return [(float(height[rows].mean()), share) for rows, share in pooled]


def presence(table: Sequence[Sequence[float]], height: np.ndarray) -> np.ndarray:
    """The probability that points are there at all, of any shape as ``height`` is; 1 where nothing was measured."""
    if not len(table):
        return np.ones(height.shape)
    heights, shares = np.asarray(table, dtype=np.float64).T
    found: np.ndarray = np.interp(height, heights, shares)
    return found


def _quantile(share: np.ndarray) -> float:
    # Of few points the quantile is told from above: one of n + 1 intervals lies beyond the largest.
    rank = min(len(share), int(np.ceil(0.9 * (len(share) + 1))))
    return float(np.sort(share)[rank - 1])
