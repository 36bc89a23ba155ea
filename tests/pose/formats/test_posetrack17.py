"""Annotation files in PoseTrack17's layout, written here as they are published, beside the same in PoseTrack18's."""

import json
from pathlib import Path

import numpy as np
import pytest

from pose.formats.coco import CocoError
from pose.formats.posetrack import find_posetrack, read_posetrack
from pose.formats.posetrack17 import JOINTS
from pose.skeleton import POSETRACK_15

FOLDER = "images/bonn_5sec/000342_mpii"


def point(joint, x, y, **fields):
    return {"id": [joint], "x": [x], "y": [y]} | fields


def person(track_id=0, points=None, **fields):
    points = [point(joint, 10 * joint + 1, 5 * joint + 2.5) for joint in range(15)] if points is None else points
    head = {"x1": [625], "y1": [94], "x2": [681], "y2": [178]}
    return head | {"track_id": [track_id], "annopoints": [{"point": points}]} | fields


def frame(number, *people, **fields):
    return {"image": [{"name": f"{FOLDER}/{number:08d}.jpg"}], "annorect": list(people), "imgnum": [number]} | fields


def read(*frames):
    return read_posetrack(json.dumps({"annolist": frames}).encode(), Path("data"))


def refusal(*frames):
    with pytest.raises(CocoError) as caught:
        read(*frames)
    return dict(caught.value.errors)


def test_joints_are_found_by_their_numbers():
    (video,) = read(frame(1, is_labeled=[0]), frame(2, person(7), is_labeled=[1]), frame(3, person(7)))
    assert (video.name, video.skeleton) == ("000342_mpii", POSETRACK_15)
    assert video.frames == tuple(Path("data") / FOLDER / f"0000000{number}.jpg" for number in (1, 2, 3))
    np.testing.assert_array_equal(video.labelled, [1, 2])
    track = video.tracks[7]
    np.testing.assert_array_equal(track.frames, [1, 2])
    np.testing.assert_array_equal(track.visibility, np.full((2, 15), 2))
    for joint, name in enumerate(JOINTS):
        expected = [10 * joint + 1, 5 * joint + 2.5]
        np.testing.assert_array_equal(track.xy[0, POSETRACK_15.keypoints.index(name)], expected)
    np.testing.assert_array_equal(video.head_boxes[7], [[625, 94, 56, 84]] * 2)


def test_the_order_of_joints_is_that_of_poseval():
    assert JOINTS[0] == "right_ankle"
    assert JOINTS[5] == "left_ankle"
    assert JOINTS[11] == "left_wrist"
    assert JOINTS[12:] == ("head_bottom", "nose", "head_top")
    assert sorted(JOINTS) == sorted(POSETRACK_15.keypoints)


def test_joints_may_be_missing_or_hidden_and_people_without_any_are_left_out():
    nose, neck = POSETRACK_15.keypoints.index("nose"), POSETRACK_15.keypoints.index("head_bottom")
    seen = person(1, [point(13, 40, 50, is_visible=[False]), point(12, 41, 60, is_visible=[1])])
    nobody = [person(2, annopoints=[]), person(3, annopoints=[{}]), {"track_id": [4]}]
    (video,) = read(frame(1, seen, *nobody))
    assert list(video.tracks) == [1]
    visibility = video.tracks[1].visibility[0]
    assert (visibility[nose], visibility[neck], visibility.sum()) == (1, 2, 3)


def test_a_head_box_may_be_missing_and_regions_are_polygons():
    headless = {name: value for name, value in person().items() if name not in ("x1", "x2", "y1", "y2")}
    corners = [{"x": [x], "y": [y]} for x, y in ((0, 0), (9, 0), (9, 9))]
    (video,) = read(frame(4, headless), frame(5, ignore_regions=[{"point": corners}, {"point": []}]))
    assert np.isnan(video.head_boxes[0]).all()
    assert list(video.ignored) == [1]
    np.testing.assert_array_equal(video.ignored[1], [[[0, 0], [9, 0], [9, 9]]])


def test_a_split_is_found_beside_its_images(tmp_path):
    folder = tmp_path / "annotations" / "train"
    folder.mkdir(parents=True)
    (folder / "000342_mpii.json").write_text(json.dumps({"annolist": [frame(1, person())]}))
    (video,) = find_posetrack(tmp_path, "train")
    assert video.frames == (tmp_path / FOLDER / "00000001.jpg",)
    (folder / "000343_mpii.json").write_text(json.dumps({"annolist": [{"image": []}]}))
    with pytest.raises(CocoError, match=r"000343_mpii\.json/annolist/0/image"):
        list(find_posetrack(tmp_path, "train"))


@pytest.mark.parametrize(
    ("frames", "pointer", "sentence"),
    [
        ([frame(1, person(0, [point(15, 1, 1)]))], "/annolist/0/annorect/0/annopoints/0/point", "15 is no joint"),
        ([frame(1, person(0, [point(3, 1, 1)] * 2))], "/annolist/0/annorect/0/annopoints/0/point", "left_hip"),
        ([frame(1, person(), person())], "/annolist/0/annorect/1/track_id", "has a pose on"),
        ([frame(1), frame(1)], "/annolist/1/image/0/name", "are both frame 1"),
        ([frame(1, person(0, [point(3, 1e9, 1)]))], "/annolist/0/annorect/0/keypoints", "beyond 100000 pixels"),
        ([frame(1, person("a"))], "/annolist/0/annorect/0/track_id/0", "expected int, got str"),
        ([frame(1, person(x1=3))], "/annolist/0/annorect/0/x1", "expected array"),
        ([{"image": [{"name": "../1.jpg"}]}], "/annolist/0/image/0/name", "is not like"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(frames, pointer, sentence):
    faults = refusal(*frames)
    assert any(sentence in said for at, said in faults.items() if at.startswith(pointer)), faults
