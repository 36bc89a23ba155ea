"""A file says of its images which subjects are not there, and that is a label too."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pose.formats.coco import CocoError, read_coco

POSE = [1, 2, 2, 3, 4, 2]


def document(*absent, labels=(), **fields):
    """An image for each list of absent tracks; ``labels`` are the places of images and more fields."""
    return {
        "images": [{"id": n + 1, "frame_index": 10 * n, "absent_tracks": gone} for n, gone in enumerate(absent)],
        "annotations": [
            {"id": place, "image_id": image + 1, "category_id": 1, "keypoints": POSE} | more
            for place, (image, more) in enumerate(labels, start=1)
        ],
        "categories": [{"id": 1, "name": "mouse", "keypoints": ["nose", "tail"]}],
    } | fields


def read(*absent, **options):
    return read_coco(json.dumps(document(*absent, **options)).encode())


def faults(*absent, **options):
    with pytest.raises(CocoError) as caught:
        read(*absent, **options)
    return dict(caught.value.errors)


def test_an_absent_subject_is_a_label_of_all_its_points():
    poses = read([], [1, 2.0], ["1"], None, labels=[(0, {"track_id": 1}), (1, {"track_id": 3})])
    assert sorted(poses.labels) == [1, 2, 3]
    np.testing.assert_array_equal(poses.labels[1].frames, [0, 10, 20])
    np.testing.assert_array_equal(poses.labels[1].absent, [[False, False], [True, True], [True, True]])
    np.testing.assert_array_equal(poses.labels[1].visibility, [[2, 2], [0, 0], [0, 0]])
    np.testing.assert_array_equal(poses.labels[2].absent, [[True, True]])
    assert not poses.labels[3].absent.any()
    assert poses.warnings == []


def test_a_file_may_say_of_absence_alone():
    np.testing.assert_array_equal(read([4], [], [4]).labels[4].frames, [0, 20])


def test_subjects_by_name_are_absent_by_name():
    said = [(0, {"track_id": "left"}), (1, {"track_id": "right"})]
    assert list(read([], [], ["left"], labels=said).labels[1].frames) == [0, 20]
    assert "is no track" in faults([], [], ["middle"], labels=said)["/images/2/absent_tracks/0"]
    said = [(0, {"attributes": {"track_id": 0}}), (1, {"attributes": {"track_id": 1}})]
    assert list(read([], [], [0], labels=said).labels[1].frames) == [0, 20]


def test_a_machines_pose_does_not_contradict_an_absence():
    poses = read([1], labels=[(0, {"track_id": 1, "source": "pseudo", "score": 0.5})])
    assert poses.labels[1].absent.all()
    assert list(poses.pseudo[1].frames) == [0]
    assert poses.tracks[1].absent.all()


@pytest.mark.parametrize(
    ("absent", "pointer", "sentence"),
    [
        ([7, 1], "/images/1/absent_tracks", "track 1 is absent, and an annotation labels it"),
        ([2, 2], "/images/1/absent_tracks", "track 2 stands there twice"),
        ([0], "/images/1/absent_tracks/0", "0 is no track"),
        (["one"], "/images/1/absent_tracks/0", "'one' is no track"),
        ([None], "/images/1/absent_tracks/0", "None is no track"),
        ([2**60], "/images/1/absent_tracks/0", "is no track"),
        (3, "/images/1/absent_tracks", "expected a list of track ids"),
        ({"1": True}, "/images/1/absent_tracks", "expected a list of track ids"),
    ],
)
def test_what_cannot_be_is_refused(absent, pointer, sentence):
    assert sentence in faults([], absent, labels=[(1, {"track_id": 1})])[pointer]


def test_absences_are_bounded_as_poses_are():
    data = json.dumps(document([1, 2], [1, 2])).encode()
    assert len(read_coco(data, most_points=8).labels) == 2
    with pytest.raises(CocoError, match="too many for one file"):
        read_coco(data, most_points=7)


def partly(*said, labels=(), **fields):
    """An image on frame 0 with what it says of absent keypoints, beside ``labels``."""
    given = document([], labels=labels, **fields)
    given["images"][0]["absent_keypoints"] = [*said]
    return json.dumps(given).encode()


def test_absent_points_are_labels_of_those_points_alone():
    poses = read_coco(partly({"track_id": 1, "absent": [1]}, {"track_id": 2.0, "absent": ["0"], "category_id": 1}))
    np.testing.assert_array_equal(poses.labels[1].absent, [[False, True]])
    np.testing.assert_array_equal(poses.labels[2].absent, [[True, False]])
    assert not any(track.visibility.any() for track in poses.labels.values())
    assert (poses.skipped, poses.warnings) == ({}, [])


def test_absent_points_lie_beside_those_of_an_annotation():
    half = {"track_id": 1, "keypoints": [1, 2, 2, 0, 0, 0]}
    poses = read_coco(partly({"track_id": 1, "absent": [1]}, labels=[(0, half)]))
    np.testing.assert_array_equal(poses.labels[1].absent, [[False, True]])
    np.testing.assert_array_equal(poses.labels[1].visibility, [[2, 0]])


def test_an_annotation_may_say_of_absent_points_alone():
    half = {"track_id": 1, "keypoints": [0] * 6, "num_keypoints": 0}
    poses = read_coco(partly(labels=[(0, {**half, "absent": [1]}), (0, {**half, "track_id": 2, "absent": []})]))
    np.testing.assert_array_equal(poses.labels[1].absent, [[False, True]])
    assert (2 in poses.labels, poses.skipped) == (False, {"unlabelled": 1})


def test_absent_points_are_counted_in_the_order_of_their_category():
    turned = {"id": 2, "name": "rat", "keypoints": ["tail", "nose"]}
    both = [*document()["categories"], turned]
    said = {"track_id": 1, "absent": [0], "category_id": 2}
    np.testing.assert_array_equal(read_coco(partly(said, categories=both)).labels[1].absent, [[False, True]])
    with pytest.raises(CocoError, match="there is no category None with keypoints"):
        read_coco(partly({**said, "category_id": None}, categories=both))


@pytest.mark.parametrize(
    ("said", "pointer", "sentence"),
    [
        ({"track_id": 1, "absent": [0]}, "", "keypoint 0 of track 1 is absent, and an annotation has a place for it"),
        ({"track_id": 1, "absent": [0, 1]}, "", "track 1 is absent, and an annotation labels it"),
        ({"track_id": 0, "absent": [0]}, "/0/track_id", "0 is no track"),
        ({"absent": [0]}, "/0/track_id", "None is no track"),
        ({"track_id": 2}, "/0/absent", "expected a list of keypoints"),
        ({"track_id": 2, "absent": 1}, "/0/absent", "expected a list of keypoints"),
        ({"track_id": 2, "absent": [2]}, "/0/absent/0", "they count from 0 to 1"),
        ({"track_id": 2, "absent": [0.5]}, "/0/absent/0", "they count from 0 to 1"),
        ({"track_id": 2, "absent": [0], "category_id": 9}, "/0/category_id", "there is no category 9"),
        ([2, [0]], "/0", "expected an object with track_id and absent"),
    ],
)
def test_absent_points_that_cannot_be_are_refused(said, pointer, sentence):
    with pytest.raises(CocoError) as caught:
        read_coco(partly(said, labels=[(0, {"track_id": 1})]))
    assert [place for place, text in caught.value.errors if sentence in text] == [
        f"/images/0/absent_keypoints{pointer}"
    ]


def test_a_subject_has_its_absent_points_once():
    with pytest.raises(CocoError, match="/images/0/absent_keypoints: track 2 stands there twice"):
        read_coco(partly({"track_id": 2, "absent": [0]}, {"track_id": 2, "absent": [1]}))
    with pytest.raises(CocoError, match="too many for one file"):
        read_coco(partly({"track_id": 2, "absent": [0]}, {"track_id": 3, "absent": [1]}), most_points=3)
