"""How far off an estimator's points are, told from the heights of its heat maps, measured where the truth is known."""

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


def _quantile(share: np.ndarray) -> float:
    # Of few points the quantile is told from above: one of n + 1 intervals lies beyond the largest.
    rank = min(len(share), int(np.ceil(0.9 * (len(share) + 1))))
    return float(np.sort(share)[rank - 1])
