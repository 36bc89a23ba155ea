"""How keypoints and frames of two estimators are made to fit."""

from __future__ import annotations

import numpy as np

from pose.track import Track
from worker.examination import _stretches, _with_keypoints


def track(count):
    points = np.arange(3 * count * 3, dtype=np.float32).reshape(3, count, 3)
    points[..., 2] = 2
    return Track.labelled([2, 3, 7], points)


def test_stretches_of_consecutive_frames():
    frames = np.array([0, 1, 2, 7, 9, 10])
    assert list(_stretches(frames)) == [(0, 3), (7, 8), (9, 11)]
    assert list(_stretches(frames[:0])) == []


def test_a_keypoint_that_an_estimator_does_not_know_is_missing():
    wider = _with_keypoints(track(2), 4)
    assert (wider.visibility[:, :2] == 2).all()
    assert (wider.visibility[:, 2:] == 0).all()
    assert np.array_equal(wider.xy[:, :2], track(2).xy)
    assert (wider.xy[:, 2:] == 0).all()


def test_a_keypoint_that_nobody_asked_for_is_left_out():
    narrower = _with_keypoints(track(4), 3)
    assert narrower.num_keypoints == 3
    assert np.array_equal(narrower.xy, track(4).xy[:, :3])
