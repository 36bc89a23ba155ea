"""Annotation files in PoseTrack's layout, written here as they are published."""

import json
from pathlib import Path

import numpy as np
import pytest

from pose.formats.coco import CocoError
from pose.formats.posetrack import find_posetrack, read_posetrack
from pose.skeleton import POSETRACK_15

JOINTS = (
    "nose", "head_bottom", "head_top", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip


def image(number, labelled=True, folder="000342_mpii_test", **fields):
    return {
        "has_no_densepose": True,
        "is_labeled": labelled,
        "file_name": f"images/val/{folder}/{number:06d}.jpg",
        "nframes": 100,
        "frame_id": 10003420000 + number,
        "vid_id": "000342",
        "id": 10003420000 + number,
    } | fields


def pose(shift=0.0, **joints):
    """17 x 3 numbers: joint ``i`` at ``10 i + shift, 5 i``; the ears empty."""
    points = [[10 * i + shift, 5.0 * i, 1] for i in range(1, 18)]
    points[3] = points[4] = [0, 0, 0]
    for name, point in joints.items():
        points[JOINTS.index(name)] = list(point)
    return [number for point in points for number in point]


def annotation(number, track_id, keypoints=None, **fields):
    return {
        "bbox_head": [100, 50, 30, 40],
        "keypoints": pose() if keypoints is None else keypoints,
        "track_id": track_id,
        "image_id": 10003420000 + number,
        "bbox": [80, 40, 100, 200],
        "scores": [],
        "category_id": 1,
        "id": 1000342000000 + number,
    } | fields


def document(**changes):
    return {
        "images": [image(2, labelled=False), image(3), image(4), image(5)],
        "annotations": [
            annotation(5, 0, pose(2)),
            annotation(3, 0),
            annotation(3, 7, pose(50), bbox_head=[1, 1, 6, 8]),
        ],
        "categories": [{"supercategory": "person", "name": "person", "id": 1, "keypoints": list(JOINTS)}],
    } | changes


def read(**changes):
    return read_posetrack(json.dumps(document(**changes)).encode(), Path("data"))


def refusal(**changes):
    with pytest.raises(CocoError) as caught:
        read(**changes)
    return dict(caught.value.errors)


def test_a_video_has_its_files_people_and_head_boxes():
    (video,) = read()
    assert video.name == "000342_mpii_test"
    assert video.frames == tuple(Path(f"data/images/val/000342_mpii_test/{n:06d}.jpg") for n in (2, 3, 4, 5))
    np.testing.assert_array_equal(video.labelled, [1, 2, 3])
    assert sorted(video.tracks) == [0, 7]
    track = video.tracks[0]
    np.testing.assert_array_equal(track.frames, [1, 3])
    np.testing.assert_array_equal(track.visibility, np.full((2, 15), 2))
    for k, name in enumerate(POSETRACK_15.keypoints):
        number = JOINTS.index(name) + 1
        np.testing.assert_array_equal(track.xy[:, k], [[10 * number, 5 * number], [10 * number + 2, 5 * number]])
    np.testing.assert_array_equal(video.head_boxes[0], [[100, 50, 30, 40]] * 2)
    np.testing.assert_array_equal(video.head_boxes[7], [[1, 1, 6, 8]])
    assert video.ignored == {}


def test_a_hidden_joint_with_coordinates_is_labelled_and_zeros_are_not():
    keypoints = pose(left_knee=(30, 40, 0), right_knee=(0, 0, 0))
    (video,) = read(annotations=[annotation(4, 1, keypoints)])
    track = video.tracks[1]
    assert track.visibility[0, POSETRACK_15.keypoints.index("left_knee")] == 1
    assert track.visibility[0, POSETRACK_15.keypoints.index("right_knee")] == 0


def test_people_without_joints_are_left_out_and_a_missing_head_box_is_unknown():
    (video,) = read(annotations=[annotation(3, 1, [0] * 51), annotation(3, 2, bbox_head=[])])
    assert list(video.tracks) == [2]
    assert np.isnan(video.head_boxes[2]).all()


def test_ignored_regions_are_polygons_by_frame():
    images = [
        image(3),
        image(4, ignore_regions_x=[[0, 9, 9], [1, 2, 3, 4]], ignore_regions_y=[[0, 0, 9], [5, 6, 7, 8]]),
    ]
    (video,) = read(images=images, annotations=[annotation(3, 0)])
    assert list(video.ignored) == [1]
    np.testing.assert_array_equal(video.ignored[1][0], [[0, 0], [9, 0], [9, 9]])
    np.testing.assert_array_equal(video.ignored[1][1], [[1, 5], [2, 6], [3, 7], [4, 8]])


def test_frames_that_are_not_listed_have_their_place():
    (video,) = read(images=[image(3), image(6)], annotations=[annotation(3, 0), annotation(6, 0)])
    assert [frame.name for frame in video.frames] == ["000003.jpg", "000004.jpg", "000005.jpg", "000006.jpg"]
    np.testing.assert_array_equal(video.tracks[0].frames, [0, 3])


def test_a_file_may_hold_several_videos_numbered_from_one_as_in_posetrack17():
    images = [
        {"file_name": "bonn/000001_bonn/00000001.jpg", "id": 1, "frame_id": 1, "nframes": 2},
        {"file_name": "bonn/000001_bonn/00000002.jpg", "id": 2, "frame_id": 2, "nframes": 2},
        {"file_name": "mpii_5sec/00524_mpii/00000050.jpg", "id": 3, "frame_id": 50, "nframes": 60},
    ]
    first, second = read(images=images, annotations=[annotation(0, 4, image_id=2), annotation(0, 4, image_id=3)])
    assert (first.name, len(first.frames)) == ("000001_bonn", 2)
    np.testing.assert_array_equal(first.labelled, [1])
    assert (second.name, len(second.frames)) == ("00524_mpii", 1)
    np.testing.assert_array_equal(second.tracks[4].frames, [0])


@pytest.mark.parametrize("folder", ["annotations", "posetrack_data"])
def test_a_split_is_found_in_the_folders_of_both_releases(tmp_path, folder):
    for number, name in enumerate(("000002_b", "000001_a")):
        file = tmp_path / folder / "val" / f"{name}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        content = document(images=[image(3, folder=name)], annotations=[annotation(3, number)])
        file.write_text(json.dumps(content))
    videos = list(find_posetrack(tmp_path))
    assert [video.name for video in videos] == ["000001_a", "000002_b"]
    assert videos[0].frames == (tmp_path / "images/val/000001_a/000003.jpg",)
    with pytest.raises(FileNotFoundError, match="no PoseTrack annotations"):
        list(find_posetrack(tmp_path, "train"))
    file.write_text("{")
    with pytest.raises(CocoError, match=file.name):
        list(find_posetrack(tmp_path))


@pytest.mark.parametrize(
    ("changes", "pointer", "sentence"),
    [
        ({"annotations": [annotation(9, 0)]}, "/annotations/0/image_id", "there is no image 10003420009"),
        ({"annotations": [annotation(3, 0, [1, 2, 1])]}, "/annotations/0/keypoints", "3 numbers, not 51"),
        ({"annotations": [annotation(3, 0), annotation(3, 0)]}, "/annotations/1/track_id", "has a pose on"),
        ({"annotations": [annotation(3, "a")]}, "/annotations/0/track_id", "expected int, got str"),
        ({"annotations": [annotation(3, 0, bbox_head=[1, 2])]}, "/annotations/0/bbox_head", "not 4"),
        ({"annotations": [annotation(3, 0, pose(1e9))]}, "/annotations/0/keypoints", "beyond 100000 pixels"),
        ({"images": [image(3), image(3)]}, "/images/1/id", "stands there twice"),
        ({"images": [image(3), image(3, id=9)]}, "/images/1/file_name", "are both frame 3"),
        ({"images": [image(3, file_name="../3.jpg")]}, "/images/0/file_name", "is not like"),
        ({"images": [image(3, file_name="a/b.jpg")]}, "/images/0/file_name", "is not like"),
        ({"images": [image(3), image(400_000)]}, "/images/1/file_name", "too many"),
        ({"images": [image(3, ignore_regions_x=[[1, 2]])]}, "/images/0/ignore_regions_x", "as many x as y"),
        ({"images": [image(3, is_labeled="yes")]}, "/images/0/is_labeled", "expected"),
        ({"categories": [{"id": 1, "keypoints": ["nose"]}]}, "/categories/0/keypoints", "'head_bottom'"),
        ({"categories": []}, "/categories", "'nose'"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(changes, pointer, sentence):
    faults = refusal(**changes)
    assert sentence in faults[pointer]


def test_files_of_other_kinds_are_refused():
    for content, sentence in ((b"{", "not JSON"), (b'{"annolist": 3}', "annolist"), (b"{}", "missing")):
        with pytest.raises(CocoError, match=sentence):
            read_posetrack(content)
