"""The promotion gate against good, equal, lucky and poisoned candidates."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from models.evaluation.baseline import average_poses
from models.evaluation.judged import LabelledPrediction
from models.evaluation.promotion import KEYPOINT_TOLERANCE, gate
from pose.track import Track

COUNT = 15
NAMES = tuple(f"point_{k}" for k in range(COUNT))


def truths(rng, videos=4, labels=20, apart=5):
    """A person of some 180 pixels in each video, who walks and moves all joints; a label every five frames."""
    tracks = {}
    for video in range(videos):
        rest = rng.uniform((0, 0), (80, 160), (COUNT, 2))
        phase = np.arange(labels)[:, None, None] / 3 + rng.uniform(0, 6, (COUNT, 1))
        sway = rng.normal(0, 8, (COUNT, 2)) * np.sin(phase)
        place = rng.uniform(100, 300, 2) + np.arange(labels)[:, None, None] * rng.normal(0, 3, 2)
        tracks[f"video{video}/1"] = track_of(apart * np.arange(labels), rest + sway + place)
    return tracks


def track_of(frames, xy):
    return Track.labelled(frames, np.concatenate([xy, np.full((*xy.shape[:2], 1), 2)], axis=-1))


def answers(tracks, rng, noise):
    """An estimator that is off by a normal distribution of ``noise`` pixels in x and in y."""
    found = []
    for name, truth in tracks.items():
        found.append(
            LabelledPrediction(name, truth, track_of(truth.frames, truth.xy + rng.normal(0, noise, truth.xy.shape)))
        )
    return found


def poisoned(judged, rng, keypoint=9, pixels=15.0, share=0.3):
    """The same with one keypoint moved in a share of the frames, as labels were that it learnt from."""
    moved = []
    for one in judged:
        xy = one.guess.xy.astype(float)
        xy[rng.random(len(xy)) < share, keypoint, 0] += pixels
        moved.append(replace(one, guess=track_of(one.guess.frames, xy)))
    return moved


def test_a_clearly_better_candidate_is_promoted():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        tracks = truths(rng)
        verdict = gate(answers(tracks, rng, 3), answers(tracks, rng, 4.5), seed=seed)
        assert verdict.promoted, verdict.reason
        assert 0 < verdict.low < verdict.gain < verdict.high
        assert (verdict.frames, verdict.keypoint) == (80, None)
        assert verdict.reason.startswith("Promoted: the mean error is ")


def test_an_equal_candidate_is_refused():
    rng = np.random.default_rng(0)
    current = answers(truths(rng), rng, 4)
    verdict = gate(current, current)
    assert not verdict.promoted
    assert (verdict.gain, verdict.low, verdict.high) == (0, 0, 0)
    assert verdict.reason.endswith("That is no gain.")


def test_a_candidate_that_is_as_good_but_different_is_refused_but_for_chance():
    refused = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        tracks = truths(rng)
        refused += not gate(answers(tracks, rng, 4), answers(tracks, rng, 4), seed=seed).promoted
    assert refused >= 94


def test_a_candidate_with_a_poisoned_keypoint_is_refused():
    refused = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        current = answers(truths(rng), rng, 4)
        verdict = gate(poisoned(current, rng), current, seed=seed, keypoints=NAMES)
        refused += not verdict.promoted
    assert refused == 100
    assert "Above all, point_9 gets worse by " in verdict.reason


def test_a_poisoned_keypoint_is_not_made_good_by_the_others():
    named = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        tracks = truths(rng)
        candidate, current = poisoned(answers(tracks, rng, 2.4), rng), answers(tracks, rng, 3)
        verdict = gate(candidate, current, seed=seed, keypoints=NAMES)
        assert verdict.gain > 0
        named += not verdict.promoted and verdict.keypoint == "point_9"
        assert gate(answers(tracks, rng, 2.4), current, seed=seed).promoted
    assert named >= 48
    assert "Not promoted: point_9 gets worse by " in verdict.reason
    assert f"a keypoint may lose {100 * KEYPOINT_TOLERANCE:.2f} points" in verdict.reason


def test_a_worse_candidate_is_refused_as_such():
    rng = np.random.default_rng(1)
    tracks = truths(rng)
    verdict = gate(answers(tracks, rng, 5), answers(tracks, rng, 3))
    assert not verdict.promoted
    assert verdict.high < 0
    assert "It is worse. Above all, keypoint " in verdict.reason


def test_a_gain_that_may_be_chance_is_refused():
    tracks = truths(np.random.default_rng(2))

    def off(pixels):
        return [
            LabelledPrediction(name, truth, track_of(truth.frames, truth.xy + np.array([distance, 0])))
            for (name, truth), distance in zip(tracks.items(), pixels, strict=True)
        ]

    # Much better in one video, a little worse in the three others.
    verdict = gate(off([0.5, 3.5, 3.5, 3.5]), off([3, 3, 3, 3]))
    assert not verdict.promoted
    assert verdict.keypoint is None
    assert verdict.low < 0 < verdict.gain
    assert verdict.reason.endswith("That may be chance.")


@pytest.mark.parametrize(("labels", "apart"), [(9, 30), (75, 1), (0, 1)])
def test_too_few_labels_are_said_so(labels, apart):
    rng = np.random.default_rng(0)
    tracks = truths(rng, videos=1, labels=labels, apart=apart)
    blocks = {9: 9, 75: 5, 0: 0}[labels]
    verdict = gate(answers(tracks, rng, 1), answers(tracks, rng, 9))
    assert not verdict.promoted
    assert f"{labels} held-out poses in {blocks} stretches of 15 frames are too few to tell" in verdict.reason
    assert math.isnan(verdict.low)
    assert math.isnan(verdict.high)
    assert verdict.to_json()["low"] is None
    json.dumps(verdict.to_json(), allow_nan=False)


def test_without_a_current_checkpoint_skill_is_needed():
    rng = np.random.default_rng(0)
    tracks = truths(rng)
    verdict = gate(answers(tracks, rng, 4), None)
    assert verdict.promoted
    assert "that of the average pose laid into each subject's box" in verdict.reason
    blind = average_poses(answers(tracks, rng, 4))
    for candidate in (blind, [replace(one, guess=Track.empty(COUNT)) for one in blind]):
        verdict = gate(candidate, None)
        assert not verdict.promoted
    assert verdict.reason.endswith("It is worse.")
    assert not gate([], None).promoted


def test_the_average_pose_is_in_each_box():
    one = np.array([[0, 0, 2], [10, 20, 2], [5, 20, 2]])
    two = np.array([[100, 100, 2], [140, 140, 2], [100, 140, 2]])
    three = np.array([[0, 0, 2], [8, 4, 2], [7, 7, 0]])
    truth = Track.labelled([0, 1, 2], np.array([one, two, three]))
    (answer,) = average_poses([LabelledPrediction("a/1", truth, truth)])
    # The third point is halfway and on the left, a quarter on average; on the third frame it is not known.
    np.testing.assert_allclose(answer.guess.xy[0], [[0, 0], [10, 20], [2.5, 20]])
    np.testing.assert_allclose(answer.guess.xy[1], [[100, 100], [140, 140], [110, 140]])
    np.testing.assert_array_equal(answer.guess.visibility, truth.visibility)


def test_an_absent_point_counts_against_a_candidate():
    rng = np.random.default_rng(0)
    tracks = truths(rng)
    current = answers(tracks, rng, 4)
    silent = []
    for one in answers(tracks, rng, 1):
        guess = replace(one.guess, visibility=one.guess.visibility.copy())
        guess.visibility[:, 3] = 0
        silent.append(replace(one, guess=guess))
    verdict = gate(silent, current)
    assert not verdict.promoted


def test_checkpoints_are_compared_on_the_same_labels_only():
    rng = np.random.default_rng(0)
    tracks = truths(rng)
    current = answers(tracks, rng, 4)
    assert gate(answers(tracks, rng, 1), current[::-1]).promoted
    with pytest.raises(ValueError, match="video0/1 was measured for one of the two"):
        gate(current, current[1:])
    shorter = replace(current[1], truth=current[1].truth.between(0, 40))
    with pytest.raises(ValueError, match="video1/1: the two checkpoints were not measured on the same labels"):
        gate(current, [current[0], shorter, *current[2:]])
    with pytest.raises(ValueError, match="subject video0/1 is there twice"):
        gate([*current, current[0]], current)
    with pytest.raises(ValueError, match="between 0 and 1"):
        gate(current, current, confidence=95)
    with pytest.raises(ValueError, match="guess has 2 keypoints, the truth 15"):
        replace(current[0], guess=Track.empty(2))


def test_the_same_seed_gives_the_same_verdict():
    rng = np.random.default_rng(0)
    tracks = truths(rng)
    candidate, current = answers(tracks, rng, 3.8), answers(tracks, rng, 4)
    assert gate(candidate, current, seed=3) == gate(candidate, current, seed=3)
    assert gate(candidate, current, seed=3).low != gate(candidate, current, seed=4).low
    assert gate(candidate, current, confidence=0.99).low < gate(candidate, current, confidence=0.8).low
