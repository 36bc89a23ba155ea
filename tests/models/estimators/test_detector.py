"""An estimator's poses as candidates: its error at the labels is taken off; what is off by too much does not count."""

from __future__ import annotations

import numpy as np
import pytest

from models.estimators.detector import anchored, by_name

_FRAMES = np.arange(10, 31)
_SIZE = np.full(21, 100.0)
_TRUTH = np.stack([np.linspace(50, 90, 21), np.linspace(20, 60, 21)], axis=-1)


def at(*frames: int) -> tuple[np.ndarray, np.ndarray]:
    labelled = np.array(frames)
    return labelled, _TRUTH[labelled - 10]


def test_an_error_that_stays_is_taken_off() -> None:
    xy, doubt = anchored(_TRUTH + np.array([12.0, -5.0]), _FRAMES, _SIZE, *at(10, 30))
    np.testing.assert_allclose(xy, _TRUTH, atol=1e-9)
    np.testing.assert_array_equal(doubt, 0)


def test_an_error_that_grows_from_label_to_label_is_interpolated_and_doubted() -> None:
    drift = np.stack([np.linspace(0, 20, 21), np.zeros(21)], axis=-1)
    xy, doubt = anchored(_TRUTH + drift, _FRAMES, _SIZE, *at(10, 30))
    np.testing.assert_allclose(xy, _TRUTH, atol=1e-9)
    np.testing.assert_allclose(doubt[1:-1], 0.1)
    assert doubt[0] == doubt[-1] == 0


def test_beyond_the_only_label_its_error_holds_and_counts_half() -> None:
    xy, doubt = anchored(_TRUTH + np.array([10.0, 0.0]), _FRAMES, _SIZE, *at(15))
    np.testing.assert_allclose(xy, _TRUTH, atol=1e-9)
    np.testing.assert_allclose(doubt[[0, 20]], 0.05)


def test_what_is_off_by_too_much_at_all_labels_near_is_not_believed() -> None:
    off = np.where(np.arange(21) < 15, 40.0, 2.0)[:, None] * (1.0, 0.0)
    _, doubt = anchored(_TRUTH + off, _FRAMES, _SIZE, *at(10, 20, 30))
    assert np.isinf(doubt[1:10]).all()
    assert np.isfinite(doubt[11:20]).all()
    assert (doubt[[0, 10, 20]] == 0).all()


def test_without_a_label_nothing_is_believed() -> None:
    xy, doubt = anchored(_TRUTH, _FRAMES, _SIZE, np.zeros(0, int), np.zeros((0, 2)))
    np.testing.assert_array_equal(xy, _TRUTH)
    assert np.isinf(doubt).all()


@pytest.mark.parametrize(
    ("theirs", "points"), [(("nose", "tail"), (0, -1, 1)), (("tail", "ear", "nose"), (2, 1, 0)), ((), (-1, -1, -1))]
)
def test_keypoints_are_matched_by_name(theirs: tuple[str, ...], points: tuple[int, ...]) -> None:
    assert by_name(("nose", "ear", "tail"), theirs) == points
