from dataclasses import replace

import numpy as np
import pytest

from pose import metrics
from pose.metrics import FalsePositives, false_positives
from pose.track import Track, blank

# Two points 30 px and 40 px apart: a diagonal of 50 px.
SQUARE = [[0, 0, 2], [30, 40, 2], [15, 20, 1]]


def test_distances_are_over_the_diagonal_of_the_known_points():
    truth = Track.labelled([4, 7], np.array([SQUARE, [[0, 0, 2], [6, 8, 2], [500, 500, 0]]]))
    guess = Track.labelled([4, 7], np.array([[[5, 0, 2], [30, 40, 2], [15, 10, 2]], [[0, 1, 2], [6, 8, 2], [1, 1, 2]]]))
    measured = metrics.normalised_errors(truth, guess)
    np.testing.assert_array_equal(measured.frames, [4, 7])
    np.testing.assert_array_equal(measured.known, [[1, 1, 1], [1, 1, 0]])
    np.testing.assert_allclose(measured.errors[measured.known], [0.1, 0, 0.2, 0.1, 0])


def test_absent_point_has_error_one_and_is_wrong():
    truth = Track.labelled([0, 1], np.array([SQUARE, SQUARE]))
    guess = Track.labelled([0], np.array([[[0, 0, 2], [0, 0, 0], [15, 20, 2]]]))
    measured = metrics.normalised_errors(truth, guess)
    np.testing.assert_array_equal(measured.present, [[1, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(measured.errors, [[0, 1, 0], [1, 1, 1]])
    assert metrics.pck(measured.errors, measured.present, 1.0) == pytest.approx(2 / 6)


def test_error_is_capped_at_one_and_a_far_point_is_present():
    truth = Track.labelled([0], np.array([SQUARE]))
    guess = Track.labelled([0], np.array([[[900, 900, 2], [30, 40, 2], [15, 20, 2]]]))
    measured = metrics.normalised_errors(truth, guess)
    assert measured.errors[0, 0] == 1
    assert measured.present.all()


def test_keyframes_and_frames_with_fewer_than_two_points_are_left_out():
    truth = Track.labelled([0, 1, 2, 5], np.array([SQUARE, SQUARE, [[1, 1, 2], [0, 0, 0], [0, 0, 0]], SQUARE]))
    measured = metrics.normalised_errors(truth, truth, keyframes=np.array([0, 3]))
    np.testing.assert_array_equal(measured.frames, [1, 5])


def test_coinciding_points_have_no_size_and_count_as_one():
    truth = Track.labelled([0], np.array([[[3, 3, 2], [3, 3, 2]]]))
    np.testing.assert_array_equal(metrics.normalised_errors(truth, truth).errors, [[1, 1]])


def test_evaluate_pools_the_points_of_all_tracks():
    truth = {1: Track.labelled([0, 1, 2], np.array([SQUARE] * 3)), 2: Track.labelled([1], np.array([SQUARE]))}
    guess = {1: Track.labelled([1, 2], np.array([SQUARE, [[0, 0, 0], [33, 36, 2], [15, 32, 2]]]))}
    summary = metrics.evaluate(truth, guess, keyframes={1: truth[1].between(0, 1)})
    # Track 1: frame 1 is exact; frame 2 lacks a point and is 5 and 12 px off. Track 2 is absent.
    assert summary.points == 9
    assert summary.coverage == pytest.approx(5 / 9)
    assert summary.mean == pytest.approx((0 + 0 + 0 + 1 + 0.1 + 0.24 + 3) / 9)
    assert summary.median == pytest.approx(0.24)
    assert dict(summary.pck) == pytest.approx({0.05: 3 / 9, 0.1: 4 / 9, 0.2: 4 / 9})


def test_the_distribution_is_pck_at_every_threshold_and_ends_at_the_coverage():
    errors = np.array([0.1, 1.0, 0.0, 0.05, 1.0])
    present = np.array([True, True, True, True, False])
    limits = np.array([0.0, 0.05, 0.0999, 0.1, 0.5, 1.0])
    shares = metrics.cumulative(errors, present, limits)
    np.testing.assert_allclose(shares, [0.2, 0.4, 0.4, 0.6, 0.6, 0.8])
    np.testing.assert_allclose(shares, [metrics.pck(errors, present, limit) for limit in limits])


def test_ratio_compares_with_a_baseline_on_the_same_points():
    errors, present = np.array([0.1, 0.3]), np.array([True, True])
    ours, baseline = metrics.summarise(errors / 2, present), metrics.summarise(errors, present)
    assert ours.ratio_to(baseline) == pytest.approx(0.5)
    exact = metrics.summarise(errors * 0, present)
    assert exact.ratio_to(exact) == 1
    assert ours.ratio_to(exact) == float("inf")
    with pytest.raises(ValueError, match="do not compare"):
        ours.ratio_to(metrics.summarise(errors[:1], present[:1]))


def test_nothing_to_measure_is_an_error():
    truth = {1: Track.labelled([0], np.array([SQUARE]))}
    with pytest.raises(ValueError, match="no point to measure"):
        metrics.evaluate(truth, truth, keyframes=truth)
    with pytest.raises(ValueError, match="no point to measure"):
        metrics.evaluate({}, {})


def test_other_skeletons_do_not_compare():
    with pytest.raises(ValueError, match="2 keypoints, the truth 3"):
        metrics.normalised_errors(blank(np.arange(2), 3), blank(np.arange(2), 2))


def test_what_is_found_where_nothing_is_said_to_be_is_counted():
    def points(*states):
        """Three points at home that are there (1), absent (-1) or not spoken of (0)."""
        state = np.array(states)
        home = np.broadcast_to([[1.0, 2], [3, 4], [5, 6]], (*state.shape, 2))
        return np.concatenate([home, np.maximum(state, 0)[..., None]], axis=-1), state < 0

    truth = {
        1: Track.labelled([0, 1, 2, 3, 9], *points([1, 1, 1], [-1, -1, -1], [-1, -1, -1], [1, -1, 0], [-1, -1, -1])),
        2: Track.labelled([1], *points([-1, -1, 0])),
        3: Track.labelled([1, 2], *points([-1, -1, -1], [1, 1, 1])),
    }
    every = Track.labelled([0, 1, 2, 3, 4], np.ones((5, 3, 3)))
    score = np.array([[0.9, 0.9, 0.9], [0.5, 0.49, 0.6], [0.49, 0.4, 0.5], [0.9, 0.8, 0.9], [1, 1, 1]])
    seen = every.visibility.copy()
    seen[2, 2] = 0
    guess = replace(every, score=score.astype(np.float32), visibility=seen)
    # Track 1: frame 1 is found with two points, frame 2 with none, frame 9 not looked at; track 3 was not found at all.
    found = false_positives(truth, {1: guess, 2: guess, 7: guess})
    assert found == FalsePositives(poses=4, poses_found=1, points=3 * 4 + 1 + 2, points_found=2 + 1 + 1)
    assert (found.pose_rate, found.point_rate) == (0.25, 4 / 15)
    nothing = false_positives({1: every}, {1: every})
    assert nothing == FalsePositives(0, 0, 0, 0)
    assert np.isnan([nothing.pose_rate, nothing.point_rate]).all()
