"""Whether pseudo-labels that lie to one side are found, and others are not."""

from dataclasses import replace

import numpy as np
import pytest

from models.evaluation.judged import LabelledPrediction
from models.evaluation.promotion import gate
from models.evaluation.pseudo_labels import OFFSET_TOLERANCE, TrainingFit, farthest_offset
from pose.track import Track

COUNT, VIDEOS, FRAMES = 5, 8, 60
NAMES = tuple(f"point_{k}" for k in range(COUNT))
DIAGONAL = 200.0


def track_of(xy):
    return Track.labelled(np.arange(len(xy)), np.concatenate([xy, np.full((*xy.shape[:2], 1), 2)], axis=-1))


def learnt(rng, *, shift=(0.0, 0.0), share=0.3, error=4.0, blind=(0.0, 0.0)):
    """Every fourth frame labelled by a person, the others by a machine that is off by a pixel or two.

    ``shift`` moves the last keypoint on a share of the machine's frames; the estimator errs by ``error`` at random, and
    by ``blind`` always.
    """
    corners = np.array([[0, 0], [120, 160], [60, 80], [30, 120], [90, 40]], dtype=float)
    made = []
    for video in range(VIDEOS):
        truth = corners + rng.uniform(50, 90, 2) + rng.normal(0, 2, (FRAMES, 1, 2)).cumsum(axis=0)
        person = np.arange(FRAMES) % 4 == 0
        labels = truth + np.where(person[:, None, None], 0, rng.normal(0, 1.5, truth.shape))
        labels[~person & (rng.random(FRAMES) < share), -1] += shift
        seen = truth + rng.normal(0, error, truth.shape) + blind
        weight = np.where(person[:, None], 1.0, rng.uniform(0.5, 0.95, (FRAMES, COUNT)))
        made.append(TrainingFit(LabelledPrediction(f"video{video}/1", track_of(labels), track_of(seen)), weight))
    return made


def test_pseudo_labels_to_one_side_are_found():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        offset = farthest_offset(learnt(rng, shift=(15, 0)), seed=seed)
        assert offset.keypoint == COUNT - 1
        assert OFFSET_TOLERANCE < offset.low < offset.mean < offset.high
        assert offset.mean == pytest.approx(0.3 * 15 / DIAGONAL, abs=0.008)


@pytest.mark.parametrize("blind", [(0.0, 0.0), (9.0, -7.0)])
def test_good_ones_are_not_wherever_the_estimator_errs(blind):
    for seed in range(20):
        offset = farthest_offset(learnt(np.random.default_rng(seed), blind=blind), seed=seed)
        assert offset.low < OFFSET_TOLERANCE / 2


def test_one_that_sees_too_little_tells_nothing():
    assert farthest_offset(learnt(np.random.default_rng(0), shift=(15, 0), error=90)).low < OFFSET_TOLERANCE


def test_there_must_be_labels_of_both_kinds():
    parts = learnt(np.random.default_rng(0), shift=(15, 0))
    assert farthest_offset([]) is None
    assert farthest_offset([replace(one, weight=np.ones_like(one.weight)) for one in parts]) is None
    assert farthest_offset([replace(one, weight=0.5 * one.weight) for one in parts]) is None
    assert farthest_offset(parts[:1]) is None
    with pytest.raises(ValueError, match="do not fit"):
        farthest_offset([replace(parts[0], weight=parts[0].weight[1:])])


def test_points_that_are_not_seen_are_left_out():
    parts = learnt(np.random.default_rng(0), shift=(15, 0))
    bare = []
    for one in parts:
        guess = replace(one.judged.guess, visibility=one.judged.guess.visibility.copy())
        guess.visibility[:, -1] = 0
        bare.append(replace(one, judged=replace(one.judged, guess=guess)))
    assert farthest_offset(bare).keypoint != COUNT - 1
    later = [replace(one, judged=replace(one.judged, guess=one.judged.guess.between(20, 60))) for one in parts]
    assert farthest_offset(later).keypoint == COUNT - 1


def test_the_gate_refuses_what_learnt_from_them():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 200, (COUNT, 2))
    truths = [corners + rng.normal(0, 2, (FRAMES, 1, 2)).cumsum(axis=0) for _ in range(4)]

    def answers(noise):
        return [
            LabelledPrediction(f"held{number}/1", track_of(xy), track_of(xy + rng.normal(0, noise, xy.shape)))
            for number, xy in enumerate(truths)
        ]

    better, current = answers(3), answers(5)
    assert gate(better, current, keypoints=NAMES, learnt=learnt(rng)).promoted
    verdict = gate(better, current, keypoints=NAMES, learnt=learnt(rng, shift=(15, 0)))
    assert (verdict.promoted, verdict.keypoint) == (False, "point_4")
    assert verdict.low > 0
    assert "the pseudo-labels of point_4 that it learnt from lie to one side of what it sees, by 2." in verdict.reason
    assert not gate(better, None, keypoints=NAMES, learnt=learnt(rng, shift=(15, 0))).promoted
