"""Two subjects never become one track without a word, wherever a file says which is which."""

from __future__ import annotations

import json

import pytest

from pose.formats.coco import CocoError, Reading, read_coco

KEYPOINTS = ["nose", "tail"]


def document(*said, images=None, categories=None):
    """One annotation for each ``said``: on an image of its own, or on those that ``images`` gives."""
    images = images or range(len(said))
    labels = [
        {"id": n, "image_id": image + 1, "category_id": 1, "keypoints": [n, 5, 2, 3, 7, 1], **fields}
        for n, (image, fields) in enumerate(zip(images, said, strict=True), start=1)
    ]
    listed = [{"id": image + 1, "frame_index": 10 * image} for image in sorted(set(images))]
    kinds = categories or [{"id": 1, "name": "mouse", "keypoints": KEYPOINTS}]
    return {"images": listed, "annotations": labels, "categories": kinds}


def read(*said, **options):
    return read_coco(json.dumps(document(*said, **options)).encode())


def frames(*said, **options):
    return {number: list(track.frames) for number, track in read(*said, **options).labels.items()}


def faults(*said, **options):
    with pytest.raises(CocoError) as caught:
        read(*said, **options)
    return dict(caught.value.errors)


def attributes(*values, name="track_id"):
    return [{"attributes": {"occluded": False, name: value}} for value in values]


def categories(*names):
    return [{"id": n, "name": name, "keypoints": KEYPOINTS} for n, name in enumerate(names, start=1)]


def test_attributes_that_count_from_zero_are_tracks_by_name():
    poses = read(*attributes(0, 0, 1))
    assert {number: list(track.frames) for number, track in poses.labels.items()} == {1: [0, 10], 2: [20]}
    assert (poses.names, poses.numbered) == ({1: "track_id 0", 2: "track_id 1"}, False)
    assert poses.warnings == ["attributes.track_id tells the 2 subjects apart: track_id 0, track_id 1"]


def test_attributes_that_count_from_one_are_the_numbers_of_tracks():
    poses = read(*attributes(4, 2.0, "4", name="object_id"))
    assert {number: list(track.frames) for number, track in poses.labels.items()} == {2: [10], 4: [0, 20]}
    assert poses.numbered
    assert poses.names == {2: "object_id 2", 4: "object_id 4"}


@pytest.mark.parametrize("name", ["track_id", "object_id", "instance_id", "individual", "track", "animal_id", "id"])
def test_an_identity_may_have_many_names(name):
    assert frames(*attributes("b", "a", "b", name=name)) == {1: [10], 2: [0, 20]}
    assert read(*attributes("b", "a", "b", name=name)).names == {1: "a", 2: "b"}


@pytest.mark.parametrize("name", ["object_id", "instance_id", "individual_id", "individual", "identity"])
def test_it_may_stand_beside_the_keypoints(name):
    assert frames({name: 7}, {name: 3}, {name: 7}) == {3: [10], 7: [0, 20]}


def test_a_track_id_counts_more_than_attributes():
    said = [{"track_id": 5, **attributes(0)[0]}, {"track_id": 6, **attributes(1)[0]}]
    poses = read(*said)
    assert sorted(poses.labels) == [5, 6]
    assert (poses.names, poses.numbered, poses.warnings) == ({}, True, [])


def test_a_track_id_may_be_a_name():
    poses = read({"track_id": "left mouse"}, {"track_id": "right mouse"}, {"track_id": "left mouse"})
    assert (poses.names, poses.numbered) == ({1: "left mouse", 2: "right mouse"}, False)


@pytest.mark.parametrize("value", [1, 1.0, "1"])
def test_a_track_id_is_a_whole_number_however_it_is_written(value):
    assert frames({"track_id": value}, {"track_id": 1}) == {1: [0, 10]}


@pytest.mark.parametrize("value", [0, -1, 2**60, 1e300, 1.5])
def test_what_is_no_track_id_is_refused(value):
    assert "is no track id" in faults({"track_id": 1}, {"track_id": value})["/annotations/1/track_id"]


