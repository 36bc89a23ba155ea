from __future__ import annotations

import numpy as np
import pytest

from models.engines.confidence import TOLERANCE, score_of
from models.engines.gap import LEAST_SIZE, LONE_POINT_SIZE, Gap, gaps
from pose.segments import Segment, relevant
from pose.track import Track


def clicks() -> Track:
    """Two keypoints labelled on frames 0 and 20; the first also on frame 8, where the second is not."""
    labels = np.zeros((3, 2, 3), dtype=np.float32)
    labels[0] = [(10, 10, 2), (40, 50, 1)]
    labels[1, 0] = (20, 10, 2)
    labels[2] = [(20, 40, 2), (60, 50, 2)]
    return Track.labelled([0, 8, 20], labels)


def gap(segment: Segment, keyframes: Track | None = None) -> Gap:
    (only,) = gaps(clicks() if keyframes is None else keyframes, segment, 640, 480)
    return only


def test_each_keypoint_has_its_own_labels_around_a_gap() -> None:
    found = gap(Segment(8, 20))
    assert list(found.before) == [8, 0]
    assert list(found.after) == [20, 20]
    assert list(found.steps[4]) == [4, 8]
    assert np.allclose(found.elapsed[4], [4 / 12, 12 / 20])
    assert np.allclose(found.interpolate()[4], [(20, 20), (52, 50)])


def test_a_keyframe_inside_cuts_a_segment() -> None:
    assert [(g.frames[0], g.frames[-1]) for g in gaps(clicks(), Segment(4, 15), 640, 480)] == [(4, 7), (8, 14)]


def test_size_is_the_mean_diagonal_of_the_poses_on_both_sides() -> None:
    full = Track.labelled([0, 9], np.array([[(0, 0, 2), (30, 40, 2)], [(0, 0, 2), (40, 40, 2)]]))
    assert gap(Segment(0, 9), full).size == pytest.approx((np.hypot(30, 40) + np.hypot(40, 40)) / 2)


def test_a_click_on_one_keypoint_changes_neither_size_nor_crop() -> None:
    corners = np.array([(0, 0, 2), (60, 0, 2), (60, 80, 2), (0, 80, 2)])
    nowhere = np.zeros((4, 3))
    click = nowhere.copy()
    click[2] = (200, 300, 2)
    plain = Track.labelled([0, 9], np.stack([corners, corners]))
    clicked = Track.labelled([0, 4, 9], np.stack([corners, click, corners]))
    whole = gap(Segment(0, 9), plain)
    for half in (gap(Segment(0, 4), clicked), gap(Segment(4, 9), clicked)):
        assert half.size == whole.size == 100
        assert np.array_equal(np.ptp(half.subject, axis=0), np.ptp(whole.subject, axis=0))


def test_a_lone_point_is_as_large_as_a_part_of_the_image() -> None:
    lone = Track.labelled([3], np.array([[(10, 10, 2), (0, 0, 0)]]))
    assert gap(Segment(3, 9), lone).size == pytest.approx(LONE_POINT_SIZE * 800)


def test_coinciding_points_still_have_a_size() -> None:
    assert gap(Segment(3, 9), Track.labelled([3], np.array([[(10, 10, 2)] * 2]))).size == LEAST_SIZE


def test_relevant_labels_tell_all_about_a_gap() -> None:
    for segment in (Segment(0, 8), Segment(8, 20), Segment(20, 30), Segment(12, 16)):
        whole, part = gap(segment), gap(segment, relevant(clicks(), segment))
        assert np.array_equal(whole.interpolate(), part.interpolate())
        assert np.array_equal(whole.steps, part.steps)
        assert whole.size == part.size


def test_without_labels_nothing_is_known() -> None:
    empty = gap(Segment(0, 5), Track.empty(3))
    assert not empty.known.any()
    assert not empty.steps.any()


def test_score_falls_as_the_radius_grows() -> None:
    radius = np.linspace(0, 100, 50)
    score = score_of(radius, 100)
    assert score[0] == 1
    assert (np.diff(score) < 0).all()
    assert score_of(np.array([TOLERANCE * 100]), 100) == pytest.approx(0.9)
