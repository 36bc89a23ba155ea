from __future__ import annotations

import numpy as np
import pytest

from pose.calibration.situation import LEAST_SIZE, LONE_POINT_SIZE, Regime, gap_scale, situation, sizes
from pose.track import Track, blank


def labels(frames: list[int], xy: list[list[list[float]]], visibility: int = 2) -> Track:
    places = np.array(xy, dtype=float)
    return Track.labelled(frames, np.concatenate([places, np.full((*places.shape[:2], 1), visibility)], axis=-1))


def poses(frames: int, points: int, radius: float = 5.0) -> Track:
    track = blank(np.arange(frames), points)
    track.visibility[:] = 2
    track.radius90[:] = radius
    track.score[:] = 0.5
    return track


def test_the_gap_scale_is_that_of_a_bridge():
    assert gap_scale(np.array([1.0, 5, 10]), np.array([1.0, 5, np.inf])).tolist() == [0.5, 2.5, 10]
    assert gap_scale(np.array([np.inf]), np.array([4.0])).tolist() == [4]


def test_hiding_a_keyframe_doubles_the_scale():
    inside = gap_scale(np.array([10.0]), np.array([10.0]))
    hidden = gap_scale(np.array([20.0]), np.array([20.0]))
    assert hidden == 2 * inside


def test_the_size_is_that_of_the_labels_and_a_click_changes_nothing():
    square = [[0.0, 0.0], [30.0, 40.0]]
    whole = labels([0, 20], [square, square])
    np.testing.assert_allclose(sizes(whole, np.array([0, 10, 30]), 1000), 50)
    row = np.array([[[0, 0, 0], [100, 100, 2]]])
    clicked = Track.labelled([10], row).over(whole)
    np.testing.assert_allclose(sizes(clicked, np.array([0, 10, 30]), 1000), 50)


def test_one_point_has_a_share_of_the_image_for_its_size():
    lone = labels([0], [[[5.0, 5.0]]])
    assert sizes(lone, np.arange(2), 1000).tolist() == [1000 * LONE_POINT_SIZE] * 2
    assert sizes(Track.empty(3), np.arange(1), 10).tolist() == [LEAST_SIZE]


def test_points_of_people_are_no_machines_and_regimes_are_told_apart():
    given = labels([2, 6], [[[0.0, 0.0], [30.0, 40.0]]] * 2)
    found = poses(9, 2)
    found.visibility[4, 1] = 1
    known = situation(found, given, 100)
    assert known.machine[:, 0].tolist() == [True, True, False, True, True, True, False, True, True]
    assert known.regime[4].tolist() == [Regime.BETWEEN, Regime.OCCLUDED]
    assert set(known.regime[[0, 1, 7, 8]].ravel().tolist()) == {Regime.OUTSIDE}
    assert known.gap[[1, 4, 8], 0].tolist() == [1, 1, 2]
    assert known.raw[4, 0] == pytest.approx(0.1)


def test_what_no_label_speaks_of_is_no_machines():
    known = situation(poses(4, 2), Track.empty(2), 100)
    assert not known.machine.any()
    half = Track.labelled([1], np.array([[[3.0, 3, 2], [0, 0, 0]]]))
    assert not situation(poses(4, 2), half, 100).machine[:, 1].any()


def test_a_point_on_its_way_to_an_absence_is_left_as_it_is():
    given = labels([0, 10], [[[0.0, 0.0], [30.0, 40.0]]] * 2)
    absent = np.zeros((2, 2), dtype=bool)
    absent[1, 1] = True
    keypoints = np.array([[[0.0, 0, 2], [30, 40, 2]], [[0, 0, 2], [0, 0, 0]]])
    known = situation(poses(10, 2), Track.labelled(given.frames, keypoints, absent), 100)
    assert known.machine[5].tolist() == [True, False]
