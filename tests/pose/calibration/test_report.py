from __future__ import annotations

import numpy as np
import pytest

from pose.calibration.report import report
from pose.calibration.residuals import Residuals, concatenate
from pose.calibration.scale import Scale
from pose.calibration.situation import Regime

SCALES = {regime: Scale(floor=0.002, exponent=0.5, trust=0.7) for regime in Regime}


def hidden(seed: int, keyframes: int, regime: Regime = Regime.BETWEEN, points: int = 8) -> Residuals:
    """Errors that grow with the gap, as the scale says."""
    rng = np.random.default_rng(seed)
    count = keyframes * points
    gap = np.repeat(rng.permutation(keyframes) + 2.0, points)
    raw = np.exp(rng.normal(-3, 0.6, count))
    scale = np.exp(SCALES[regime].log(gap, raw))
    return Residuals(
        track=np.ones(count, dtype=np.int64),
        frame=np.repeat(10 * np.arange(keyframes), points),
        keypoint=np.tile(np.arange(points), keyframes),
        regime=np.full(count, regime, dtype=np.uint8),
        gap=gap,
        raw=raw,
        error=0.3 * scale * np.linalg.norm(rng.normal(size=(count, 2)), axis=1),
    )


OTHERS = [hidden(seed, 20) for seed in range(1, 12)]


def test_a_report_adds_up_and_radii_that_keep_their_word_are_seen_to():
    own = hidden(0, 60)
    (told,) = report(own, OTHERS, [], SCALES).values()
    assert sum(one.points for one in told.reliability) == len(own)
    assert [part.points for part in told.keypoints.values()] == [60] * 8
    assert sum(part.keyframes for part in told.gaps) == 60
    assert [(part.low, part.high) for part in told.gaps] == [(2, 21), (22, 41), (42, 61)]
    errors = [part.error for part in told.gaps]
    assert errors == sorted(errors)
    for part in (*told.gaps, told.hardest):
        assert part.calibrated == pytest.approx(0.9, abs=0.08)
    assert told.hardest.keyframes == 15
    ends = [(one.low, one.high) for one in told.reliability]
    assert ends == sorted(ends)
    for one in told.reliability:
        assert one.low <= one.score <= one.high
        if one.points >= 60:
            assert one.within == pytest.approx(one.score, abs=0.15)


def test_where_radii_are_too_small_that_is_told():
    own = hidden(0, 40)
    smaller = Residuals(**{**vars(own), "raw": own.raw / 50})
    (told,) = report(smaller, [Residuals(**{**vars(one), "raw": one.raw / 50}) for one in OTHERS], [], SCALES).values()
    assert all(part.as_given < 0.2 for part in told.gaps)
    assert all(part.calibrated > 0.8 for part in told.gaps)


def test_of_one_keyframe_nothing_is_told_but_that_it_is_there():
    (told,) = report(hidden(0, 1), OTHERS, [], SCALES).values()
    for part in (*told.keypoints.values(), *told.gaps):
        assert (part.keyframes, part.error, part.as_given, part.calibrated) == (1, None, None, None)
    assert told.hardest is None


def test_each_regime_is_told_apart_and_what_cannot_be_calibrated_has_no_coverage():
    both = concatenate([hidden(0, 12), hidden(3, 12, Regime.OUTSIDE)])
    told = report(both, OTHERS, [], SCALES)
    assert {*told} == {Regime.BETWEEN, Regime.OUTSIDE}
    alone = told[Regime.OUTSIDE]
    assert {part.calibrated for part in alone.gaps} == {None}
    assert alone.reliability == []
    assert all(0 <= part.as_given <= 1 for part in alone.gaps)
    assert report(Residuals.empty(), OTHERS, [], SCALES) == {}
