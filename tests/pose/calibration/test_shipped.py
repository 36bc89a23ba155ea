from __future__ import annotations

import numpy as np
import pytest

from pose.calibration.calibration import ENOUGH_VIDEOS, State, calibrate
from pose.calibration.residuals import Residuals
from pose.calibration.shipped import SCALES, shipped
from pose.calibration.situation import Regime

ENGINES = ("linear", "flow", "stdpose")


@pytest.mark.parametrize("engine", ENGINES)
def test_there_are_enough_videos_to_stand_in_for_a_projects(engine):
    for regime in (Regime.BETWEEN, Regime.OUTSIDE):
        assert sum((video.regime == regime).any() for video in shipped(engine)) >= ENOUGH_VIDEOS


@pytest.mark.parametrize("engine", ENGINES)
def test_who_has_labelled_nothing_yet_has_finite_radii_that_say_prior(engine):
    calibration = calibrate(Residuals.empty(), [], shipped(engine), SCALES)
    assert {told.state for told in calibration.told.values()} == {State.PRIOR}
    gap = np.array([0.5, 2, 8, 64])
    regime = np.full(4, Regime.BETWEEN)
    radius, score = calibration.relative(regime, gap, 0.02 * gap, np.zeros(4, dtype=np.int64))
    assert np.isfinite(radius).all()
    assert (np.diff(radius) > 0).all()
    assert (np.diff(score) < 0).all()


def test_an_engine_that_was_fitted_has_none():
    assert shipped("stdpose adapted") == ()
