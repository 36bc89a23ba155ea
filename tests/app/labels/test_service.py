"""What cannot be a label is refused whole, with a pointer to each fault, and leaves earlier labels as they were."""

from __future__ import annotations

import copy
import json

import pytest


@pytest.fixture(autouse=True)
def unchanged(house, everything):
    before = everything(house.service)
    shown = house.http.get(f"{house.url}/labels").json()
    yield
    assert everything(house.service) == before
    assert house.http.get(f"{house.url}/labels").json() == shown


def put(house, body, **headers):
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return house.http.put(f"{house.url}/labels", content=data, headers=headers)


def points(house, index, value):
    """The good label's keypoints with one of them exchanged."""
    keypoints = copy.deepcopy(house.label["keypoints"])
    keypoints[index] = value
    return keypoints


def test_a_label_has_as_many_keypoints_as_the_skeleton(house, refused):
    good = house.label["keypoints"]
    for keypoints in ([], good[:-1], [*good, [1, 1, 2]]):
        refused(put(house, house.labels(keypoints=keypoints)), 422, "/labels/0/keypoints")


@pytest.mark.parametrize("value", [[1, 1], [1, 1, 2, 0.9], 7, None, "1,1,2", ["1", "1", "2"], [None, None, 0], {}])
def test_a_keypoint_is_three_numbers(house, refused, value):
    problem = refused(put(house, house.labels(keypoints=points(house, 2, value))), 422)
    assert problem["errors"][0]["pointer"].startswith("/labels/")
    assert "/keypoints" in problem["errors"][0]["pointer"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e6", "-1e6", "1e300"])
@pytest.mark.parametrize("axis", [0, 1])
def test_coordinates_are_finite_and_near_the_picture(house, refused, number, axis):
    point = [1, 1, 2]
    point[axis] = "HERE"
    body = json.dumps(house.labels(keypoints=points(house, 3, point))).replace('"HERE"', number)
    answer = put(house, body.encode())
    assert answer.status_code in (400, 422)
    problem = refused(answer, answer.status_code)
    assert problem["errors"][0]["pointer"].startswith("/labels/")


@pytest.mark.parametrize("visibility", [-1, 3, 0.5, 1.5, 1e300])
def test_visibility_is_0_1_or_2(house, refused, visibility):
    problem = refused(put(house, house.labels(keypoints=points(house, 4, [1, 1, visibility]))), 422)
    assert problem["errors"][0]["pointer"].startswith("/labels/")


@pytest.mark.parametrize("frame_index", [45, 46, -1, 10**12, 2**53, 2**53 + 1, 2**70, 1.5, "1", None])
def test_a_frame_that_the_video_does_not_have(house, refused, frame_index):
    problem = refused(put(house, house.labels(frame_index)), 422)
    assert problem["errors"][0]["pointer"].endswith("/frame_index")


@pytest.mark.parametrize("track_id", [2, 0, -1, 2**70, "1", None])
def test_a_track_that_the_video_does_not_have(house, refused, track_id):
    problem = refused(put(house, house.labels(track_id=track_id)), 422)
    assert problem["errors"][0]["pointer"].endswith("/track_id")


def test_every_fault_is_named_and_nothing_is_written(house, refused):
    (good,) = house.labels()["labels"]
    bad = [good, {**good, "frame_index": 45}, {**good, "frame_index": 2, "track_id": 9}, {**good, "keypoints": []}]
    refused(put(house, {"labels": bad}), 422, "/labels/1/frame_index", "/labels/2/track_id", "/labels/3/keypoints")


def test_the_same_frame_and_track_twice(house, refused):
    (good,) = house.labels()["labels"]
    refused(put(house, {"labels": [good, {**good, "frame_index": 2}, good]}), 422, "/labels/2")


def test_a_label_that_says_nothing(house, refused):
    silent = [[0, 0, 0]] * len(house.label["keypoints"])
    refused(put(house, house.labels(keypoints=silent)), 422, "/labels/0/keypoints")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"labels": []}, "/labels"),
        ({"labels": None}, "/labels"),
        ({"labels": {}}, "/labels"),
        ({"labels": [1]}, "/labels/0"),
        ({"labels": [{}]}, "/labels/0"),
        ({"labels": [], "more": 1}, "/labels"),
        ({"more": 1}, ""),
        ([], ""),
    ],
)
def test_json_of_another_shape(house, refused, body, pointer):
    refused(put(house, body), 422, pointer)


def test_more_labels_than_fit_into_a_request(house, refused):
    (good,) = house.labels(keypoints=[])["labels"]
    refused(put(house, {"labels": [good] * 20_001}), 422, "/labels")


