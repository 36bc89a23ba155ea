"""Steadied detections keep a track's motion and lose the detections' flicker."""

from __future__ import annotations

import numpy as np
import pytest

from models.engines.smoothing import steady

_FRAMES, _POINTS = 40, 3
_SIZE = np.full(_FRAMES, 100.0)


@pytest.fixture
def truth() -> np.ndarray:
    steps = np.random.default_rng(0).normal(0, 4, (_FRAMES, _POINTS, 2))
    return 100 + steps.cumsum(axis=0)


def off(guess: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(guess - truth, axis=-1).mean())


def test_it_removes_flicker_and_drift(truth: np.ndarray) -> None:
    rng = np.random.default_rng(1)
    drifting = truth + np.linspace(0, 8, _FRAMES)[:, None, None]
    flickering = truth + rng.normal(0, 3, truth.shape)
    found = steady(flickering[None], np.ones(truth.shape[:2])[None], drifting, _SIZE)
    assert off(found, truth) < 0.5 * min(off(flickering, truth), off(drifting, truth))


def test_single_jumps_do_not_count(truth: np.ndarray) -> None:
    jumping = truth.copy()
    jumping[20] += 60
    found = steady(jumping[None], np.ones(truth.shape[:2])[None], truth, _SIZE)
    assert np.abs(found - truth).max() < 0.2


def test_detections_count_by_their_mass(truth: np.ndarray) -> None:
    mass = np.ones(truth.shape[:2])
    mass[:, 1] = 0
    found = steady(truth[None] + 5, mass[None], truth, _SIZE)
    np.testing.assert_allclose(found[:, [0, 2]], truth[:, [0, 2]] + 5)
    np.testing.assert_array_equal(found[:, 1], truth[:, 1])


def test_of_several_detectors_those_that_agree_and_are_sure_count(truth: np.ndarray) -> None:
    away = np.stack([truth + 2, truth + 2, truth + 40])
    found = steady(away, np.ones(away.shape[:3]), truth, _SIZE)
    assert np.abs(found - truth - 2).max() < 0.5
    unsure = np.stack([np.full(truth.shape[:2], 0.1), np.full(truth.shape[:2], 0.9)])
    found = steady(np.stack([truth + 4, truth + 1]), unsure, truth, _SIZE)
    assert np.abs(found - truth - 1).max() < 0.2


@pytest.mark.parametrize("count", [0, 1, 2])
def test_short_runs(count: int, truth: np.ndarray) -> None:
    found = steady(truth[None, :count] + 1, np.ones((1, count, _POINTS)), truth[:count], _SIZE[:count])
    np.testing.assert_allclose(found, truth[:count] + 1)
