"""What is said of a calibration is known from keyframes that it was not told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pose.calibration.account import Account, account
from pose.calibration.calibration import State
from pose.calibration.residuals import Residuals, concatenate
from pose.calibration.scale import Scale
from pose.calibration.situation import Regime

SCALES = {regime: Scale(floor=0.002, exponent=0.3, trust=0.7) for regime in Regime}


def hidden(seed: int, keyframes: int, factor: float = 1.0, points: int = 8) -> Residuals:
    """Keyframes of a video that is ``factor`` times harder than the engine thinks."""
    rng, count = np.random.default_rng(seed), keyframes * points
    raw, gap = np.exp(rng.normal(-3.5, 1, count)), rng.integers(2, 12, count).astype(float)
    scale = factor * np.exp(SCALES[Regime.BETWEEN].log(gap, raw))
    return Residuals(
        track=np.ones(count, dtype=np.int64),
        frame=np.repeat(10 * np.arange(keyframes), points),
        keypoint=np.tile(np.arange(points), keyframes),
        regime=np.full(count, Regime.BETWEEN, dtype=np.uint8),
        gap=gap,
        raw=raw,
        error=0.5 * scale * np.linalg.norm(rng.normal(size=(count, 2)), axis=1),
    )


OTHERS = [hidden(seed, 10) for seed in range(12)]
NOTHING = Account(State.PRIOR, 0, 0, 0, 0, None, None, None, None)


def test_a_video_like_the_others_is_held_and_its_scores_are_right():
    told = account(hidden(50, 40), OTHERS, [], SCALES)[Regime.BETWEEN]
    assert (told.state, told.keyframes, told.points, told.videos) == (State.CALIBRATED, 40, 320, 12)
    assert told.coverage == pytest.approx(0.9, abs=0.05)
    assert told.ece is not None
    assert told.ece < 0.08
    assert told.auroc is not None
    assert told.auroc > 0.7


def test_a_keyframe_is_not_judged_by_what_it_told_itself():
    # Each keyframe is as hard as it likes: who knows them all holds nine in ten, who does not holds fewer.
    parts = [hidden(seed, 1, factor=float(np.exp(2 * np.random.default_rng(seed).normal()))) for seed in range(10)]
    for place, part in enumerate(parts):
        part.frame[:] = 10 * place
    told = account(concatenate(parts), [hidden(seed, 10, factor=0.3) for seed in range(12)], [], SCALES)
    coverage = told[Regime.BETWEEN].coverage
    assert coverage is not None
    assert coverage < 0.85


@pytest.mark.parametrize(
    ("keyframes", "state", "judged"),
    [(0, State.PRIOR, False), (1, State.PRIOR, False), (2, State.PROVISIONAL, True), (8, State.CALIBRATED, True)],
)
def test_of_few_keyframes_nothing_is_said(keyframes: int, state: State, judged: bool):
    told = account(hidden(1, keyframes), OTHERS, [], SCALES)[Regime.BETWEEN]
    assert (told.state, told.keyframes) == (state, keyframes)
    assert (told.coverage is not None) is (told.as_given is not None) is judged
    if keyframes < 8:
        assert (told.auroc, told.ece) == (None, None)


def test_where_nothing_is_known_nothing_is_said():
    assert set(account(Residuals.empty(), [], [], SCALES).values()) == {NOTHING}
    alone = account(hidden(1, 9), [], [], SCALES)[Regime.BETWEEN]
    assert (alone.state, alone.keyframes, alone.coverage) == (State.PRIOR, 9, None)
    assert alone.as_given is not None
    assert account(hidden(1, 9), OTHERS, [], SCALES)[Regime.OUTSIDE] == NOTHING


def test_what_is_right_everywhere_has_no_wrong_points_to_be_told_from():
    still = hidden(1, 40)
    still.error[:] = 0
    told = account(still, OTHERS, [], SCALES)[Regime.BETWEEN]
    assert (told.coverage, told.as_given, told.auroc) == (1, 1, None)


@given(st.integers(0, 6), st.integers(0, 3), st.integers(0, 3), st.integers(0, 2**16))
@settings(max_examples=40, deadline=None)
def test_shares_are_shares(keyframes: int, others: int, shipped: int, seed: int):
    told = account(hidden(seed, keyframes), OTHERS[:others], OTHERS[3 : 3 + shipped], SCALES)
    assert told == account(hidden(seed, keyframes), OTHERS[:others], OTHERS[3 : 3 + shipped], SCALES)
    for one in told.values():
        for share in (one.as_given, one.coverage, one.auroc, one.ece):
            assert share is None or 0 <= share <= 1
