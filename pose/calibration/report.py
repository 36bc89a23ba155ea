"""What a video's hidden keyframes tell of radii and scores: reliability, coverage by keypoint, error against the gap.

All of it is judged by keyframes on other frames than those that a radius was told from (``account.crossed``). A part of
which fewer than two keyframes were hidden has numbers of points, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pose.calibration.account import crossed
from pose.calibration.calibration import PROVISIONAL, TOLERANCE
from pose.calibration.residuals import Residuals
from pose.calibration.scale import Scale
from pose.calibration.situation import Regime

_BINS, _PARTS = 10, 3


@dataclass(frozen=True)
class Bin:
    """Points with calibrated scores from ``low`` up to ``high``.

    Attributes:
        low: Least score.
        high: Greatest score.
        points: How many.
        score: Their mean score.
        within: Share of them that are off by less than the tolerance.
    """

    low: float
    high: float
    points: int
    score: float
    within: float


@dataclass(frozen=True)
class Part:
    """Some of the points on hidden keyframes.

    Attributes:
        keyframes: How many have any.
        points: How many there are.
        error: Their median error, a share of the subject's size.
        as_given: Share of them that the engine's own radii hold.
        calibrated: The same of calibrated radii; None where nothing can be calibrated.
        low: Least gap scale, frames.
        high: Greatest gap scale.
    """

    keyframes: int
    points: int
    error: float | None
    as_given: float | None
    calibrated: float | None
    low: float
    high: float


@dataclass(frozen=True)
class Report:
    """Of one regime.

    Attributes:
        reliability: By score, ascending, without bins that have no point; of no use below some hundred points.
        keypoints: By keypoint, counted from 0, of those that have any.
        gaps: By thirds of the hidden keyframes, those with the least gap scale first: error against gap.
        hardest: The quarter of the hidden keyframes on which the engine's own radii are the widest.
    """

    reliability: list[Bin]
    keypoints: dict[int, Part]
    gaps: list[Part]
    hardest: Part | None


def report(
    own: Residuals, others: Sequence[Residuals], shipped: Sequence[Residuals], scales: Mapping[Regime, Scale]
) -> dict[Regime, Report]:
    """Report on each regime of which any keyframe was hidden; see ``calibration.calibrate`` for the arguments."""
    radius, score = crossed(own, others, shipped, scales)
    found = {}
    for regime in Regime:
        rows = np.flatnonzero((own.regime == regime) & (own.raw > 0))
        if len(rows):
            found[regime] = _report(own.select(rows), radius[rows], score[rows])
    return found


def _report(own: Residuals, radius: np.ndarray, score: np.ndarray) -> Report:
    number, count = own.keyframes()

    def part(rows: np.ndarray) -> Part:
        return _part(own.select(rows), radius[rows])

    def ranked(values: np.ndarray) -> np.ndarray:
        """``(n,)`` place of each keyframe by the mean of its points."""
        mean = np.bincount(number, values, minlength=count) / np.bincount(number, minlength=count)
        place = np.empty(count, dtype=np.int64)
        place[np.argsort(mean, kind="stable")] = np.arange(count)
        return place

    by_gap, by_raw = ranked(own.gap)[number], ranked(own.raw)[number]
    thirds = [by_gap * _PARTS // count == third for third in range(_PARTS)]
    return Report(
        reliability=_reliability(own.error, score),
        keypoints={int(k): part(own.keypoint == k) for k in np.unique(own.keypoint)},
        gaps=[part(rows) for rows in thirds if rows.any()],
        hardest=part(4 * by_raw >= 3 * count) if count >= 4 else None,
    )


def _part(own: Residuals, radius: np.ndarray) -> Part:
    keyframes, low, high = own.keyframes()[1], float(own.gap.min()), float(own.gap.max())
    if keyframes < PROVISIONAL:
        return Part(keyframes, len(own), None, None, None, low, high)
    there = np.isfinite(radius)
    return Part(
        keyframes=keyframes,
        points=len(own),
        error=float(np.median(own.error)),
        as_given=float((own.error <= own.raw).mean()),
        calibrated=float((own.error <= radius)[there].mean()) if there.any() else None,
        low=low,
        high=high,
    )


def _reliability(error: np.ndarray, score: np.ndarray) -> list[Bin]:
    there = np.isfinite(score)
    score, within = score[there], error[there] < TOLERANCE
    place = np.minimum((score * _BINS).astype(int), _BINS - 1)
    return [
        Bin(one / _BINS, (one + 1) / _BINS, int(here.sum()), float(score[here].mean()), float(within[here].mean()))
        for one in range(_BINS)
        if (here := place == one).any()
    ]
