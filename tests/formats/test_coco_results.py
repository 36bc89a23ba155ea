"""COCO results against the truth file that they are written for, as pycocotools measures them."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from formats import coco, coco_results
from formats.dataset import Dataset, Video
from formats.errors import FormatError
from pose.skeleton import COCO_17, Skeleton
from tests.formats.tables import two_mice

FIVE = Skeleton(name="fly", keypoints=("a", "b", "c", "d", "e"), sigmas=(0.03, 0.05, 0.05, 0.1, 0.2))


def people(skeleton: Skeleton) -> Dataset:
    """Two subjects on 30 frames of each of two videos, some points hidden or not known, and a machine's among them."""
    rng = np.random.default_rng(4)
    shape = (120, skeleton.size)
    state = rng.choice([0, 1, 2], shape, p=[0.2, 0.2, 0.6])
    state[:, 0] = 2
    rows = np.arange(120)
    return Dataset.of(
        skeleton,
        tuple(Video(name=name, width=1000, height=1000, num_frames=90) for name in ("left", "right")),
        video=rows // 60,
        frame=3 * (rows % 60 // 2),
        track=rows % 2 + 1,
        xy=200 + 400 * (rows % 2)[:, None, None] + rng.uniform(0, 200, (*shape, 2)),
        visibility=state,
        score=rng.uniform(0.2, 0.99, shape),
        human=np.broadcast_to((rows % 3 > 0)[:, None], shape),
    )


def evaluated(truth, results, skeleton: Skeleton) -> np.ndarray:
    """The ten figures that pycocotools gives."""
    with contextlib.redirect_stdout(io.StringIO()):
        against = COCO(str(truth))
        evaluation = COCOeval(against, against.loadRes(str(results)), "keypoints")
        evaluation.params.kpt_oks_sigmas = skeleton.oks_sigmas()
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.array(evaluation.stats)


@pytest.mark.parametrize("skeleton", [COCO_17, FIVE], ids=lambda one: one.name)
def test_the_same_points_have_an_ap_of_exactly_one(skeleton, tmp_path):
    poses = people(skeleton)
    coco.write(poses, tmp_path / "truth.json")
    assert coco_results.write(poses, tmp_path / "results.json", tmp_path / "truth.json") == 0
    figures = evaluated(tmp_path / "truth.json", tmp_path / "results.json", skeleton)
    assert figures[figures >= 0].tolist() == [1.0] * int((figures >= 0).sum())
    assert figures[0] == 1.0
    moved = poses.with_columns(xy=poses.xy + 25)
    coco_results.write(moved, tmp_path / "moved.json", tmp_path / "truth.json")
    assert evaluated(tmp_path / "truth.json", tmp_path / "moved.json", skeleton)[0] < 0.9


def test_detections_are_on_the_images_that_the_truth_has_in_its_order_of_keypoints(tmp_path):
    poses = two_mice()
    turned = Dataset.of(
        replace(poses.skeleton, keypoints=("tail", "ear", "nose"), edges=()),
        (poses.videos[1], poses.videos[0]),
        video=[0, 1, 1],
        frame=[12, 0, 7],
        track=[1, 1, 1],
        xy=np.full((3, 3, 2), 5),
        visibility=np.full((3, 3), 2),
    )
    document = written(turned, tmp_path / "truth.json")
    image = {(one["video_id"], one["frame_index"]): one["id"] + 100 for one in document["images"]}
    for one in document["images"]:
        one["id"] += 100
    for one in document["annotations"]:
        one |= {"image_id": one["image_id"] + 100, "category_id": 7}
    document["categories"][0]["id"] = 7
    (tmp_path / "truth.json").write_text(json.dumps(document))
    missing = poses.with_columns(frame=[0, 0, 8, 12])
    assert coco_results.write(missing, tmp_path / "results.json", tmp_path / "truth.json") == 1
    found = json.loads((tmp_path / "results.json").read_text())
    assert [one["image_id"] for one in found] == [image[2, 0], image[2, 0], image[1, 12]]
    assert {one["category_id"] for one in found} == {7}
    nose, tail = poses.xy[0].astype(float).tolist()
    assert found[0]["keypoints"] == [*tail, 2, 0, 0, 0, *nose, 2]
    assert [one["score"] for one in found] == [1, 1, 0.75]
    assert found[1]["keypoints"][6:] == [*poses.xy[1, 0].astype(float).tolist(), 1]


def test_videos_named_alike_are_told_apart_by_what_our_files_call_them(tmp_path):
    left, right = two_mice().videos
    poses = two_mice().with_videos((left, replace(right, name="left")))
    document = written(poses, tmp_path / "truth.json")
    assert coco_results.write(poses, tmp_path / "results.json", tmp_path / "truth.json") == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert [one["image_id"] for one in found] == [one["image_id"] for one in document["annotations"]]


def test_many_videos_are_matched_without_comparing_each_with_each(tmp_path, monkeypatch):
    count, looked = 300, []

    class Name(str):
        __slots__ = ()

        def __eq__(self, other):
            looked.append(other)
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    poses = Dataset.of(
        two_mice().skeleton,
        tuple(Video(name=f"mouse {number}", num_frames=1) for number in range(count)),
        video=np.arange(count),
        frame=np.zeros(count),
        track=np.ones(count),
        xy=np.ones((count, 2, 2)),
        visibility=np.full((count, 2), 2),
    )
    written(poses, tmp_path / "truth.json")
    monkeypatch.setattr(coco_results, "called", lambda sequence, of=coco_results.called: Name(of(sequence)))
    named = tuple(replace(video, name=Name(video.name)) for video in poses.videos)
    coco_results.write(poses.with_videos(named), tmp_path / "results.json", tmp_path / "truth.json")
    assert len(looked) < 10 * count


def written(poses: Dataset, path) -> dict:
    coco.write(poses, path)
    return json.loads(path.read_text())


def test_what_does_not_fit_is_refused_with_the_truth_file(tmp_path):
    truth, target, poses = tmp_path / "truth.json", tmp_path / "results.json", two_mice()
    document = written(poses, truth)

    def refused(match, **changes):
        truth.write_text(json.dumps({**document, **changes}))
        with pytest.raises(FormatError, match=rf"truth\.json.*{match}"):
            coco_results.write(poses, target, truth)

    (category,) = document["categories"]
    refused("2 categories have keypoints", categories=[category, {**category, "id": 2}])
    refused("its keypoints are others: beak", categories=[{**category, "keypoints": ["beak"], "skeleton": []}])
    images = [{**one, "file_name": f"other{one['file_name']}"} for one in document["images"]]
    videos = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    refused(r"its videos \(cat, dog\) are called otherwise .* \(left, right\)", images=images, videos=videos)
    later = [{**one, "frame_index": one["frame_index"] + 5000} for one in document["images"]]
    refused("no pose is on any of its images", images=later)
    truth.write_text("[]")
    with pytest.raises(FormatError, match=r"truth\.json"):
        coco_results.write(poses, target, truth)
    with pytest.raises(FormatError, match=r"gone\.json: there is no such file"):
        coco_results.write(poses, target, tmp_path / "gone.json")
    assert not target.exists()
