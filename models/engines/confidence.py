"""From an error bar to a score: both say how far off a point may be, and must not contradict each other."""

from __future__ import annotations

import numpy as np

#: A point is within tolerance when it is off by at most this share of the subject's size.
TOLERANCE = 0.05

#: Steepness of the distances' distribution.
SHAPE = 2.2

#: How much farther off points are where a label next to them was of a hidden point. A choice of ours: people place
#: hidden points by guess, and pixels cannot confirm them.
HIDDEN_FACTOR = 1.25

#: No error bar is wider than that of this score.
LEAST_SCORE = 1e-3


def score_of(radius90: np.ndarray, size: float) -> np.ndarray:
    """The probability that a point is within tolerance, given the radius that holds it 90 % of the time.

    Distances are taken to be log-logistic, ``P(d <= x) = 1 / (1 + (m / x)^SHAPE)`` with median ``m``: unlike a normal
    distribution it has the heavy tail that tracking errors have. ``SHAPE`` is what suited
    ``flow`` best between labels; ``linear``, and points outside the labels, would have a slightly smaller one. The form
    is ours.

    Args:
        radius90: Pixels, any shape.
        size: The subject's size in pixels.
    """
    score: np.ndarray = 1 / (1 + (radius90 / (TOLERANCE * size)) ** SHAPE / 9)
    return score


def radius_of(score: np.ndarray, size: float) -> np.ndarray:
    """The radius that holds a point 90 % of the time, given its score: the inverse of :func:`score_of`.

    Args:
        score: Probabilities, any shape; below ``LEAST_SCORE`` the radius grows no more.
        size: The subject's size in pixels.
    """
    odds = 1 / np.maximum(score, LEAST_SCORE) - 1
    radius: np.ndarray = TOLERANCE * size * (9 * odds) ** (1 / SHAPE)
    return radius


def widened(radius90: np.ndarray, size: float, there: np.ndarray) -> np.ndarray:
    """Error bars of points that are there at all only with some probability ``there``, which scores are multiplied by.

    Where ``there`` is 1 they stay bit for bit as they are.
    """
    wider: np.ndarray = radius_of(score_of(radius90, size) * there, size)
    return np.where(there < 1, np.maximum(wider, radius90), radius90)
