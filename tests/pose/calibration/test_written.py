from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose.calibration import written
from pose.calibration.calibration import LEVEL, TOLERANCE, Calibration, State, calibrate
from pose.calibration.residuals import Residuals
from pose.calibration.scale import Scale
from pose.calibration.situation import Regime

SCALES = {regime: Scale(floor=0.002, exponent=0.3, trust=0.7) for regime in Regime}


def hidden(seed: int, keyframes: int, regime: Regime = Regime.BETWEEN, points: int = 5) -> Residuals:
    rng = np.random.default_rng(seed)
    count = keyframes * points
    raw, gap = np.exp(rng.normal(-4, 1, count)), rng.integers(2, 12, count).astype(float)
    return Residuals(
        track=np.ones(count, dtype=np.int64),
        frame=np.repeat(10 * np.arange(keyframes), points),
        keypoint=np.tile(np.arange(points), keyframes),
        regime=np.full(count, regime, dtype=np.uint8),
        gap=gap,
        raw=raw,
        error=np.exp(rng.normal(-4, 1, count)),
    )


def known(keyframes: int, videos: int = 12) -> Calibration:
    return calibrate(hidden(1, keyframes), [hidden(seed, 12) for seed in range(2, 2 + videos)], [], SCALES)


def asked(seed: int, count: int = 400) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    regime = np.full(count, Regime.BETWEEN, dtype=np.uint8)
    return regime, rng.uniform(0.5, 60, count), np.exp(rng.normal(-4, 2, count)), rng.integers(0, 7, count)


def test_what_is_read_back_gives_the_same_numbers_to_the_last_bit():
    text = written.encode({"flow": known(12), "linear": known(4)})
    once = written.decode(text)
    again = written.decode(written.encode(once))
    for engine in ("flow", "linear"):
        for a, b in zip(once[engine].relative(*asked(3)), again[engine].relative(*asked(3)), strict=True):
            np.testing.assert_array_equal(a, b)
    assert written.encode(once) == text
    told = once["flow"].told[Regime.BETWEEN]
    assert (told.state, told.keyframes, told.videos) == (State.CALIBRATED, 12, 12)


def test_little_is_written_and_little_is_lost():
    whole = known(12)
    text = written.encode({"flow": whole})
    assert len(text) < 6000
    few = written.decode(text)["flow"]
    (radius, score), (wide, told) = whole.relative(*asked(3)), few.relative(*asked(3))
    np.testing.assert_allclose(wide, radius, rtol=1e-12)
    assert np.abs(told - score).max() < 0.03


@given(st.integers(0, 10**6), st.integers(2, 20))
@settings(max_examples=30, deadline=None)
def test_scores_are_shares_radii_positive_and_both_follow_the_raw_signal_and_the_gap(seed, keyframes):
    calibration = written.decode(written.encode({"flow": known(keyframes).own}))["flow"]
    regime, gap, raw, keypoint = asked(seed, 60)
    radius, score = calibration.relative(regime, gap, raw, keypoint)
    assert (radius > 0).all()
    assert ((score >= 0) & (score <= 1)).all()
    for wider in ((regime, gap * 1.7, raw, keypoint), (regime, gap, raw * 1.7, keypoint)):
        farther, lower = calibration.relative(*wider)
        assert (farther >= radius).all()
        assert (lower <= score).all()
    # One distribution: a radius within tolerance and a score that says otherwise would contradict each other.
    assert (score[radius < TOLERANCE] >= LEVEL - 1e-9).all()


def test_own_leaves_out_what_a_video_does_not_tell_enough_of():
    others = [hidden(seed, 12, regime) for seed in range(2, 14) for regime in Regime]
    two = calibrate(hidden(1, 2), others, [], SCALES)
    assert {*two.told} == {*Regime}
    assert {*two.own.told} == {Regime.BETWEEN}
    assert not calibrate(hidden(1, 1), others, [], SCALES).own.told
    # Two keyframes of one other video have no 90 % quantile, so there is no radius to give.
    assert not calibrate(hidden(1, 4), [hidden(2, 2)], [], SCALES).own.told


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"version":1}', '{"version":1,"engines":{"flow":{"between":{}}}}', '{"version":2}', "null"],
)
def test_something_else_is_told_apart(text):
    with pytest.raises(ValueError, match=r"calibration|Expecting|version"):
        written.decode(text)


def test_numbers_are_finite_json():
    def never(name: str) -> float:
        raise AssertionError(name)

    json.loads(written.encode({"flow": known(12)}), parse_constant=never)
