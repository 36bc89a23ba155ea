"""Matching people, counting joints and the area under the curve, against plain loops and worked examples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.posetrack_ap import (
    Detections,
    average_precision,
    group_of,
    head_sizes,
    inside,
    join,
    joint_rows,
    judge,
    mean_ap,
    stand_in,
)
from pose.skeleton import POSETRACK_15
from pose.track import Track


def person(xy, score=None, frame=0, visibility=2):
    """A track on one frame; ``xy`` is ``(K, 2)``, NaN where not labelled."""
    xy = np.asarray(xy, dtype=float)
    known = ~np.isnan(xy).any(axis=1)
    track = Track.labelled([frame], np.c_[np.nan_to_num(xy), known * visibility][None])
    if score is not None:
        track.score[:] = np.asarray(score) * known
    return track


def sizes(truth, size=10.0):
    return {number: np.full(len(track), size) for number, track in truth.items()}


def plain_judge(truth, guess, size):
    """Joint, score and correctness of each prediction on one frame; people are lists of points or None."""
    shares = []
    for points, _ in guess:
        row = []
        for person in truth:
            near = sum(
                p is not None and t is not None and np.hypot(p[0] - t[0], p[1] - t[1]) <= 0.5 * size
                for p, t in zip(points, person, strict=True)
            )
            labelled = sum(t is not None for t in person)
            row.append(near / labelled if labelled else 0)
        shares.append(row)
    fits = [max(range(len(truth)), key=lambda g, row=row: (row[g], -g)) for row in shares]
    judged = []
    for number, (points, scores) in enumerate(guess):
        g = fits[number]
        rivals = [shares[other][g] if fits[other] == g else 0 for other in range(len(guess))]
        mine = shares[number][g] > 0 and rivals.index(max(rivals)) == number
        for joint, point in enumerate(points):
            if point is not None:
                t = truth[g][joint]
                right = mine and t is not None and np.hypot(point[0] - t[0], point[1] - t[1]) <= 0.5 * size
                judged.append((joint, scores[joint], bool(right)))
    return judged


@given(st.integers(0, 2**32 - 1))
def test_judging_follows_the_rules_of_poseval(seed):
    rng = np.random.default_rng(seed)
    joints, people, predictions = 4, int(rng.integers(1, 4)), int(rng.integers(0, 5))
    places = rng.integers(0, 24, (people, joints, 2)).astype(float)
    found = places[rng.integers(people, size=predictions)] + rng.integers(-6, 7, (predictions, joints, 2))
    places[rng.random((people, joints)) < 0.2] = np.nan
    found[rng.random((predictions, joints)) < 0.2] = np.nan
    scores = rng.random((predictions, joints)).astype(np.float32)
    truth = {number: person(xy) for number, xy in enumerate(places) if not np.isnan(xy).all()}
    guess = {number: person(xy, scores[number]) for number, xy in enumerate(found)}
    if not truth:
        return
    detections = judge(truth, guess, sizes(truth))

    def points(xy):
        return [None if np.isnan(point).any() else tuple(point) for point in xy]

    expected = plain_judge(
        [points(places[number]) for number in truth],
        [(points(xy), scores[number].tolist()) for number, xy in enumerate(found)],
        10.0,
    )
    got = zip(detections.joint.tolist(), detections.score.tolist(), detections.correct.tolist(), strict=True)
    assert sorted(got) == sorted(expected)
    np.testing.assert_array_equal(detections.positives, (~np.isnan(places).any(axis=-1)).sum(axis=0))


def plain_ap(scores, correct, positives):
    """Interpolated precision at every recall that is reached, by the definition."""
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    curve, hits = [], 0
    for rank, i in enumerate(order, start=1):
        hits += correct[i]
        curve.append((hits / positives, hits / rank))
    area, before = 0.0, 0.0
    for recall, _ in curve:
        area += (recall - before) * max(p for r, p in curve if r >= recall)
        before = recall
    return area


@given(st.integers(0, 2**32 - 1))
def test_average_precision_is_the_area_under_the_interpolated_curve(seed):
    rng = np.random.default_rng(seed)
    count = int(rng.integers(0, 12))
    correct, scores = rng.random(count) < 0.6, rng.permutation(count) / 12
    positives = int(correct.sum() + rng.integers(1, 4))
    detections = Detections(np.zeros(count, dtype=int), scores, correct, np.array([positives, 0]))
    found, missing = average_precision(detections)
    assert found == pytest.approx(plain_ap(scores.tolist(), correct.tolist(), positives))
    assert np.isnan(missing)


def test_perfect_poses_have_full_precision_and_a_miss_costs_recall():
    truth = {3: person([[0, 0], [20, 0]]), 5: person([[100, 0], [120, 0]])}
    everything = judge(truth, truth, sizes(truth))
    np.testing.assert_array_equal(average_precision(everything), [1, 1])
    one = judge(truth, {1: truth[5]}, sizes(truth))
    np.testing.assert_array_equal(average_precision(one), [0.5, 0.5])
    nothing = judge(truth, {}, sizes(truth))
    np.testing.assert_array_equal(average_precision(nothing), [0, 0])


def test_a_joint_is_correct_up_to_half_a_head_size():
    truth = {1: person([[0, 0], [50, 0]])}
    detections = judge(truth, {1: person([[0, 5], [50, 5.1]])}, sizes(truth, 10.0))
    np.testing.assert_array_equal(detections.correct, [True, False])
    np.testing.assert_allclose(head_sizes(np.array([10.0, 20, 3, 4])), 0.6 * 5)


def test_a_second_prediction_of_the_same_person_is_wrong():
    truth = {1: person([[0, 0], [20, 0], [40, 0]])}
    better, worse = person([[0, 0], [20, 0], [40, 0]]), person([[0, 0], [20, 0], [60, 0]])
    detections = judge(truth, {1: worse, 2: better}, sizes(truth))
    np.testing.assert_array_equal(detections.correct, [False] * 3 + [True] * 3)


def test_a_joint_that_the_truth_lacks_counts_as_wrong():
    truth = {1: person([[0, 0], [np.nan, 0]])}
    detections = judge(truth, {1: person([[0, 0], [20, 0]])}, sizes(truth))
    np.testing.assert_array_equal(detections.correct, [True, False])
    np.testing.assert_array_equal(detections.positives, [1, 0])


def test_only_frames_with_people_that_are_asked_for_are_judged():
    keypoints = np.full((4, 1, 3), 2.0)
    keypoints[3, 0] = 0
    track = Track.labelled([2, 4, 6, 8], keypoints)
    guess = Track.labelled([1, 2, 3, 4, 6, 8], np.full((6, 1, 3), 2.0))
    assert len(judge({1: track}, {1: guess}, sizes({1: track})).joint) == 3
    assert len(judge({1: track}, {1: guess}, sizes({1: track}), frames=np.array([3, 4, 6])).joint) == 2


def test_joints_in_an_ignored_region_count_for_nothing():
    truth = {1: person([[5, 5], [50, 5]])}
    square = np.array([[0, 0], [10, 0], [10, 10], [0, 10.0]])
    guess = {1: person([[6, 5], [50, 5]]), 2: person([[8, 8], [90, 90]])}
    detections = judge(truth, guess, sizes(truth), ignored={0: [square], 7: [square + 40]})
    np.testing.assert_array_equal(detections.joint, [1, 1])
    np.testing.assert_array_equal(detections.correct, [True, False])
    np.testing.assert_array_equal(detections.positives, [0, 1])


def test_points_are_found_in_polygons_that_are_not_convex():
    bay = np.array([[0, 0], [10, 0], [10, 10], [5, 4], [0, 10.0]])
    xy = np.array([[[5, 2], [5, 6]], [[1, 6], [9, 6]], [[-1, 3], [11, 3]], [[5, 20], [5, -1]]])
    np.testing.assert_array_equal(inside(xy, bay), [[True, False], [True, True], [False, False], [False, False]])
    np.testing.assert_array_equal(inside(xy, bay[::-1]), inside(xy, bay))


def test_a_labelled_person_without_a_head_size_is_refused():
    truth = {1: person([[0, 0]])}
    with pytest.raises(ValueError, match="head size"):
        judge(truth, truth, {1: np.array([np.nan])})


def test_groups_are_posetracks_and_the_mean_is_over_joints():
    positives = np.ones(15, dtype=int)
    positives[4] = 0
    found = np.array([0, 1, 2, 3, 7])
    detections = Detections(found, np.ones(5), np.ones(5, dtype=bool), positives)
    result = mean_ap(join([detections]), POSETRACK_15.keypoints)
    assert list(result.groups) == ["Head", "Shou", "Elb", "Wri", "Hip", "Knee", "Ankl"]
    assert result.groups["Head"] == 1
    assert result.groups["Shou"] == 1
    assert result.groups["Wri"] == 0.5
    assert result.mean == pytest.approx(5 / 14)


def test_other_keypoints_are_groups_of_their_own():
    assert [group_of(name) for name in ("left_ankle", "face", "belly", "wingL", "right_heel")] == [
        "Ankl", "Head", "belly", "wingL", "heel",
    ]  # fmt: skip
    result = mean_ap(Detections(np.zeros(0, int), np.zeros(0), np.zeros(0, bool), np.array([0, 2])), ["tail", "snout"])
    assert np.isnan(result.groups["tail"])
    assert result.groups["snout"] == result.mean == 0


def test_videos_are_pooled_before_precision_is_taken():
    truth = {1: person([[0, 0]])}
    right = judge(truth, {1: person([[0, 0]], [0.4])}, sizes(truth))
    wrong = judge(truth, {1: person([[90, 0]], [0.8])}, sizes(truth))
    assert average_precision(join([right, wrong]))[0] == pytest.approx(0.25)


def test_rows_of_joints_by_hand():
    # A head of 10 pixels: right is within 5. Frame 0: the nose is found, the left wrist is not. Frame 1: the first
    # prediction is 20 pixels off and the second 1, so the second is matched; the right wrist is not labelled anywhere.
    nothing = [np.nan, 0]
    labelled = [[0, 0, 2], [50, 0, 2], [0, 0, 0]]
    truth = {1: Track.labelled([0, 1], np.array([labelled, labelled]))}
    first = person([[3, 4], nothing, nothing], [0.9, 0, 0])
    second = person([[20, 0], nothing, [9, 9]], [0.8, 0, 0.7], 1)
    third = person([[1, 0], nothing, nothing], [0.5, 0, 0], 1)
    detections = judge(truth, {1: first, 2: second, 3: third}, sizes(truth))
    nose, left, right = joint_rows(detections, ["nose", "left_wrist", "right_wrist"])
    # Right, wrong, right: precision 1 up to half of the recall, then 2/3.
    assert nose.ap == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    assert (nose.joint, nose.positives, nose.precision, nose.recall) == ("nose", 2, pytest.approx(2 / 3), 1)
    assert (left.positives, left.ap, left.recall) == (2, 0, 0)
    assert np.isnan(left.precision)
    assert (right.positives, right.precision) == (0, 0)
    assert np.isnan([right.ap, right.recall]).all()
    table = mean_ap(detections, ["nose", "left_wrist", "right_wrist"])
    assert table.groups["Head"] == pytest.approx(5 / 6)
    assert table.groups["Wri"] == 0
    assert table.mean == pytest.approx(5 / 12)


def test_head_size_stands_in_for_a_tenth_of_the_box():
    keypoints = np.array([[[0, 0, 2], [30, 40, 2]], [[0, 0, 2], [30, 40, 2]], [[0, 0, 2], [9, 0, 0]]])
    np.testing.assert_allclose(stand_in(Track.labelled([0, 1, 2], keypoints)), [5, 5, 5])
    np.testing.assert_allclose(stand_in(Track.labelled([0], keypoints[2:])), [1])
    assert len(stand_in(Track.empty(2))) == 0
