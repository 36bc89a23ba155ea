"""What a video's calibration rests on, and how well it keeps its word where keyframes were hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pose.calibration.calibration import CALIBRATED, PROVISIONAL, TOLERANCE, Calibration, State, calibrate
from pose.calibration.judging import auroc, calibration_error
from pose.calibration.residuals import Residuals
from pose.calibration.scale import Scale
from pose.calibration.situation import Regime

_FOLDS = 5

#: Points that tell whether scores are right, and of them right ones and wrong ones; fewer say little.
_ENOUGH_POINTS, _ENOUGH_OF_EACH = 100, 10


@dataclass(frozen=True)
class Account:
    """What is known in one regime.

    Attributes:
        state: What radii and scores rest on.
        keyframes: Of the video that were hidden.
        points: On them.
        videos: Other videos of the project that have any.
        shipped: Videos that filled up.
        as_given: Share of the points that the engine's own radii hold; None where fewer than two keyframes were hidden.
        coverage: Share of them that calibrated radii hold, each told without the keyframe that it is judged by; None
            where fewer than two keyframes were hidden, or nothing else is known.
        auroc: Probability that a point off by more than the tolerance has a lower calibrated score than one that is
            not; None where that is not known from eight keyframes, a hundred points, and ten of either kind.
        ece: Expected calibration error of calibrated scores; None where fewer keyframes or points were hidden.
    """

    state: State
    keyframes: int
    points: int
    videos: int
    shipped: int
    as_given: float | None
    coverage: float | None
    auroc: float | None
    ece: float | None


def account(
    own: Residuals,
    others: Sequence[Residuals],
    shipped: Sequence[Residuals],
    scales: Mapping[Regime, Scale],
) -> dict[Regime, Account]:
    """Give an account of each regime; see ``calibrate`` for the arguments."""
    told = calibrate(own, others, shipped, scales).told
    radius, score = crossed(own, others, shipped, scales)
    found = {}
    for regime in Regime:
        rows = own.regime == regime
        mine, known = own.select(rows), told.get(regime)
        count = mine.keyframes()[1]
        some = count >= PROVISIONAL
        judged = _judged(mine.error, radius[rows], score[rows], count) if some else (None, None, None)
        found[regime] = Account(
            state=State.PRIOR if known is None else known.state,
            keyframes=count,
            points=len(mine),
            videos=0 if known is None else known.videos,
            shipped=0 if known is None else known.shipped,
            as_given=float((mine.error <= mine.raw).mean()) if some else None,
            coverage=judged[0],
            auroc=judged[1],
            ece=judged[2],
        )
    return found


def _judged(
    error: np.ndarray, radius: np.ndarray, score: np.ndarray, keyframes: int
) -> tuple[float | None, float | None, float | None]:
    there = np.isfinite(radius)
    if not there.any():
        return None, None, None
    coverage = float((error <= radius)[there].mean())
    within, told = (error < TOLERANCE)[there], score[there]
    if keyframes < CALIBRATED or len(within) < _ENOUGH_POINTS:
        return coverage, None, None
    both = min(int(within.sum()), int((~within).sum())) >= _ENOUGH_OF_EACH
    return coverage, auroc(told, within) if both else None, calibration_error(told, within)


def crossed(
    own: Residuals, others: Sequence[Residuals], shipped: Sequence[Residuals], scales: Mapping[Regime, Scale]
) -> tuple[np.ndarray, np.ndarray]:
    """Radii over the size and scores of the video's own points, each told from keyframes on other frames.

    NaN where nothing can be told; see ``calibrate`` for the arguments.
    """
    radius, score = np.full((2, len(own)), np.nan)
    _, number = np.unique(own.frame, return_inverse=True)
    for fold in range(_FOLDS):
        rows = number % _FOLDS == fold
        if rows.any():
            told: Calibration = calibrate(own.select(~rows), others, shipped, scales)
            here = own.select(rows)
            radius[rows], score[rows] = told.relative(here.regime, here.gap, here.raw, here.keypoint)
    return radius, score
