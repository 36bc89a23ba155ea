from __future__ import annotations

import numpy as np

from models.estimators.reliability import UNKNOWN, fit, radius90


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