def test_a_run_that_the_video_does_not_have_cannot_be_corrected(house, refused):
    refused(put(house, house.labels(corrects_run_id=99)), 422, "/labels/0/corrects_run_id")


@pytest.mark.parametrize("value", ["x", "1.5", "-1", "9" * 40, '"x"', "W/1", "\N{SUPERSCRIPT TWO}".encode()])
def test_an_if_match_that_is_no_revision(house, refused, value):
    refused(put(house, house.labels(), **{"If-Match": value}), 422, "/if-match")


def test_taking_back_a_keypoint_that_the_skeleton_does_not_have(house, refused):
    query = {"frame_index": 0, "track_id": 1, "keypoint": len(house.label["keypoints"])}
    refused(house.http.delete(f"{house.url}/labels", params=query), 422, "/keypoint")


def test_taking_back_what_is_not_there_makes_no_revision(house):
    revision = house.http.get(f"{house.url}/labels").json()["revision"]
    for query in (
        {"frame_index": 5, "track_id": 1},
        {"frame_index": 0, "track_id": 7},
        {"frame_index": 10**9, "track_id": 1},
    ):
        answer = house.http.delete(f"{house.url}/labels", params=query)
        assert answer.json() == {"revision": revision, "written": 0}


def coco(house, **changes):
    """A good COCO file of one annotation, changed."""
    skeleton = house.project["skeleton"]
    (label,) = house.labels(3)["labels"]
    flat = [number for point in label["keypoints"] for number in point]
    document = {
        "images": [{"id": 1, "file_name": "frame_000003.jpg", "width": 320, "height": 240, "frame_index": 3}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "track_id": 1, "keypoints": flat, "num_keypoints": 1}
        ],
        "categories": [{"id": 1, "name": "one", "keypoints": skeleton["keypoints"], "skeleton": []}],
    }
    for name, change in changes.items():
        document[name] = [{**entry, **change} for entry in document[name]]
    return document


def repeated(house, name):
    document = coco(house)
    document[name] *= 2
    return document


def without(house, name, field):
    document = coco(house)
    del document[name][0][field]
    return document


BAD_FILES = {
    "not json": (lambda house: b"{", (400, 422)),
    "text": (lambda house: b"hello", (400, 422)),
    "other json": (lambda house: [], (422,)),
    "empty": (lambda house: {}, (422,)),
    "no annotations": (lambda house: {**coco(house), "annotations": []}, (422,)),
    "unknown image": (lambda house: coco(house, annotations={"image_id": 5}), (422,)),
    "unknown category": (lambda house: coco(house, annotations={"category_id": 5}), (422,)),
    "repeated image": (lambda house: repeated(house, "images"), (422,)),
    "repeated category": (lambda house: repeated(house, "categories"), (422,)),
    "repeated annotation": (lambda house: repeated(house, "annotations"), (422,)),
    "other keypoint names": (lambda house: coco(house, categories={"keypoints": ["a", "b"]}), (422,)),
    "frame out of range": (lambda house: coco(house, images={"frame_index": 45}), (422,)),
    "frame below zero": (lambda house: coco(house, images={"frame_index": -1}), (422,)),
    "huge frame": (lambda house: coco(house, images={"frame_index": 2**70}), (422,)),
    "no frame": (lambda house: without(house, "images", "frame_index"), (422,)),
    "no keypoints": (lambda house: without(house, "annotations", "keypoints"), (422,)),
    "too few keypoints": (lambda house: coco(house, annotations={"keypoints": [1, 1, 2]}), (422,)),
    "visibility": (lambda house: coco(house, annotations={"keypoints": [1, 1, 7] * 17}), (422,)),
    "track zero": (lambda house: coco(house, annotations={"track_id": 0}), (422,)),
    "huge track": (lambda house: coco(house, annotations={"track_id": 2**70}), (422,)),
    "not a number": (lambda house: coco(house, annotations={"keypoints": [float("nan")] * 51}), (400, 422)),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_with_a_fault_is_refused_whole(house, refused, name):
    make, statuses = BAD_FILES[name]
    body = make(house)
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = house.http.post(f"{house.url}/labels/import", content=data)
    assert answer.status_code in statuses, answer.text
    assert refused(answer, answer.status_code)["errors"]


def test_a_format_that_is_not_known(house, refused):
    answer = house.http.post(f"{house.url}/labels/import", params={"format": "labelme"}, json=coco(house))
    refused(answer, 422, "/format")


def test_a_stale_import_writes_nothing(house, refused):
    answer = house.http.post(f"{house.url}/labels/import", json=coco(house), headers={"If-Match": "0"})
    refused(answer, 412, "/if-match")
