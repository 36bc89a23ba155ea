"""What is no pose of the skeleton is passed over by name and never ends an import; odd points are told of."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pose.formats.coco import CocoError, read_coco
from pose.skeleton import Skeleton

MOUSE = Skeleton(name="mouse", keypoints=("nose", "tail"))
POSE = [1, 2, 2, 3, 4, 2]


def document(*foreign, categories=(), **fields):
    """Two labels of one mouse between foreign annotations."""
    label = {"category_id": 1, "track_id": 1, "keypoints": POSE}
    annotations = [{"id": 1, "image_id": 1, **label}, *foreign, {"id": 2, "image_id": 2, **label}]
    return {
        "images": [{"id": 1, "frame_index": 0}, {"id": 2, "frame_index": 10}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "mouse", "keypoints": ["nose", "tail"]}, *categories],
    } | fields


def read(*foreign, skeleton=None, size=None, **fields):
    return read_coco(json.dumps(document(*foreign, **fields)).encode(), skeleton=skeleton, size=size)


BOX = {"bbox": [1, 1, 50, 50], "area": 2500}
CAGE = {"id": 2, "name": "cage"}
FOREIGN = {
    "a box of another category": ({"id": 9, "image_id": 1, "category_id": 2, **BOX}, "category", "(cage)"),
    "a box of the skeleton's category": ({"id": 9, "image_id": 1, "category_id": 1, **BOX}, "box", "a box"),
    "a box with empty keypoints": ({"id": 9, "image_id": 1, "category_id": 1, "keypoints": [], **BOX}, "box", "a box"),
    "keypoints that are null": ({"id": 9, "image_id": 1, "category_id": 1, "keypoints": None}, "empty", "no keypoints"),
    "a crowd": (
        {"id": 9, "image_id": 1, "category_id": 1, "iscrowd": 1, "segmentation": {"counts": "0", "size": [9, 9]}},
        "crowd",
        "a crowd",
    ),
    "a crowd with keypoints": (
        {"id": 9, "image_id": 1, "category_id": 1, "iscrowd": True, "keypoints": POSE},
        "crowd",
        "a crowd",
    ),
    "a mask": ({"id": 9, "image_id": 1, "category_id": 1, "segmentation": [[1, 1, 9, 9, 1]], **BOX}, "mask", "a mask"),
    "a pose without a known point": (
        {"id": 9, "image_id": 1, "category_id": 1, "keypoints": [5, 5, 0, 0, 0, 0]},
        "unlabelled",
        "no known point",
    ),
    "keypoints of a category that names none": (
        {"id": 9, "image_id": 1, "category_id": 2, "keypoints": [1, 1, 2]},
        "category",
        "(cage)",
    ),
    "an id of letters": ({"id": "b7f0-11", "image_id": "x", "category_id": 2, **BOX}, "category", "(cage)"),
    "a track without a number": ({"id": 9, "image_id": 1, "category_id": 1, "track_id": -1, **BOX}, "box", "a box"),
    "no category at all": ({"id": 9, "image_id": 1, "caption": "two mice"}, "empty", "no keypoints"),
    "a category that is not listed": ({"id": 9, "image_id": 1, "category_id": 77, **BOX}, "box", "a box"),
    "an image that is not listed": ({"id": 9, "image_id": 77, "category_id": 1, **BOX}, "box", "a box"),
    "odd fields": ({"bbox": "1 1 50 50", "iscrowd": "no", "attributes": "none", "score": []}, "box", "a box"),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_annotation_is_skipped_by_name(name):
    annotation, kind, words = FOREIGN[name]
    poses = read(annotation, categories=[CAGE])
    np.testing.assert_array_equal(poses.labels[1].frames, [0, 10])
    assert poses.skipped == {kind: 1}
    (warning,) = poses.warnings
    assert warning.startswith("1 annotation is skipped, /annotations/1: ")
    assert words in warning


def test_many_of_a_kind_are_counted_with_the_place_of_the_first():
    boxes = [{"id": 9 + n, "image_id": 1, "category_id": 2 + n % 2, **BOX} for n in range(5)]
    poses = read(*boxes, categories=[CAGE, {"id": 3, "name": "bowl", "keypoints": []}])
    assert poses.skipped == {"category": 5}
    assert poses.warnings == [
        "3 annotations are skipped, the first at /annotations/1: another category (cage)",
        "2 annotations are skipped, the first at /annotations/2: another category (bowl)",
    ]


def test_warnings_of_many_categories_end():
    kinds = [{"id": n, "name": f"thing {n}"} for n in range(2, 200)]
    boxes = [{"id": n + 9, "image_id": 1, "category_id": n, **BOX} for n in range(2, 200)]
    poses = read(*boxes, categories=kinds)
    assert poses.skipped == {"category": 198}
    assert len(poses.warnings) == 20


@pytest.mark.parametrize(
    "category",
    [
        {"keypoints": None},
        {"keypoints": []},
        {"skeleton": [[1, 2, 3]]},
        {"name": 7},
        {"name": None, "supercategory": 3},
    ],
)
def test_a_category_without_keypoints_may_hold_anything(category):
    assert read(categories=[{"id": 2, "name": "cage"} | category]).warnings == []


def test_another_skeleton_is_skipped_where_one_is_wanted():
    human = {"id": 2, "name": "human", "keypoints": ["head", "hand"]}
    annotation = {"id": 9, "image_id": 1, "category_id": 2, "keypoints": POSE}
    poses = read(annotation, categories=[human], skeleton=MOUSE)
    assert poses.skipped == {"category": 1}
    assert "(human)" in poses.warnings[0]


def test_another_skeleton_that_nothing_is_of_is_no_obstacle():
    human = {"id": 2, "name": "human", "keypoints": ["head", "hand", "foot"]}
    assert read(categories=[human]).skeleton.keypoints == MOUSE.keypoints
    with pytest.raises(CocoError, match="a video has one skeleton"):
        read({"id": 9, "image_id": 1, "category_id": 2, "keypoints": POSE}, categories=[human])


def test_categories_may_name_keypoints_in_different_orders():
    other = {"id": 2, "name": "rat", "keypoints": ["tail", "nose"]}
    annotation = {"id": 9, "image_id": 1, "category_id": 2, "track_id": 2, "keypoints": POSE}
    for skeleton in (None, MOUSE):
        poses = read(annotation, categories=[other], skeleton=skeleton)
        np.testing.assert_array_equal(poses.labels[2].xy[0], [[3, 4], [1, 2]])
    fault = {**annotation, "keypoints": [1, 2, 2, 3, 4, 9]}
    with pytest.raises(CocoError) as caught:
        read(fault, categories=[other])
    assert caught.value.pointer == "/annotations/1/keypoints/5"


@pytest.mark.parametrize("write", [float, str, lambda number: f"{number}.0"])
def test_ids_are_whole_numbers_however_they_are_written(write):
    given = document()
    for image in given["images"]:
        image["id"] = write(image["id"])
    for category in given["categories"]:
        category["id"] = write(category["id"])
    for annotation in given["annotations"]:
        for name in ("id", "image_id", "category_id", "track_id"):
            annotation[name] = write(annotation[name])
    poses = read_coco(json.dumps(given).encode())
    np.testing.assert_array_equal(poses.labels[1].frames, [0, 10])
    assert poses.warnings == []


def test_annotations_need_no_id_of_their_own():
    given = document()
    given["annotations"] = [{k: v for k, v in one.items() if k != "id"} for one in given["annotations"]]
    assert len(read_coco(json.dumps(given).encode()).labels[1]) == 2


@pytest.mark.parametrize("value", [1.5, "one", None, True, [1], -3])
def test_what_is_no_id_is_refused(value):
    with pytest.raises(CocoError) as caught:
        read(images=[{"id": value, "frame_index": 0}])
    assert caught.value.pointer == "/images/0/id"
    with pytest.raises(CocoError) as caught:
        read(categories=[{"id": value}])
    assert caught.value.pointer == "/categories/1/id"


def test_a_point_of_null_is_not_known():
    annotation = {"id": 9, "image_id": 1, "category_id": 1, "track_id": 2, "keypoints": [None, None, 0, 3, 4, 2]}
    poses = read(annotation, {**annotation, "id": 10, "track_id": 3, "keypoints": [5, None, 2, 3, 4, 1]})
    np.testing.assert_array_equal(poses.labels[2].visibility, [[0, 2]])
    np.testing.assert_array_equal(poses.labels[3].visibility, [[0, 1]])


def test_points_outside_the_video_are_told_of_with_the_first_places():
    far = {"id": 9, "image_id": 1, "category_id": 1, "track_id": 2, "keypoints": [5000, 50, 2, 319.5, 239.5, 2]}
    odd = {"id": 10, "image_id": 2, "category_id": 1, "track_id": 2, "keypoints": [-0.6, 3, 1, -99, -99, 0]}
    poses = read(far, odd, size=(320, 240))
    assert poses.warnings == [
        "2 points with v > 0 outside the video's 320 x 240 pixels, the first nose (5000, 50) at "
        "/annotations/1/keypoints/0, nose (-0.6, 3) at /annotations/2/keypoints/0"
    ]
    np.testing.assert_array_equal(poses.labels[2].xy[0, 0], [5000, 50])


def test_shares_of_the_image_are_told_of():
    given = document()
    for annotation in given["annotations"]:
        annotation["keypoints"] = [0.25, 0.5, 2, 1, 0.75, 2]
    assert "shares of the image" in read_coco(json.dumps(given).encode()).warnings[0]


def test_points_at_the_origin_are_told_of():
    zeros = {"id": 9, "image_id": 1, "category_id": 1, "track_id": 2, "keypoints": [0, 0, 2, 3, 0, 2]}
    poses = read(
        zeros, {**zeros, "id": 10, "image_id": 2}, {**zeros, "id": 11, "track_id": 3, "keypoints": [0, 0, 0, 9, 9, 2]}
    )
    (warning,) = poses.warnings
    assert warning.startswith("2 points at (0, 0) with v > 0, the first nose (0, 0) at /annotations/1/keypoints/0, ")
