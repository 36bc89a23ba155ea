"""How keypoints and frames of two estimators are made to fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.evaluation.bootstrap import BLOCK_FRAMES
from models.training.examine import _placed, _stretches, sampled
from models.training.subjects import Subject
from pose.track import Track


def track(count):
    points = np.arange(3 * count * 3, dtype=np.float32).reshape(3, count, 3)
    points[..., 2] = 2
    return Track.labelled([2, 3, 7], points)


def test_stretches_of_consecutive_frames():
    frames = np.array([0, 1, 2, 7, 9, 10])
    assert list(_stretches(frames)) == [(0, 3), (7, 8), (9, 11)]
    assert list(_stretches(frames[:0])) == []


def test_a_keypoint_that_an_estimator_does_not_know_is_missing():
    wider = _placed(track(2), 4, None)
    assert (wider.visibility[:, :2] == 2).all()
    assert (wider.visibility[:, 2:] == 0).all()
    assert np.array_equal(wider.xy[:, :2], track(2).xy)
    assert (wider.xy[:, 2:] == 0).all()


def test_a_keypoint_that_nobody_asked_for_is_left_out():
    narrower = _placed(track(4), 3, None)
    assert narrower.num_keypoints == 3
    assert np.array_equal(narrower.xy, track(4).xy[:, :3])


def test_part_of_what_was_learnt_from_in_whole_blocks_of_time():
    frames = np.arange(0, 600, 2)
    labels = Track.labelled(frames, np.full((len(frames), 1, 3), 2.0))
    subjects = [Subject.labelled(f"video{number}/1", Path(f"{number}.mp4"), labels) for number in range(4)]
    assert sampled(subjects, 1200, 0) == subjects
    some = sampled(subjects, 300, 0)
    assert 200 < sum(len(one.track) for one in some) < 400
    for one in some:
        kept = one.track.frames
        assert np.array_equal(kept, frames[np.isin(frames // BLOCK_FRAMES, kept // BLOCK_FRAMES)])
        assert one.weight.shape == (len(kept), 1)
    assert [len(one.track) for one in sampled(subjects, 300, 0)] == [len(one.track) for one in some]
