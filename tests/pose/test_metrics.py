import contextlib
import io

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pose import metrics
from pose.skeleton import COCO_17
from pose.track import Track, blank

FIVE_SIGMAS = np.array([0.02, 0.05, 0.1, 0.08, 0.03])
SIGMAS = [COCO_17.oks_sigmas(), FIVE_SIGMAS]


def coco_eval(truth, scores, guess, area, sigmas):
    """COCOeval over images of one instance each: ``(N, K, 3)`` truth, ``(N, K, 2)`` guess."""
    count = len(sigmas)
    images = [
        {"id": number, "width": 640, "height": 480, "file_name": f"{number}.jpg"} for number in range(1, len(truth) + 1)
    ]
    annotations = [
        {
            "id": number, "image_id": number, "category_id": 1, "keypoints": keypoints.ravel().tolist(), "iscrowd": 0,
            "num_keypoints": int((keypoints[:, 2] > 0).sum()), "bbox": [0, 0, 9, 9], "area": float(area[number - 1]),
        }
        for number, keypoints in enumerate(truth, start=1)
    ]  # fmt: skip
    results = [
        {
            "image_id": number, "category_id": 1, "score": float(score),
            "keypoints": np.c_[xy, np.full(count, 2)].ravel().tolist(),
        }
        for number, (xy, score) in enumerate(zip(guess, scores, strict=True), start=1)
    ]  # fmt: skip
    coco = COCO()
    coco.dataset = {"info": {}, "images": images, "annotations": annotations, "categories": [{"id": 1, "name": "x"}]}
    with contextlib.redirect_stdout(io.StringIO()):
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(results), "keypoints")
        evaluation.params.kpt_oks_sigmas = sigmas
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def scene(sigmas, seed=0, images=30):
    rng = np.random.default_rng(seed)
    count = len(sigmas)
    truth = np.concatenate([rng.uniform(50, 200, (images, count, 2)), rng.integers(0, 3, (images, count, 1))], axis=-1)
    truth[:, 0, 2] = 2
    noise = rng.normal(0, 1, (images, count, 2)) * rng.uniform(0, 25, (images, 1, 1))
    return truth, rng.permutation(images) / images, truth[..., :2] + noise, rng.uniform(1500, 20000, images)


@pytest.mark.parametrize("sigmas", SIGMAS, ids=["coco17", "five"])
def test_oks_equals_pycocotools(sigmas):
    truth, scores, guess, area = scene(sigmas)
    evaluation = coco_eval(truth, scores, guess, area, sigmas)
    theirs = [evaluation.computeOks(number, 1)[0, 0] for number in range(1, len(truth) + 1)]
    ours = metrics.oks(truth[..., :2], truth[..., 2], guess, area, sigmas)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("sigmas", SIGMAS, ids=["coco17", "five"])
def test_average_precision_from_our_oks_equals_coco_eval(sigmas):
    truth, scores, guess, area = scene(sigmas, seed=3)
    evaluation = coco_eval(truth, scores, guess, area, sigmas)
    similarity = metrics.oks(truth[..., :2], truth[..., 2], guess, area, sigmas)[np.argsort(-scores)]
    precisions = []
    for threshold in evaluation.params.iouThrs:
        hits = np.cumsum(similarity >= threshold)
        precision = np.maximum.accumulate((hits / np.arange(1, len(hits) + 1))[::-1])[::-1]
        rows = np.searchsorted(hits / len(hits), evaluation.params.recThrs, side="left")
        precisions.append(np.append(precision, 0)[rows])
    average = np.mean(precisions)
    assert 0.05 < average < 0.95
    assert average == pytest.approx(evaluation.eval["precision"][:, :, 0, 0, 0].mean(), abs=1e-12)


def test_oks_of_all_pairs_by_broadcasting():
    truth, _, guess, area = scene(FIVE_SIGMAS, images=4)
    pairs = metrics.oks(truth[None, ..., :2], truth[None, ..., 2], guess[:, None], area, FIVE_SIGMAS)
    assert pairs.shape == (4, 4)
    np.testing.assert_array_equal(np.diag(pairs), metrics.oks(truth[..., :2], truth[..., 2], guess, area, FIVE_SIGMAS))


def test_oks_without_a_known_point_is_not_a_number():
    xy = np.zeros((2, 5, 2))
    visibility = np.array([[0] * 5, [0, 0, 2, 0, 0]])
    ours = metrics.oks(xy, visibility, xy, 100.0, FIVE_SIGMAS)
    assert np.isnan(ours[0])
    assert ours[1] == 1


def test_hidden_points_count_like_visible_ones_and_unknown_ones_do_not():
    truth = np.array([[0.0, 0.0], [10.0, 0.0]])
    guess = np.array([[0.0, 0.0], [400.0, 0.0]])
    sigmas = np.array([0.05, 0.05])
    assert metrics.oks(truth, np.array([2, 1]), guess, 500.0, sigmas) == pytest.approx(0.5)
    assert metrics.oks(truth, np.array([2, 0]), guess, 500.0, sigmas) == 1


# Two points 30 px and 40 px apart: a diagonal of 50 px.
SQUARE = [[0, 0, 2], [30, 40, 2], [15, 20, 1]]


