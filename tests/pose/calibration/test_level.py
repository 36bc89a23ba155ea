from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.calibration.level import Levels, levels_of, others_means


def test_a_video_without_keyframes_is_like_its_project():
    assert Levels(1.5, 1.0, 1.0).shrunk(np.array(99.0), 0) == 1.5


def test_the_more_keyframes_the_more_a_video_is_believed():
    levels = Levels(0.0, 1.0, 4.0)
    found = [float(levels.shrunk(np.array(10.0), count)) for count in (1, 4, 100)]
    assert found == pytest.approx([2.0, 5.0, 1000 / 104])


def test_videos_that_do_not_differ_are_all_alike():
    levels = levels_of([np.array([1.0, 3.0]), np.array([3.0, 1.0])])
    assert levels.between == 0
    assert levels.shrunk(np.array(3.0), 2) == pytest.approx(2.0)


def test_variances_are_found_again():
    rng = np.random.default_rng(0)
    videos = [level + 0.5 * rng.normal(size=12) for level in 2 + rng.normal(size=400)]
    levels = levels_of(videos)
    assert levels.mean == pytest.approx(2, abs=0.15)
    assert levels.between == pytest.approx(1, abs=0.2)
    assert levels.within == pytest.approx(0.25, abs=0.03)


@pytest.mark.parametrize("videos", [[np.array([2.0])], [np.array([2.0, 2.0])], [np.array([2.0]), np.zeros(0)]])
def test_one_video_or_alike_keyframes_have_no_variance(videos):
    levels = levels_of(videos)
    assert (levels.mean, levels.between, levels.within) == (2.0, 0.0, 0.0)
    assert levels.shrunk(np.array(2.0), 1) == 2.0


def test_nothing_tells_no_level():
    with pytest.raises(ValueError, match="without a keyframe"):
        levels_of([np.zeros(0)])


@given(st.integers(1, 30), st.data())
def test_the_mean_of_all_others_leaves_the_keyframe_out(total, data):
    values = np.arange(total, dtype=float) ** 2
    count = data.draw(st.integers(0, total - 1))
    means = others_means(values, count)
    if count == total - 1 and count:
        np.testing.assert_allclose(means, (values.sum() - values) / count)
    assert (means >= 0).all()
    assert (means <= values.max()).all()


def test_there_are_no_more_others_than_there_are():
    with pytest.raises(ValueError, match="has 3 others"):
        others_means(np.arange(3.0), 3)
