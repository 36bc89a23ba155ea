"""Fusing candidates by their error bars."""

from __future__ import annotations

import numpy as np

from models.engines.fusion import Candidates, fuse


def fused(places: list[tuple[float, float]], scales: list[float]) -> tuple[np.ndarray, float]:
    xy = np.array(places, dtype=float)[:, None, None]
    place, radius = fuse(Candidates(xy, np.array(scales, dtype=float)[:, None, None]), size=100.0)
    return place[0, 0], float(radius[0, 0])


def test_candidates_that_agree_are_averaged_and_trusted() -> None:
    place, radius = fused([(10, 10), (12, 10)], [2, 2])
    np.testing.assert_allclose(place, (11, 10), atol=0.05)
    _, apart = fused([(10, 10), (40, 10)], [2, 2])
    assert radius < apart


def test_one_that_is_far_off_has_no_say() -> None:
    place, _ = fused([(10, 10), (11, 10), (60, 40)], [2, 2, 2.5])
    assert np.hypot(*(place - (10.5, 10))) < 1


def test_the_surer_one_decides() -> None:
    place, _ = fused([(10, 10), (50, 10)], [1, 20])
    assert np.hypot(*(place - (10, 10))) < 1


def test_a_candidate_without_an_error_bar_counts_for_nothing() -> None:
    place, radius = fused([(10, 10), (np.nan, np.nan)], [2, np.inf])
    np.testing.assert_allclose(place, (10, 10))
    assert np.isfinite(radius)
