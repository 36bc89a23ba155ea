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
