"""How well a run's engine keeps its word on a video, as the API shows it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class ReliabilityBin(BaseModel):
    """Points on hidden keyframes whose calibrated ``score`` is from ``low`` up to ``high``: what share was ``within``.

    ``within`` and ``score``, their mean score, ought to be the same. A point is within where it is off by less than 5 %
    of the subject's size.
    """

    low: float
    high: float
    points: int
    score: float
    within: float


class CoverageOut(BaseModel):
    """Points on hidden keyframes: what share of them radii hold, which ought to be 0.9.

    ``error`` is their median distance from the label, a share of the subject's size; ``coverage_as_given`` the share
    that the engine's own radii hold, ``coverage_calibrated`` that of radii told from other keyframes. All three are
    None where fewer than two keyframes were hidden, the last also where nothing can be calibrated. ``gap_low`` and
    ``gap_high`` are how far from their labels they were: ``ab / (a + b)`` frames with labels ``a`` before and ``b``
    after, ``a`` where there is only one.
    """

    keyframes: int
    points: int
    error: float | None
    coverage_as_given: float | None
    coverage_calibrated: float | None
    gap_low: float
    gap_high: float


class KeypointCoverage(CoverageOut):
    """That of a keypoint, counted from 0."""

    keypoint: int


class RegimeReport(BaseModel):
    """One kind of situation, see ``RegimeOut``.

    ``gaps`` are thirds of the hidden keyframes, those nearest to their labels first; ``hardest_quarter`` are those on
    which the engine's own radii are the widest, None for fewer than four.
    """

    regime: Literal["between", "outside", "occluded"]
    reliability: list[ReliabilityBin]
    keypoints: list[KeypointCoverage]
    gaps: list[CoverageOut]
    hardest_quarter: CoverageOut | None


class EngineError(BaseModel):
    """How far an engine was off, in the mean and as a share of the subject's size, on what all engines were asked."""

    engine: str
    error: float


class EnginesOut(BaseModel):
    """The engines that were measured on a video, the best one first, on the ``points`` on keyframes hidden from all.

    ``words`` say what follows. With points on fewer than eight such ``keyframes`` nothing follows.
    """

    keyframes: int
    points: int
    engines: list[EngineError]
    words: str


class TrustOut(BaseModel):
    """How well radii and scores of a run's engine keep their word on its video, by labels that were hidden from it.

    ``learnt`` is as in ``CalibrationOut``. ``regimes`` are those in which any keyframe was hidden. ``engines`` is None
    where fewer than two were measured on the same keyframes.
    """

    run_id: int
    engine: str
    measured_run_id: int | None
    learnt: Literal["fitted", "checkpoint"] | None
    regimes: list[RegimeReport]
    engines: EnginesOut | None
