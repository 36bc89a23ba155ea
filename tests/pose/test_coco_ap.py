"""OKS AP and AR, against pycocotools on files and by hand."""

import contextlib
import io
import json
from dataclasses import astuple, replace

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pose import boxes
from pose.coco_ap import coco_ap
from pose.formats.coco import VideoInfo, instances, write_coco
from pose.skeleton import COCO_17
from pose.track import Track

SIGMAS = np.array([0.05, 0.1])


def people(seed):
    """Two people on 25 frames of a video each, some points not labelled; and guesses at them, some points absent."""
    rng = np.random.default_rng(seed)
    videos = []
    for _ in range(2):
        truth, guess = {}, {}
        for number, middle in ((1, 300), (2, 700)):
            size = rng.choice([60, 300])
            # Quarters of a pixel are kept by files and by float32.
            xy = np.round(4 * (middle + rng.uniform(-size, size, (25, 17, 2)) / 2)) / 4
            off = rng.normal(0, 1, (25, 17, 2)) * rng.uniform(0, 0.12 * size, (25, 1, 1))
            seen, found = rng.choice([0, 1, 2], (25, 17), p=[0.2, 0.2, 0.6]), 2 * (rng.random((25, 17)) < 0.95)
            truth[number] = Track.labelled(np.arange(25), np.concatenate([xy, seen[..., None]], axis=-1))
            found_xy = np.round(4 * (xy + off)) / 4
            track = Track.labelled(np.arange(25), np.concatenate([found_xy, found[..., None]], axis=-1))
            scores = rng.integers(1, 256, (25, 17)).astype(np.float32) / 256
            guess[number] = replace(track, score=np.where(track.visibility > 0, scores, 0).astype(np.float32))
        videos.append((truth, guess))
    return videos


def write_truth(path, videos):
    with path.open("wb") as stream:
        write_coco(
            stream,
            COCO_17,
            [
                (VideoInfo(number, f"video{number}", 1000, 1000, 25), instances(truth))
                for number, (truth, _) in enumerate(videos, start=1)
            ],
            info={},
        )


def write_results(path, videos, image_ids):
    results = []
    for number, (_, guess) in enumerate(videos, start=1):
        for track in guess.values():
            box = boxes.around(track.xy, track.visibility, relative=0.1, minimum=8.0)
            for row, frame in enumerate(track.frames.tolist()):
                known = track.visibility[row] > 0
                points = np.column_stack([track.xy[row], track.visibility[row]])
                results.append(
                    {
                        "image_id": image_ids[number, frame],
                        "category_id": 1,
                        "keypoints": points.ravel().tolist(),
                        "score": float(track.score[row][known].mean()),
                        "bbox": box[row].tolist(),
                    }
                )
    path.write_text(json.dumps(results))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_figures_equal_those_of_pycocotools_on_files(tmp_path, seed):
    videos = people(seed)
    write_truth(tmp_path / "truth.json", videos)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "truth.json"))
        ids = {(image["video_id"], image["frame_index"]): image["id"] for image in coco.dataset["images"]}
        write_results(tmp_path / "results.json", videos, ids)
        evaluation = COCOeval(coco, coco.loadRes(str(tmp_path / "results.json")), "keypoints")
        # Its own falloffs, those of people, are left as they are.
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    ours = astuple(coco_ap(videos, COCO_17.oks_sigmas()))
    assert 0.05 < ours[0] < 0.95
    np.testing.assert_allclose(ours, evaluation.stats, rtol=0, atol=1e-12)


def two_points(off=0.0):
    """Two points, and a second one that is ``off`` pixels to the right; the padded box has 56 x 96 pixels."""
    return [[100, 100, 2], [140 + off, 180, 2]]


def similar(share):
    """The distance in pixels of the second point at which its own similarity is ``share``."""
    return float(np.sqrt(-np.log(share) * 2 * 0.53 * 56 * 96 * (2 * SIGMAS[1]) ** 2))


def test_figures_by_hand():
    truth = {1: Track.labelled([0, 1], np.array([two_points(), two_points()]))}
    # On frame 1 the similarity is (1 + .52) / 2 = .76: right at the thresholds .50 to .75, wrong at .80 to .95.
    guess = {1: Track.labelled([0, 1], np.array([two_points(), two_points(similar(0.52))]))}
    guess[1].score[1] = 0.8
    result = coco_ap([(truth, guess)], SIGMAS)
    # Where the second one is wrong, precision is 1 at the 51 recalls up to .5 and 0 at the other 50.
    assert result.ap == pytest.approx((6 + 4 * 51 / 101) / 10)
    assert result.ar == pytest.approx((6 + 4 * 0.5) / 10)
    assert (result.ap50, result.ap75, result.ar50, result.ar75) == (1, 1, 1, 1)
    assert (result.ap_medium, result.ar_medium) == (result.ap, result.ar)
    assert np.isnan([result.ap_large, result.ar_large]).all()


def test_a_wrong_pose_that_is_surer_costs_precision():
    truth = {1: Track.labelled([0], np.array([two_points()]))}
    elsewhere = np.array([[[500, 500, 2], [540, 580, 2]]])
    guess = {7: Track.labelled([0], np.array([two_points()])), 8: Track.labelled([0], elsewhere)}
    guess[7].score[:] = 0.5
    result = coco_ap([(truth, guess)], SIGMAS)
    assert (result.ap, result.ar) == (pytest.approx(0.5), 1)


def test_ids_play_no_part_and_frames_without_labels_do_not_count():
    truth = {1: Track.labelled([3], np.array([two_points()]))}
    guess = {5: Track.labelled([2, 3], np.array([two_points(90), two_points()]))}
    assert coco_ap([(truth, guess)], SIGMAS).ap == pytest.approx(1)
    assert coco_ap([(truth, guess), ({1: Track.empty(2)}, guess)], SIGMAS).ap == pytest.approx(1)


def test_nothing_found_is_nothing_and_nothing_to_find_is_undefined():
    truth = {1: Track.labelled([0], np.array([two_points()]))}
    nothing = coco_ap([(truth, {}), (truth, {1: Track.empty(2)})], SIGMAS)
    assert (nothing.ap, nothing.ar) == (0, 0)
    assert np.isnan(astuple(coco_ap([({1: Track.empty(2)}, truth)], SIGMAS))).all()
    assert np.isnan(astuple(coco_ap([], SIGMAS))).all()


def test_sigmas_are_those_of_the_skeleton(capsys):
    truth = {1: Track.labelled([0], np.array([two_points()]))}
    guess = {1: Track.labelled([0], np.array([two_points(similar(0.52))]))}
    assert coco_ap([(truth, guess)], SIGMAS).ap == pytest.approx(0.6)
    assert coco_ap([(truth, guess)], 10 * SIGMAS).ap == pytest.approx(1)
    with pytest.raises(ValueError, match="2 keypoints does not go with 3 sigmas"):
        coco_ap([(truth, guess)], np.ones(3))
    assert capsys.readouterr().out == ""
