"""Blocks of time, and how sure their differences are."""

import numpy as np
import pytest

from models.evaluation.bootstrap import BLOCK_FRAMES, Blocks, fewest_blocks, gains, in_blocks
from models.evaluation.judged import LabelledPrediction
from pose.track import Track

POSE = np.array([[0, 0, 2], [30, 40, 2], [15, 20, 2]], dtype=float)  # a box diagonal of 50


def judged(name, frames, off):
    """A subject whose first point is ``off`` pixels off; a scalar or one number a frame."""
    truth = np.tile(POSE, (len(frames), 1, 1))
    guess = truth.copy()
    guess[:, 0, 0] -= off
    return LabelledPrediction(name, Track.labelled(frames, truth), Track.labelled(frames, guess))


def blocks_of(difference, seed=0, points=20):
    """Blocks with ``points`` points each of one keypoint, of which the gain is given."""
    difference = np.asarray(difference, dtype=float)[:, None]
    points = np.full(difference.shape, float(points))
    return Blocks(np.zeros_like(difference), points * difference, points, frames=len(difference))


def test_subjects_of_a_video_share_blocks_and_videos_do_not():
    frames = [0, 1, 14, 15, 31]
    ours = [judged("a/1", frames, 5), judged("a/2", frames[:2], 5), judged("b/1", frames[:1], 5)]
    theirs = [judged("a/1", frames, 10), judged("a/2", frames[:2], 10), judged("b/1", frames[:1], 0)]
    blocks = in_blocks(ours, theirs)
    assert len(blocks) == 4
    assert blocks.frames == 8
    np.testing.assert_array_equal(blocks.points[:, 0], [5, 1, 1, 1])
    np.testing.assert_allclose(blocks.errors[:, 0], [0.5, 0.1, 0.1, 0.1], rtol=1e-6)
    np.testing.assert_allclose(blocks.rivals[:, 0], [1.0, 0.2, 0.2, 0.0], rtol=1e-6)
    np.testing.assert_array_equal(blocks.errors[:, 1:], 0)
    assert blocks.means() == (pytest.approx(0.8 / 24), pytest.approx(1.4 / 24))


def test_no_subjects_are_no_blocks():
    blocks = in_blocks([], [])
    assert (len(blocks), blocks.frames) == (0, 0)
    assert np.isnan(blocks.means()).all()


def test_what_is_the_same_in_every_block_is_certain():
    found = gains(blocks_of([0.02] * 7), 0, 0.95)
    assert (found.low, found.high) == (pytest.approx(0.02), pytest.approx(0.02))
    np.testing.assert_allclose([found.keypoints[0], found.keypoint_low[0], found.keypoint_high[0]], 0.02)


def test_the_interval_is_that_of_the_mean_for_many_blocks():
    difference = np.random.default_rng(1).normal(0.01, 0.05, 400)
    found = gains(blocks_of(difference), 0, 0.95)
    margin = 1.96 * difference.std() / 20
    assert found.low == pytest.approx(difference.mean() - margin, abs=0.1 * margin)
    assert found.high == pytest.approx(difference.mean() + margin, abs=0.1 * margin)


def test_intervals_hold_the_truth_as_often_as_they_say_with_few_blocks_too():
    rng = np.random.default_rng(3)
    missed = 0
    for seed in range(300):
        found = gains(blocks_of(rng.normal(0.0, 0.05, 8)), seed, 0.9)
        missed += not found.low <= 0 <= found.high
    # One in ten; with percentiles that were not widened it would be one in five.
    assert missed <= 45


def test_labels_a_moment_apart_do_not_add_certainty():
    rng = np.random.default_rng(4)
    off = rng.uniform(0, 10, 20)
    sparse = BLOCK_FRAMES * np.arange(20)
    dense = (sparse[:, None] + np.arange(BLOCK_FRAMES)).ravel()
    once = gains(in_blocks([judged("a/1", sparse, off)], [judged("a/1", sparse, 5)]), 0, 0.95)
    again = np.repeat(off, BLOCK_FRAMES)
    often = gains(in_blocks([judged("a/1", dense, again)], [judged("a/1", dense, 5)]), 0, 0.95)
    assert (once.low, once.high) == (pytest.approx(often.low), pytest.approx(often.high))


def test_the_same_seed_gives_the_same_interval_and_batches_do_not_matter(monkeypatch):
    blocks = blocks_of(np.random.default_rng(5).normal(0, 1, 30))
    first, second, other = (gains(blocks, seed, 0.95) for seed in (1, 1, 2))
    assert (first.low, first.high) == (second.low, second.high)
    assert first.low != other.low
    monkeypatch.setattr("models.evaluation.bootstrap._CELLS", 1000)
    batched = gains(blocks, 1, 0.95)
    assert (batched.low, batched.high) == (first.low, first.high)


def test_a_keypoint_that_is_seldom_labelled_is_as_it_was_where_it_was_not_drawn():
    points = np.array([[10.0, 0.0]] * 6 + [[10.0, 5.0]])
    blocks = Blocks(np.zeros((7, 2)), 0.03 * points, points, frames=70)
    found = gains(blocks, 0, 0.95)
    assert found.keypoints[1] == pytest.approx(0.03)
    assert found.keypoint_low[1] == 0


def test_it_takes_so_many_blocks_that_chance_seldom_favours_one_side_in_all():
    assert [fewest_blocks(confidence) for confidence in (0.5, 0.9, 0.95, 0.99)] == [2, 5, 6, 8]
    for confidence in (0.9, 0.95, 0.99):
        assert 0.5 ** fewest_blocks(confidence) <= (1 - confidence) / 2 < 0.5 ** (fewest_blocks(confidence) - 1)
