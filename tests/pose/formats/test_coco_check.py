import copy
import io
import json

import numpy as np
import pytest

from pose.formats.coco import Instance, VideoInfo, check_coco, write_coco
from pose.skeleton import Skeleton

SKELETON = Skeleton(name="mouse", keypoints=("nose", "ear", "tail"), edges=((0, 1), (1, 2)))


@pytest.fixture(scope="module")
def sound():
    """A file without mistakes: two tracks on two frames, the second a pseudo-label."""
    xy, visibility = np.array([[10.0, 20], [30, 25], [40, 30]]), np.array([2, 1, 0])
    made = {1: ("human",), 2: ("pseudo", np.full(3, 0.5), np.full(3, 2.0), 4)}
    stream = io.BytesIO()
    poses = [Instance(frame, track, xy + track, visibility, *made[track]) for frame in (3, 8) for track in made]
    write_coco(stream, SKELETON, [(VideoInfo(1, "v", 64, 48, 10), poses)], info={})
    return json.loads(stream.getvalue())


def findings(document):
    return check_coco(json.dumps(document).encode())


def test_file_we_write_has_no_mistakes(sound):
    assert findings(sound) == []


@pytest.mark.parametrize(
    ("path", "value", "rule", "pointer"),
    [
        ("annotations/1/id", 0, "ids", "/annotations/1/id"),
        ("annotations/1/id", 1, "ids", "/annotations/1/id"),
        ("images/1/id", 1, "ids", "/images/1/id"),
        ("categories/0/id", 0, "ids", "/categories/0/id"),
        ("annotations/1/image_id", 9, "references", "/annotations/1/image_id"),
        ("annotations/1/category_id", 9, "references", "/annotations/1/category_id"),
        ("annotations/1/keypoints", [1, 2, 2], "lengths", "/annotations/1/keypoints"),
        ("annotations/1/keypoint_scores", [0.5], "lengths", "/annotations/1/keypoint_scores"),
        ("annotations/1/num_keypoints", 3, "counts", "/annotations/1/num_keypoints"),
        ("annotations/1/num_keypoints", ..., "fields", "/annotations/1/num_keypoints"),
        ("annotations/1/area", ..., "fields", "/annotations/1/area"),
        ("annotations/1/iscrowd", ..., "fields", "/annotations/1/iscrowd"),
        ("annotations/1/bbox", [1, 2, 3], "fields", "/annotations/1/bbox"),
        ("images/0/width", ..., "fields", "/images/0/width"),
        ("images/0/file_name", ..., "fields", "/images/0/file_name"),
        ("annotations/1/keypoints/5", 7, "visibility", "/annotations/1/keypoints/5"),
        ("annotations/1/keypoints/6", 40, "unknown_points", "/annotations/1/keypoints/6"),
        ("annotations/1/keypoints/0", 1e9, "coordinates", "/annotations/1/keypoints/0"),
        ("annotations/1/bbox", [3, 13, 0, 20], "boxes", "/annotations/1/bbox"),
        ("annotations/1/bbox", [3, 13, 60, 40], "boxes", "/annotations/1/bbox"),
        ("annotations/1/bbox", [-3, 13, 50, 20], "boxes", "/annotations/1/bbox"),
        ("annotations/1/area", 0, "areas", "/annotations/1/area"),
        ("annotations/1/area", 900, "areas", "/annotations/1/area"),
        ("annotations/1/score", 1.5, "scores", "/annotations/1/score"),
        ("annotations/1/keypoint_scores/2", -0.5, "scores", "/annotations/1/keypoint_scores/2"),
        ("annotations/1/keypoint_radius90/2", -0.5, "scores", "/annotations/1/keypoint_radius90/2"),
        ("images/1/frame_index", 3, "frames", "/images/1/frame_index"),
        ("images/1/frame_index", -1, "frames", "/images/1/frame_index"),
        ("images/1/file_name", "v/frame_000009.jpg", "frames", "/images/1/file_name"),
        ("images/1/file_name", "v/frame_000003.jpg", "frames", "/images/1/file_name"),
        ("annotations/1/track_id", 0, "tracks", "/annotations/1/track_id"),
        ("annotations/1/track_id", 1, "tracks", "/annotations/1/track_id"),
        ("annotations/1/source", ..., "sources", "/annotations/1/source"),
        ("annotations/1/source", "robot", "sources", "/annotations/1/source"),
        ("categories/0/skeleton/0", [0, 1], "skeletons", "/categories/0/skeleton/0"),
        ("categories/0/skeleton/0", [2, 4], "skeletons", "/categories/0/skeleton/0"),
        ("categories/0/keypoints/1", "nose", "skeletons", "/categories/0/keypoints"),
        ("annotations/1/keypoints/0", 90, "outside", "/annotations/1/keypoints/0"),
        ("annotations/1/bbox", [30, 13, 10, 20], "points_outside_box", "/annotations/1/bbox"),
        ("annotations/1/keypoints", [0] * 9, "nothing_known", "/annotations/1/keypoints"),
        ("annotations/1/keypoints/1", float("nan"), "layout", "/annotations/1/keypoints/1"),
        ("images", None, "layout", "/images"),
    ],
)
def test_mistake_is_found_by_its_rule(sound, path, value, rule, pointer):
    document = copy.deepcopy(sound)
    *parents, last = (int(key) if key.isdigit() else key for key in path.split("/"))
    place = document
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    assert (rule, pointer) in {(finding.rule, finding.pointer) for finding in findings(document)}


def test_shares_of_the_image_are_not_pixels(sound):
    document = copy.deepcopy(sound)
    for annotation in document["annotations"]:
        annotation["keypoints"] = [0.2, 0.3, 2, 0.5, 0.5, 2, 0, 0, 0]
    assert any("shares" in finding.sentence for finding in findings(document))


def test_hints_at_swapped_axes_and_at_corners(sound):
    document = copy.deepcopy(sound)
    for annotation in document["annotations"]:
        annotation["keypoints"][:3] = [10, 60, 2]
    document["annotations"][1]["bbox"] = [30, 20, 60, 40]
    sentences = " ".join(finding.sentence for finding in findings(document))
    assert "x and y swapped" in sentences
    assert "two corners" in sentences


def test_rule_reports_its_first_twenty_places(sound):
    document = copy.deepcopy(sound)
    document["annotations"] = [
        document["annotations"][0] | {"id": number, "track_id": number, "num_keypoints": 0} for number in range(1, 100)
    ]
    assert [finding.rule for finding in findings(document)] == ["counts"] * 20


def test_points_outside_the_image_are_warnings_only(sound):
    document = copy.deepcopy(sound)
    document["annotations"][0]["keypoints"][:3] = [-3, 20, 2]
    assert {(finding.rule, finding.severity) for finding in findings(document)} == {("outside", "warning")}


def test_file_of_nothing_is_sound(sound):
    assert findings({"images": [], "annotations": [], "categories": []}) == []


@pytest.mark.parametrize("info", [b'{"area_rule":"\xff"}', b"[1]", b"null", b'"text"'])
def test_info_may_be_anything(sound, info):
    rest = {key: value for key, value in sound.items() if key != "info"}
    assert check_coco(b'{"info":' + info + b"," + json.dumps(rest).encode()[1:]) == []
