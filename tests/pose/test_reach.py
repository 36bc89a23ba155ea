"""How far a label reaches: to the labels next to it in time, and not beyond a cut."""

from __future__ import annotations

import numpy as np
import pytest

from pose.segments import Segment, reach, relevant
from pose.track import Track


def track(*columns):
    """Labels by keypoint, as the frames on which each is labelled."""
    frames = sorted({frame for column in columns for frame in column})
    keypoints = np.zeros((len(frames), len(columns), 3))
    for k, column in enumerate(columns):
        keypoints[np.isin(frames, column), k] = (1, 1, 2)
    return Track.labelled(frames, keypoints)


def spans(keyframes, changes, start=0, stop=100, cuts=()):
    changes = [np.array(frames, dtype=np.int64) for frames in changes]
    found = reach(keyframes, changes, start=start, stop=stop, cuts=np.array(cuts, dtype=np.int64))
    return [[tuple(span) for span in each.tolist()] for each in found]


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ([30], [(11, 60)]),
        ([10], [(0, 30)]),
        ([60], [(31, 100)]),
        ([10, 30], [(0, 60)]),
        ([10, 60], [(0, 30), (31, 100)]),
        ([10, 30, 60], [(0, 100)]),
        ([], []),
    ],
)
def test_a_label_reaches_from_the_one_before_to_the_one_after(frames, expected):
    assert spans(track([10, 30, 60]), [frames]) == [expected]


def test_each_keypoint_has_its_own_neighbours():
    assert spans(track([10, 30, 60], [0, 90]), [[30], [90]]) == [[(11, 60)], [(1, 100)]]
    assert spans(track([10, 30], [20]), [[], [20]]) == [[], [(0, 100)]]


def test_nothing_reaches_across_a_cut():
    assert spans(track([10, 30, 60]), [[30]], cuts=[20, 50]) == [[(20, 50)]]
    assert spans(track([10, 30, 60]), [[30]], cuts=[30]) == [[(30, 60)]]
    assert spans(track([10, 30, 60]), [[30]], cuts=[5, 31, 70]) == [[(11, 31)]]


def test_frames_outside_the_run_do_not_count():
    keyframes = track([0, 10, 30, 60])
    assert spans(keyframes, [[0]], start=20, stop=40) == [[]]
    assert spans(keyframes, [[10]], start=20, stop=40) == [[(20, 30)]]
    assert spans(keyframes, [[60]], start=20, stop=40) == [[(31, 40)]]
    assert spans(keyframes, [[30]], start=20, stop=40) == [[(20, 40)]]
    assert spans(track([0, 10, 20]), [[20]], start=0, stop=15) == [[(11, 15)]]


def test_it_agrees_with_what_a_segment_may_depend_on():
    """A frame's pose is stale exactly where the changed label is one of its neighbours."""
    random = np.random.default_rng(3)
    for _ in range(40):
        keyframes = track(*(np.sort(random.choice(40, random.integers(1, 8), replace=False)) for _ in range(2)))
        k = int(random.integers(2))
        labelled = keyframes.frames[keyframes.visibility[:, k] > 0]
        changed = int(random.choice(labelled))
        changes = [[changed] if each == k else [] for each in range(2)]
        stale = {frame for start, stop in spans(keyframes, changes, 0, 40)[k] for frame in range(start, stop)}
        for frame in range(40):
            near = relevant(keyframes, Segment(frame, frame + 1))
            rests = changed in near.frames[near.visibility[:, k] > 0]
            on_another = frame in labelled and frame != changed
            assert (frame in stale) == (rests and not on_another)