def test_distances_are_over_the_diagonal_of_the_known_points():
    truth = Track.labelled([4, 7], np.array([SQUARE, [[0, 0, 2], [6, 8, 2], [500, 500, 0]]]))
    guess = Track.labelled([4, 7], np.array([[[5, 0, 2], [30, 40, 2], [15, 10, 2]], [[0, 1, 2], [6, 8, 2], [1, 1, 2]]]))
    measured = metrics.normalised_errors(truth, guess)
    np.testing.assert_array_equal(measured.frames, [4, 7])
    np.testing.assert_array_equal(measured.known, [[1, 1, 1], [1, 1, 0]])
    np.testing.assert_allclose(measured.errors[measured.known], [0.1, 0, 0.2, 0.1, 0])


def test_absent_point_has_error_one_and_is_wrong():
    truth = Track.labelled([0, 1], np.array([SQUARE, SQUARE]))
    guess = Track.labelled([0], np.array([[[0, 0, 2], [0, 0, 0], [15, 20, 2]]]))
    measured = metrics.normalised_errors(truth, guess)
    np.testing.assert_array_equal(measured.present, [[1, 0, 1], [0, 0, 0]])
    np.testing.assert_array_equal(measured.errors, [[0, 1, 0], [1, 1, 1]])
    assert metrics.pck(measured.errors, measured.present, 1.0) == pytest.approx(2 / 6)


def test_error_is_capped_at_one_and_a_far_point_is_present():
    truth = Track.labelled([0], np.array([SQUARE]))
    guess = Track.labelled([0], np.array([[[900, 900, 2], [30, 40, 2], [15, 20, 2]]]))
    measured = metrics.normalised_errors(truth, guess)
    assert measured.errors[0, 0] == 1
    assert measured.present.all()


def test_keyframes_and_frames_with_fewer_than_two_points_are_left_out():
    truth = Track.labelled([0, 1, 2, 5], np.array([SQUARE, SQUARE, [[1, 1, 2], [0, 0, 0], [0, 0, 0]], SQUARE]))
    measured = metrics.normalised_errors(truth, truth, keyframes=np.array([0, 3]))
    np.testing.assert_array_equal(measured.frames, [1, 5])


def test_coinciding_points_have_no_size_and_count_as_one():
    truth = Track.labelled([0], np.array([[[3, 3, 2], [3, 3, 2]]]))
    np.testing.assert_array_equal(metrics.normalised_errors(truth, truth).errors, [[1, 1]])


def test_evaluate_pools_the_points_of_all_tracks():
    truth = {1: Track.labelled([0, 1, 2], np.array([SQUARE] * 3)), 2: Track.labelled([1], np.array([SQUARE]))}
    guess = {1: Track.labelled([1, 2], np.array([SQUARE, [[0, 0, 0], [33, 36, 2], [15, 32, 2]]]))}
    summary = metrics.evaluate(truth, guess, keyframes={1: truth[1].between(0, 1)})
    # Track 1: frame 1 is exact; frame 2 lacks a point and is 5 and 12 px off. Track 2 is absent.
    assert summary.points == 9
    assert summary.coverage == pytest.approx(5 / 9)
    assert summary.mean == pytest.approx((0 + 0 + 0 + 1 + 0.1 + 0.24 + 3) / 9)
    assert summary.median == pytest.approx(0.24)
    assert dict(summary.pck) == pytest.approx({0.05: 3 / 9, 0.1: 4 / 9, 0.2: 4 / 9})


def test_the_distribution_is_pck_at_every_threshold_and_ends_at_the_coverage():
    errors = np.array([0.1, 1.0, 0.0, 0.05, 1.0])
    present = np.array([True, True, True, True, False])
    limits = np.array([0.0, 0.05, 0.0999, 0.1, 0.5, 1.0])
    shares = metrics.cumulative(errors, present, limits)
    np.testing.assert_allclose(shares, [0.2, 0.4, 0.4, 0.6, 0.6, 0.8])
    np.testing.assert_allclose(shares, [metrics.pck(errors, present, limit) for limit in limits])


def test_ratio_compares_with_a_baseline_on_the_same_points():
    errors, present = np.array([0.1, 0.3]), np.array([True, True])
    ours, baseline = metrics.summarise(errors / 2, present), metrics.summarise(errors, present)
    assert ours.ratio_to(baseline) == pytest.approx(0.5)
    exact = metrics.summarise(errors * 0, present)
    assert exact.ratio_to(exact) == 1
    assert ours.ratio_to(exact) == float("inf")
    with pytest.raises(ValueError, match="do not compare"):
        ours.ratio_to(metrics.summarise(errors[:1], present[:1]))


def test_nothing_to_measure_is_an_error():
    truth = {1: Track.labelled([0], np.array([SQUARE]))}
    with pytest.raises(ValueError, match="no point to measure"):
        metrics.evaluate(truth, truth, keyframes=truth)
    with pytest.raises(ValueError, match="no point to measure"):
        metrics.evaluate({}, {})


def test_other_skeletons_do_not_compare():
    with pytest.raises(ValueError, match="2 keypoints, the truth 3"):
        metrics.normalised_errors(blank(np.arange(2), 3), blank(np.arange(2), 2))
