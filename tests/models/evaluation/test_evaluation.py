"""All figures at once, on poses whose errors are known."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from models.evaluation import Evaluation, LabelledPrediction, evaluate
from models.evaluation.bootstrap import BLOCK_FRAMES
from models.evaluation.evaluation import WORST
from models.evaluation.report import markdown
from pose.metrics import FalsePositives
from pose.skeleton import Skeleton
from pose.track import Track

SKELETON = Skeleton(name="mouse", keypoints=("nose", "left_ear", "right_ear", "tail"), swap=((1, 2),))

# A box diagonal of 50 pixels; the tail is never labelled.
POSE = np.array([[0, 0, 2], [30, 40, 2], [15, 20, 1], [0, 0, 0]], dtype=float)


def judged(name, frames, *, nose=0.0, absent=(), **fields):
    """The nose ``nose`` pixels off, a number or one for each frame; keypoints that were not found."""
    truth = np.tile(POSE, (len(frames), 1, 1))
    guess = truth.copy()
    guess[:, 0, 0] -= nose
    guess[..., 2] = 2
    guess[:, list(absent), 2] = 0
    return LabelledPrediction(name, Track.labelled(frames, truth), Track.labelled(frames, guess), **fields)


def test_figures_by_hand():
    result = evaluate([judged("a/1", [0, 5], nose=5), judged("b/1", [2], absent=[2])], SKELETON)
    assert isinstance(result, Evaluation)
    assert (result.skeleton, result.subjects, result.videos, result.frames) == ("mouse", 2, 2, 3)
    overall = result.overall
    assert (overall.points, overall.coverage) == (9, pytest.approx(8 / 9))
    assert overall.mean == pytest.approx((0.1 + 0.1 + 1) / 9)
    assert dict(overall.pck) == pytest.approx({0.05: 6 / 9, 0.1: 8 / 9, 0.2: 8 / 9})
    nose, ear = result.keypoints["nose"], result.keypoints["right_ear"]
    assert (nose.points, nose.mean, nose.median) == (3, pytest.approx(0.2 / 3), pytest.approx(0.1))
    assert (ear.coverage, ear.mean) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert result.keypoints["tail"] is None
    assert result.distribution[0] == pytest.approx(6 / 9)
    assert result.distribution[-1] == pytest.approx(8 / 9)
    # Without head boxes a joint is right within 5 % of the diagonal: the nose is, the one time that it is exact.
    assert not result.head_boxes
    rows = {row.joint: row for row in result.joints}
    assert (rows["nose"].positives, rows["nose"].recall) == (3, pytest.approx(1 / 3))
    assert (rows["right_ear"].precision, rows["right_ear"].recall) == (1, pytest.approx(2 / 3))
    # The tail is found though nobody labelled it, so nothing it says is right.
    assert rows["tail"].precision == 0
    assert np.isnan(rows["tail"].ap)
    assert result.posetrack.groups["Head"] == pytest.approx(
        np.mean([rows[n].ap for n in ("nose", "left_ear", "right_ear")])
    )


def test_true_head_boxes_are_used():
    heads = np.array([20.0, 5.0])
    result = evaluate([judged("a/1", [0, 5], nose=5, head_size=heads)], SKELETON)
    assert result.head_boxes
    assert next(row for row in result.joints if row.joint == "nose").recall == 0.5
    with pytest.raises(ValueError, match=r"a/1: .* head sizes for 2 frames"):
        judged("a/1", [0, 5], head_size=heads[:1])


def test_subjects_of_a_video_are_matched_with_each_other():
    first, second = judged("a/1", [0, 1]), judged("a/2", [0, 1])
    far = Track.labelled([0, 1], np.concatenate([second.truth.xy + 300, second.truth.visibility[..., None]], axis=-1))
    together = [LabelledPrediction("a/1", first.truth, far), LabelledPrediction("a/2", far, first.truth)]
    # Who is who plays no part in AP, on the same image; it does in distances.
    assert evaluate(together, SKELETON).coco.ap == pytest.approx(1)
    assert evaluate(together, SKELETON).posetrack.mean == 1
    assert evaluate(together, SKELETON).overall.mean == 1
    apart = [LabelledPrediction("a/1", first.truth, far), LabelledPrediction("b/2", far, first.truth)]
    assert evaluate(apart, SKELETON).coco.ap == 0


def test_a_guess_on_frames_without_labels_is_neither_right_nor_wrong():
    one = judged("a/1", [0, 10])
    keypoints = np.concatenate([np.tile(POSE, (4, 1, 1))[..., :2] + 3, np.full((4, 4, 1), 2)], axis=-1)
    keypoints[[0, 3]] = np.concatenate([one.guess.xy, one.guess.visibility[..., None]], axis=-1)
    more = LabelledPrediction("a/1", one.truth, Track.labelled([0, 4, 5, 10], keypoints))
    assert (
        evaluate([more, judged("a/2", [4])], SKELETON).to_json()
        == evaluate([one, judged("a/2", [4])], SKELETON).to_json()
    )


def test_the_worst_frames_are_apart_in_time():
    off = np.zeros(60)
    off[[20, 21, 22, 50]] = 5, 20, 10, 8
    result = evaluate([judged("a/1", range(60), nose=off), judged("b/1", [3], nose=15)], SKELETON)
    assert [(bad.name, bad.frame) for bad in result.worst[:3]] == [("a/1", 21), ("b/1", 3), ("a/1", 50)]
    assert result.worst[0].keypoint == "nose"
    assert result.worst[0].error == pytest.approx(0.4 / 3)
    frames = [bad.frame for bad in result.worst if bad.name == "a/1"]
    assert min(np.diff(sorted(frames))) >= BLOCK_FRAMES
    assert len(evaluate([judged("a/1", range(0, 900, 20))], SKELETON).worst) == WORST


def test_figures_are_json_that_every_reader_takes():
    result = evaluate([judged("a/1", [0, 5], nose=5)], SKELETON).to_json()
    again = json.loads(json.dumps(result, allow_nan=False))
    assert again == result
    assert again["keypoints"]["tail"] is None
    assert again["coco"]["ap_large"] is None
    assert again["overall"]["pck"]["0.1"] == 1
    assert again["posetrack"]["head_size"] == "0.1 of the box diagonal"
    assert len(again["distribution"]["limits"]) == len(again["distribution"]["shares"])


def test_what_cannot_be_measured_is_refused():
    with pytest.raises(ValueError, match="no frame to measure"):
        evaluate([], SKELETON)
    with pytest.raises(ValueError, match="no frame to measure"):
        evaluate([LabelledPrediction("a/1", Track.empty(4), Track.empty(4))], SKELETON)
    with pytest.raises(ValueError, match="subject a/1 is there twice"):
        evaluate([judged("a/1", [0])] * 2, SKELETON)
    with pytest.raises(ValueError, match="4 keypoints are not those of skeleton 'two'"):
        evaluate([judged("a/1", [0])], Skeleton(name="two", keypoints=("a", "b")))
    with pytest.raises(ValueError, match="different skeletons"):
        evaluate([judged("a/1", [0]), LabelledPrediction("b/1", Track.empty(2), Track.empty(2))], SKELETON)


def test_the_video_is_in_the_name():
    assert [judged(name, [0]).video for name in ("a/1", "lab/mouse/2", "alone")] == ["a", "lab/mouse", "alone"]


def test_it_needs_no_torch():
    script = "import sys, models.evaluation; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def without(one, states, score):
    """The subject with more frames, on which points are absent (-1), there (1) or unknown (0), and what is found."""
    frames, state = np.array([*states]), np.array([*states.values()])
    points = np.tile(POSE, (len(frames), 1, 1))
    points[..., 2] = np.maximum(state, 0)
    labels = Track.labelled(frames, points, state < 0)
    points[..., 2] = 2
    guess = replace(Track.labelled(frames, points), score=np.full(state.shape, score, np.float32))
    return LabelledPrediction(one.name, labels.over(one.truth), guess.over(one.guess))


def test_what_is_found_of_absent_subjects_is_a_figure_of_its_own(tmp_path):
    plain = [judged("a/1", [0, 20], nose=5), judged("b/1", [2])]
    gone, some = [-1, -1, -1, -1], [-1, 0, 0, -1]
    seen = [without(plain[0], {40: gone, 60: gone, 61: some}, 0.5), without(plain[1], {50: gone}, 0.49)]
    result, before = evaluate(seen, SKELETON), evaluate(plain, SKELETON)
    assert result.false_positives == FalsePositives(poses=3, poses_found=2, points=14, points_found=10)
    told = result.to_json()
    assert told.pop("false_positives") == {
        "score": 0.5, "poses": 3, "poses_found": 2, "points": 14, "points_found": 10,
        "pose_rate": 2 / 3, "point_rate": 10 / 14,
    }  # fmt: skip
    known = before.to_json()
    assert known.pop("false_positives")["pose_rate"] is None
    # Where points are, figures are as they would be without.
    assert told == known
    page = markdown(result)
    assert "score of 0.5 or more" in page
    assert "| subjects | 3 | 2 | 66.7 |" in page
    assert "| points | 14 | 10 | 71.4 |" in page
    assert "nothing is there" not in markdown(before)


def test_a_subject_that_is_absent_throughout_is_measured_too():
    gone = Track.labelled([3], np.zeros((1, 4, 3)), np.ones((1, 4), dtype=bool))
    seen = Track.labelled([3], np.tile(POSE, (1, 1, 1)))
    plain = [judged("a/1", [0, 20], nose=5)]
    for name in ("a/2", "c/1"):
        result, before = evaluate([*plain, LabelledPrediction(name, gone, seen)], SKELETON), evaluate(plain, SKELETON)
        assert (result.overall, result.frames, result.coco.ap) == (before.overall, before.frames, before.coco.ap)
        assert result.posetrack.mean == before.posetrack.mean
        assert result.false_positives == FalsePositives(poses=1, poses_found=1, points=4, points_found=3)
