"""What is absent goes into a COCO file and comes back out of it."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from pycocotools.coco import COCO

from pose.formats.coco import CocoError, Reading, VideoInfo, instances, read_coco, write_coco
from pose.formats.coco_check import check_coco
from pose.skeleton import Skeleton
from pose.track import Track

SKELETON = Skeleton(name="three", keypoints=("a", "b", "c"))
VIDEO = VideoInfo(id=1, slug="v", width=100, height=80, num_frames=30)


def labels(states: dict[int, list[int]]) -> Track:
    """Points that have a place (2), are absent (-1), or of which nothing is said (0)."""
    state = np.array([*states.values()])
    places = np.broadcast_to([[10.0, 20], [30, 40], [50, 60]], (*state.shape, 2))
    return Track.labelled([*states], np.concatenate([places, np.maximum(state, 0)[..., None]], axis=-1), state < 0)


TRACKS = {
    1: labels({0: [2, 2, 2], 5: [-1, -1, -1], 7: [2, -1, 0], 9: [-1, -1, -1], 12: [0, -1, -1], 14: [-1, 0, 0]}),
    2: labels({5: [-1, -1, -1], 6: [2, 2, 2], 9: [2, 2, 2], 12: [0, -1, 0]}),
}


def written(**options) -> dict:
    stream = io.BytesIO()
    write_coco(stream, SKELETON, [(VIDEO, instances(TRACKS))], info={}, **options)
    return json.loads(stream.getvalue())


@pytest.mark.parametrize("every_frame", [False, True])
def test_frames_name_who_is_absent(every_frame):
    document = written(every_frame=every_frame)
    absent = {image["frame_index"]: image["absent_tracks"] for image in document["images"] if "absent_tracks" in image}
    assert absent == {5: [1, 2], 9: [1]}
    listed = [*range(30)] if every_frame else [0, 5, 6, 7, 9, 12, 14]
    assert [image["frame_index"] for image in document["images"]] == listed
    frame = {image["id"]: image["frame_index"] for image in document["images"]}
    assert len(frame) == len(document["images"])
    shown = [(frame[one["image_id"]], one["track_id"], one.get("absent")) for one in document["annotations"]]
    assert shown == [(0, 1, None), (6, 2, None), (7, 1, [1]), (9, 2, None)]
    assert document["annotations"][2]["keypoints"] == [10, 20, 2, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("every_frame", [False, True])
def test_frames_name_absent_points_of_subjects_without_another(every_frame):
    document = written(every_frame=every_frame)
    fields = {image["frame_index"]: image.get("absent_keypoints") for image in document["images"]}
    assert {frame: said for frame, said in fields.items() if said} == {
        12: [{"track_id": 1, "category_id": 1, "absent": [1, 2]}, {"track_id": 2, "category_id": 1, "absent": [1]}],
        14: [{"track_id": 1, "category_id": 1, "absent": [0]}],
    }
    frame = {image["id"]: image["frame_index"] for image in document["images"]}
    assert {frame[one["image_id"]] for one in document["annotations"]} == {0, 6, 7, 9}


def test_other_readers_see_images_without_subjects(tmp_path, capsys):
    (tmp_path / "labels.json").write_text(json.dumps(written()))
    coco = COCO(tmp_path / "labels.json")
    images = {image["frame_index"]: number for number, image in coco.imgs.items()}
    assert [len(coco.getAnnIds(imgIds=[images[frame]])) for frame in (0, 5, 7, 12, 14)] == [1, 0, 1, 0, 0]
    assert all(annotation["num_keypoints"] for annotation in coco.anns.values())
    assert check_coco((tmp_path / "labels.json").read_bytes()) == []


def test_nothing_that_is_said_counts_as_left_out():
    tracks = {1: labels({4: [-1, 0, 0], 6: [-1, -1, -1]})}
    count = write_coco(io.BytesIO(), SKELETON, [(VIDEO, instances(tracks))], info={})
    assert (count.images, count.annotations, count.left_out) == (2, 0, 0)


def test_it_comes_back_as_it_was():
    found = read_coco(json.dumps(written()).encode(), num_frames=30, skeleton=SKELETON).labels
    for number, track in TRACKS.items():
        assert found[number].frames.tolist() == track.frames.tolist()
        for name in ("xy", "visibility", "absent"):
            np.testing.assert_array_equal(getattr(found[number], name), getattr(track, name))


def test_a_video_on_which_nobody_ever_is():
    stream = io.BytesIO()
    count = write_coco(stream, SKELETON, [(VIDEO, instances({1: labels({4: [-1, -1, -1]})}))], info={})
    assert (count.images, count.annotations, count.left_out) == (1, 0, 0)
    assert json.loads(stream.getvalue())["images"][0]["absent_tracks"] == [1]


@pytest.mark.parametrize("pseudo", ["skip", "keep", "human"])
def test_it_comes_back_from_among_a_machines_points(pseudo):
    mine = {1: labels({0: [2, 2, 2], 7: [-1, 0, 0], 8: [0, 0, -1]})}
    made = labels({7: [2, 2, 2], 8: [2, 2, 0]})
    made = {1: replace(made, score=0.5 * made.score)}
    stream = io.BytesIO()
    write_coco(stream, SKELETON, [(VIDEO, instances(mine, made))], info={})
    read = read_coco(stream.getvalue(), num_frames=30, skeleton=SKELETON, reading=Reading(machine=pseudo))
    assert read.labels[1].frames.tolist() == [0, 7, 8]
    np.testing.assert_array_equal(read.labels[1].absent, mine[1].absent)
    np.testing.assert_array_equal((read.labels[1].visibility > 0)[1], [False] + [pseudo == "human"] * 2)


@pytest.mark.parametrize("absent", [[0], [3], [-1], ["x"], 1])
def test_what_is_no_absent_point_is_refused(absent):
    document = written()
    document["annotations"][2]["absent"] = absent
    with pytest.raises(CocoError, match="/annotations/2/absent"):
        read_coco(json.dumps(document).encode(), num_frames=30, skeleton=SKELETON)