def test_one_track_with_two_identities_is_refused():
    said = [
        {"track_id": 1, **attributes(8)[0]},
        {"track_id": 1, **attributes(8)[0]},
        {"track_id": 1, **attributes(9)[0]},
    ]
    sentence = faults(*said)["/annotations/2/attributes/track_id"]
    assert sentence == "9, while /annotations/0 of the same track_id 1 has 8"


def test_an_identity_that_some_lack_is_refused():
    assert "missing" in faults({"track_id": 1}, {})["/annotations/1/track_id"]
    assert "missing" in faults(*attributes("a", None))["/annotations/1/attributes/track_id"]
    assert "missing" in faults(*attributes(3, -1))["/annotations/1/attributes/track_id"]


def test_each_category_is_a_subject_where_nothing_else_tells_them_apart():
    poses = read({}, {}, {"category_id": 2}, categories=categories("black", "white"))
    assert {number: list(track.frames) for number, track in poses.labels.items()} == {1: [0, 10], 2: [20]}
    assert (poses.names, poses.numbered) == ({1: "black", 2: "white"}, False)
    assert "black, white" in poses.warnings[0]


def test_subjects_by_category_may_share_frames():
    both = frames({}, {"category_id": 2}, images=[0, 0], categories=categories("black", "white"))
    assert both == {1: [0], 2: [0]}
    found = faults({}, {"category_id": 2}, {}, images=[0, 0, 0], categories=categories("black", "white"))
    assert "two subjects of category 'black'" in found["/annotations/2/track_id"]


def test_categories_of_one_name_are_told_apart_by_id():
    poses = read({}, {"category_id": 2}, categories=categories("mouse", "mouse"))
    assert poses.names == {1: "mouse 1", 2: "mouse 2"}


def test_a_category_that_nothing_is_of_is_no_subject():
    assert read({}, {}, categories=categories("black", "white")).names == {}


def test_one_track_of_two_categories_is_told_of():
    poses = read({"track_id": 1}, {"track_id": 1, "category_id": 2}, categories=categories("black", "white"))
    assert list(poses.labels) == [1]
    assert poses.warnings == ["track_id 1 has poses of several categories: black, white"]


def test_without_any_identity_one_subject_is_read_and_told_of():
    poses = read({}, {}, {})
    assert list(poses.labels) == [1]
    assert "nothing says which subject is which" in poses.warnings[0]
    assert read({}).warnings == []


def test_two_subjects_on_a_frame_without_identity_are_refused():
    assert "shows two subjects" in faults({}, {}, images=[0, 0])["/annotations/1/track_id"]


def test_a_track_with_two_poses_on_a_frame_is_refused():
    assert (
        "track 1 has a pose on frame 0 already"
        in faults(*[{"track_id": 1}] * 2, images=[0, 0])["/annotations/1/track_id"]
    )
    found = faults(*attributes("a", "a"), images=[0, 0])
    assert "'a' has a pose on frame 0 already" in found["/annotations/1/attributes/track_id"]


def test_an_identity_that_no_two_poses_share_is_told_of():
    warnings = read(*attributes(3, 4, 5, name="id")).warnings
    assert "attributes.id differs on each of the 3 poses" in warnings[1]
    assert len(read(*attributes(3, 4, name="id"), images=[0, 0]).warnings) == 1


@pytest.mark.parametrize("value", [None, "", "  ", [], {}, True])
def test_what_is_no_identity_is_no_identity(value):
    assert frames(*attributes(value, value)) == {1: [0, 10]}


def test_names_are_short_and_plain_and_stay_apart():
    long = "m" * 300
    poses = read({"track_id": "a\0b\n c"}, {"track_id": long + "1"}, {"track_id": long + "2"})
    assert sorted(poses.labels) == [1, 2, 3]
    assert poses.names[1] == "a b c"
    assert len({*poses.names.values()}) == 3
    assert max(map(len, poses.names.values())) == 100
    by_category = read({}, {"category_id": 2}, categories=categories(long + "1", "\0" + long))
    assert len({*by_category.names.values()}) == 2


def test_a_machines_poses_that_are_skipped_need_no_identity():
    said = [{"track_id": 2}, {"source": "pseudo"}]
    data = json.dumps(document(*said, images=[0, 0])).encode()
    assert list(read_coco(data, reading=Reading(machine="skip")).labels) == [2]
    with pytest.raises(CocoError):
        read_coco(data)
