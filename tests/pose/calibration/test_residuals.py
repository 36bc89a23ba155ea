from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pose.calibration.residuals import Residuals, compare, concatenate
from pose.calibration.situation import Regime
from pose.track import Track, blank

SQUARE = [[0.0, 0.0], [30.0, 40.0]]


def labels(frames: list[int], visibility: int = 2) -> Track:
    keypoints = np.concatenate([np.array([SQUARE] * len(frames)), np.full((len(frames), 2, 1), visibility)], axis=-1)
    return Track.labelled(frames, keypoints)


def moved(frames: list[int], by: float) -> Track:
    track = blank(np.array(frames), 2)
    track.xy[:] = np.array(SQUARE) + np.array([by, 0])
    track.visibility[:], track.radius90[:] = 2, 10
    return track


def test_errors_are_shares_of_the_subjects_size():
    found = compare(3, labels([5]), moved([4, 5, 6], by=5), labels([0, 10]), 200)
    assert found.error.tolist() == pytest.approx([0.1, 0.1])
    assert found.raw.tolist() == pytest.approx([0.2, 0.2])
    assert found.gap.tolist() == [2.5, 2.5]
    assert (found.track.tolist(), found.frame.tolist(), found.keypoint.tolist()) == ([3, 3], [5, 5], [0, 1])
    assert set(found.regime.tolist()) == {Regime.BETWEEN}


def test_what_either_side_lacks_is_left_out():
    half = Track.labelled([5], np.array([[[0, 0, 2], [0, 0, 0]]]))
    assert compare(1, half, moved([5], 1), labels([0, 10]), 200).keypoint.tolist() == [0]
    assert not len(compare(1, labels([5]), blank(np.array([5]), 2), labels([0, 10]), 200))
    assert not len(compare(1, labels([5]), moved([6], 1), labels([0, 10]), 200))


def test_other_skeletons_do_not_compare():
    with pytest.raises(ValueError, match="the poses have 3 keypoints, the labels 2"):
        compare(1, labels([5]), blank(np.array([5]), 3), labels([0]), 200)


def test_keyframes_are_counted_by_track_and_frame():
    one = compare(2, labels([5, 7]), moved([5, 7], 1), labels([0, 10]), 200)
    other = compare(1, labels([7]), moved([7], 1), labels([0, 10]), 200)
    number, count = concatenate([one, other]).keyframes()
    assert count == 3
    assert number.tolist() == [1, 1, 2, 2, 0, 0]
    assert Residuals.empty().keyframes()[1] == 0
    assert len(concatenate([])) == 0


@pytest.mark.parametrize("wrong", [{"error": np.array([np.nan, 1])}, {"gap": np.array([-1.0, 1])}])
def test_what_is_no_distance_is_refused(wrong):
    two = compare(1, labels([5]), moved([5], 1), labels([0, 10]), 200)
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} of residuals is finite and not negative"):
        replace(two, **wrong)
    with pytest.raises(ValueError, match="of one length"):
        replace(two, keypoint=np.array([1]))
