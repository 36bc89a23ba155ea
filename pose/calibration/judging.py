"""How well radii and scores keep what they say, judged by errors that are known."""

from __future__ import annotations

import numpy as np

_BINS = 10


def auroc(score: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve: the probability that a positive has the higher score; ties count half.

    Args:
        score: ``(N,)``.
        positive: ``(N,)`` bool; NaN comes of one that is all alike.
    """
    if positive.all() or not positive.any():
        return float("nan")
    _, inverse, counts = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    n = int(positive.sum())
    return float((rank[positive].sum() - n * (n + 1) / 2) / (n * (len(score) - n)))


def calibration_error(score: np.ndarray, within: np.ndarray) -> float:
    """Expected calibration error: the mean distance of score and truth over ten bins of scores of equal width.

    After Guo et al., *On calibration of modern neural networks* (ICML 2017).

    Args:
        score: ``(N,)`` from 0 to 1.
        within: ``(N,)`` bool, whether what the score is the probability of is so.
    """
    place = np.minimum((score * _BINS).astype(int), _BINS - 1)
    gaps = (abs((score[place == one] - within[place == one]).sum()) for one in range(_BINS))
    return float(sum(gaps) / len(score))
