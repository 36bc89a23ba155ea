from __future__ import annotations

import numpy as np

from models.estimators.reliability import UNKNOWN, fit, fit_presence, presence, radius90


def test_radii_hold_nine_tenths_of_other_points() -> None:
    rng = np.random.default_rng(0)
    height = rng.uniform(0, 1, 4000)
    share = rng.rayleigh(0.2 - 0.15 * height)
    table = fit(height[:2000], share[:2000])
    held = share[2000:] <= radius90(table, height[2000:])
    assert 0.87 < held.mean() < 0.93
    for low in (0.0, 0.5):
        part = (height[2000:] >= low) & (height[2000:] < low + 0.5)
        assert 0.83 < held[part].mean() < 0.97


def test_higher_heat_maps_never_have_larger_radii() -> None:
    rng = np.random.default_rng(1)
    table = fit(rng.uniform(0, 1, 500), rng.uniform(0, 1, 500))
    heights, radii = np.array(table).T
    assert (np.diff(heights) > 0).all()
    assert (np.diff(radii) <= 0).all()


def test_too_few_points_tell_nothing() -> None:
    assert fit(np.ones(3), np.zeros(3)) == []
    assert (radius90([], np.ones((2, 3))) == UNKNOWN).all()


def test_low_heat_maps_where_points_are_absent_tell_that_they_are() -> None:
    there, absent = np.linspace(0.6, 1, 60), np.linspace(0, 0.3, 60)
    table = fit_presence(there, absent)
    heights, shares = np.array(table).T
    assert (np.diff(heights) > 0).all()
    assert (shares[0], shares[-1]) == (0, 1)
    assert (np.diff(shares) >= 0).all()
    np.testing.assert_array_equal(presence(table, np.array([[0.05], [0.9]])), [[0], [1]])


def test_that_points_are_absent_more_often_does_not_make_others_less_probable() -> None:
    there, absent = np.full(40, 0.5), np.full(400, 0.5)
    for few, many in ((absent[:40], 0.5), (absent, 0.5), (absent[:20], 2 / 3)):
        for _, share in fit_presence(there, few):
            assert share <= many + 1e-9
        np.testing.assert_allclose(np.average([share for _, share in fit_presence(there, few)]), many, atol=0.35)


def test_nothing_is_said_of_presence_where_nothing_is_absent() -> None:
    assert fit_presence(np.ones(100), np.zeros(0)) == []
    assert fit_presence(np.zeros(0), np.ones(100)) == []
    assert fit_presence(np.ones(5), np.zeros(5)) == []
    np.testing.assert_array_equal(presence([], np.zeros((2, 3))), np.ones((2, 3)))
