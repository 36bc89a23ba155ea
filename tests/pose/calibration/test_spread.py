from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pose.calibration.spread import Spread, two_layer

VALUES = st.floats(-20, 20, allow_nan=False)


def one_each(values: list[float]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(np.array([value]), np.array([0])) for value in values]


@pytest.mark.parametrize(("count", "rank"), [(9, 9), (10, 10), (19, 18), (20, 19), (99, 90)])
def test_the_quantile_of_alike_values_has_the_rank_of_a_finite_sample(count, rank):
    spread = two_layer(one_each([float(value) for value in range(1, count + 1)]), count)
    assert spread.quantile(0.9) == rank


def test_fewer_than_nine_values_have_no_ninety_percent_quantile():
    assert two_layer(one_each([1.0] * 8), 8).quantile(0.9) == np.inf
    assert two_layer([], 0).quantile(0.9) == np.inf


def test_a_video_of_many_keyframes_weighs_what_one_of_few_does():
    much = (np.zeros(1000), np.arange(1000))
    spread = two_layer([much, (np.array([5.0]), np.array([0]))], 1e9)
    assert spread.below(np.array([1.0]))[0] == pytest.approx(0.5, abs=0.2)
    assert spread.quantile(0.51) == 5


def test_a_keyframe_of_many_points_weighs_what_one_of_few_does():
    values, keyframes = np.array([0.0] * 9 + [5.0]), np.array([0] * 9 + [1])
    spread = two_layer([(values, keyframes)], 1e9)
    assert spread.quantile(0.49) == 0
    assert spread.quantile(0.51) == 5


@given(
    arrays(np.float64, st.integers(1, 40), elements=VALUES),
    st.integers(1, 100),
    arrays(np.float64, 8, elements=VALUES),
)
def test_probabilities_are_within_bounds_and_never_fall(values, units, asked):
    spread = two_layer([(values, np.arange(len(values)))], units)
    below = spread.below(np.sort(asked))
    assert ((below >= 0) & (below <= 1)).all()
    assert (np.diff(below) >= -1e-12).all()


@given(arrays(np.float64, st.integers(9, 40), elements=VALUES), st.floats(0.05, 0.9))
def test_quantile_and_probability_never_contradict_each_other(values, level):
    spread = two_layer([(values, np.arange(len(values)))], len(values))
    assert spread.below(np.array([spread.quantile(level)]))[0] >= level - 1e-9


def test_nothing_seen_means_no_probability():
    assert Spread(np.zeros(0), np.zeros(0)).below(np.array([0.0, 5.0])).tolist() == [0, 0]


@given(st.integers(1, 3000), st.integers(0, 10**6), st.sampled_from([0.5, 0.9, 0.95]))
def test_few_values_keep_the_quantile_and_about_every_probability(count, seed, level):
    values = np.random.default_rng(seed).normal(size=count)
    spread = two_layer([(values, np.arange(count))], count)
    few = spread.thinned(level)
    assert len(few.values) <= min(count, 67)
    assert few.quantile(level) == spread.quantile(level)
    assert (np.diff(few.mass) > 0).all()
    places = np.linspace(-4, 4, 200)
    assert np.abs(few.below(places) - spread.below(places)).max() < 0.04
