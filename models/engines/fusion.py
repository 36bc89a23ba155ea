"""Making one result of several candidates, each with an error bar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.engines.confidence import SHAPE

_FLOOR = 0.004  # share of the subject's size: no candidate is surer
_SURENESS = 2.0  # exponent of an error bar in its candidate's weight
_WIDTH = 0.6  # of a candidate's kernel relative to its own and the judged one's error bars
_ROUNDS = 4
_DISAGREEMENT = 0.5  # share of the spread of candidates that is added to the error bar

#: From the median of a log-logistic distance (see ``models.engines.confidence``) to its 90th percentile.
RADIUS90 = 9 ** (1 / SHAPE)


@dataclass(frozen=True, eq=False)
class Candidates:
    """Places that a point might have, of ``C`` sources.

    Attributes:
        xy: ``(C, F, K, 2)`` frame pixels.
        scale: ``(C, F, K)`` pixels, median of the distance from the truth; infinite where a source says nothing.
    """

    xy: np.ndarray
    scale: np.ndarray


def fuse(candidates: Candidates, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Weigh candidates by how sure they are and by how many others agree.

    The result is a weighted mean, repeated with weights that fall with the distance from the mean so far, so that a
    candidate far from the others has no say unless it is much surer than they (a robust M-estimate of location; the
    weights are ours).

    Args:
        candidates: At least one must be finite everywhere.
        size: The subject's size in pixels.

    Returns:
        ``(F, K, 2)`` places, and ``(F, K)`` radii in pixels that hold the true place 90 % of the time.
    """
    bar = np.maximum(candidates.scale / size, _FLOOR)
    sure = np.where(np.isfinite(bar), bar, 1.0) ** -_SURENESS * np.isfinite(bar)
    place = np.where(np.isfinite(bar)[..., None], candidates.xy, 0) / size
    best = np.argmax(sure, axis=0)[None, ..., None]
    xy = np.take_along_axis(place, best, axis=0)[0]
    for _ in range(_ROUNDS):
        distance = np.linalg.norm(place - xy, axis=-1)
        weight = sure / (1 + (distance / (_WIDTH * (bar.min(axis=0) + 0.02))) ** 2)
        weight /= weight.sum(axis=0)
        xy = (weight[..., None] * place).sum(axis=0)
    spread = np.sqrt((weight * ((place - xy) ** 2).sum(axis=-1)).sum(axis=0))
    finite = np.where(np.isfinite(bar), bar, 0.0)
    radius = RADIUS90 * (np.exp((weight * np.log(np.maximum(finite, _FLOOR))).sum(axis=0)) + _DISAGREEMENT * spread)
    return xy * size, radius * size
