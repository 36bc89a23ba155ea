from __future__ import annotations

import numpy as np
import pytest

from pose.calibration.judging import auroc, calibration_error


def test_a_score_that_means_what_it_says_has_no_calibration_error():
    rng = np.random.default_rng(0)
    score = rng.random(200_000)
    assert calibration_error(score, rng.random(200_000) < score) < 0.005
    assert calibration_error(np.full(100, 0.9), np.zeros(100, dtype=bool)) == pytest.approx(0.9)


def test_of_pairs_those_count_whose_scores_are_in_order():
    positive = np.array([True, False, True, False])
    assert auroc(np.array([0.9, 0.1, 0.8, 0.2]), positive) == 1
    assert auroc(np.array([0.1, 0.9, 0.2, 0.8]), positive) == 0
    assert auroc(np.array([0.5, 0.5, 0.5, 0.5]), positive) == 0.5
    assert auroc(np.array([0.9, 0.1, 0.4, 0.4]), positive) == pytest.approx(3.5 / 4)


@pytest.mark.parametrize("alike", [True, False])
def test_without_both_kinds_nothing_is_known(alike: bool):
    assert np.isnan(auroc(np.array([0.1, 0.2]), np.full(2, alike)))
