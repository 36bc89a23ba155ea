from __future__ import annotations

import numpy as np

from pose.doubt import MOST_SCORE, doubted
from pose.track import Track


def test_scores_are_low_on_damaged_frames_alone() -> None:
    poses = Track.labelled(range(6), np.full((6, 2, 3), 2.0))
    poses.score[3, 0] = 0.1
    found = doubted(poses, [(2, 4)])
    assert found.score[:, 1].tolist() == [1, 1, MOST_SCORE, MOST_SCORE, 1, 1]
    assert found.score[3, 0] == np.float32(0.1)
    assert (found.score <= 0.3)[2:4].all()
    assert found.score.dtype == poses.score.dtype
    np.testing.assert_array_equal(found.xy, poses.xy)


def test_a_whole_video_is_left_as_it_is() -> None:
    poses = Track.labelled(range(3), np.full((3, 2, 3), 2.0))
    assert doubted(poses, ()) is poses
