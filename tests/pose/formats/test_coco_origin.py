"""What a machine made is never read as a person's label unless that is asked for."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.formats.coco import CocoError, Reading, VideoInfo, instances, read_coco, write_coco
from pose.skeleton import Skeleton
from pose.track import Track

SKELETON = Skeleton(name="mouse", keypoints=("nose", "ear", "tail"))
PERSON, MACHINE = [1, 2, 2, 3, 4, 2, 5, 6, 1], [7, 8, 2, 9, 9, 2, 5, 6, 1]


def document(**fields):
    """A person's label on frame 0, and on frame 1 what ``fields`` say of another."""
    label = {"category_id": 1, "track_id": 1, "iscrowd": 0}
    return {
        "images": [{"id": 1, "frame_index": 0}, {"id": 2, "frame_index": 1}],
        "annotations": [
            label | {"id": 1, "image_id": 1, "keypoints": PERSON},
            label | {"id": 2, "image_id": 2, "keypoints": MACHINE} | fields,
        ],
        "categories": [{"id": 1, "keypoints": list(SKELETON.keypoints)}],
    }


def read(machine="skip", **fields):
    return read_coco(json.dumps(document(**fields)).encode(), reading=Reading(machine=machine))


MADE_BY_MACHINES = {
    "pseudo": {"source": "pseudo"},
    "accepted": {"source": "accepted"},
    "of a certain machine": {"source": "pseudo", "score": 1, "keypoint_scores": [1, 1, 1]},
    "another tool's word": {"source": "DLC_resnet50"},
    "no word at all": {"source": 5},
    "an attribute": {"attributes": {"source": "auto"}},
    "a result": {"score": 0.62},
    "a result by point": {"keypoint_scores": [0.9, 1, 1]},
    "a score above one": {"score": 11.5},
    "a score of an attribute": {"attributes": {"score": 0.5}},
    "a radius": {"keypoint_radius90": [1, 0, 0]},
}
MADE_BY_PEOPLE = {
    "nothing": {},
    "human": {"source": "human"},
    "manual": {"source": "Manual"},
    "certain": {"score": 1.0},
    "certain by point": {"score": 1, "keypoint_scores": [1, 1, 1.0], "keypoint_radius90": [0, 0, 0]},
    "agreement of people": {"source": "human", "score": 0.8, "keypoint_scores": [0.5, 1, 1]},
    "null": {"score": None, "source": None, "keypoint_scores": None, "attributes": None},
    "an attribute of the lab": {"attributes": {"source": "camera 2", "score": "good"}},
    "odd fields": {"score": "high", "keypoint_scores": "none", "keypoint_radius90": {}, "attributes": []},
}


@pytest.mark.parametrize("fields", MADE_BY_MACHINES.values(), ids=MADE_BY_MACHINES)
def test_a_machines_pose_is_skipped_kept_apart_or_taken_when_asked(fields):
    skipped = read(**fields)
    assert list(skipped.tracks[1].frames) == list(skipped.labels[1].frames) == [0]
    assert skipped.pseudo == {}
    assert sum(skipped.skipped.values()) == 1
    assert skipped.warnings[0].startswith("1 annotation is skipped, /annotations/1: a machine's pose")
    taken = read("human", **fields)
    np.testing.assert_array_equal(taken.labels[1].score, np.ones((2, 3)))
    np.testing.assert_array_equal(taken.labels[1].radius90, np.zeros((2, 3)))
    assert (taken.pseudo, taken.warnings) == (
        {},
        ["1 pose of a machine taken for a person's, the first /annotations/1"],
    )


@pytest.mark.parametrize("fields", [fields for fields in MADE_BY_MACHINES.values() if fields.get("score", 0) <= 1])
def test_a_machines_pose_that_is_kept_is_not_among_labels(fields):
    kept = read("keep", **fields)
    assert list(kept.labels[1].frames) == [0]
    assert list(kept.pseudo[1].frames) == [1]
    assert (kept.pseudo[1].score < 1).all()
    assert list(kept.tracks[1].frames) == [0, 1]
    assert (kept.tracks[1].score[1] < 1).all()


@pytest.mark.parametrize("machine", ["skip", "keep", "human"])
@pytest.mark.parametrize("fields", MADE_BY_PEOPLE.values(), ids=MADE_BY_PEOPLE)
def test_a_persons_label_is_certain_whatever_the_file_says(fields, machine):
    poses = read(machine, **fields)
    assert (poses.skipped, poses.pseudo, poses.warnings) == ({}, {}, [])
    np.testing.assert_array_equal(poses.labels[1].score, np.ones((2, 3)))
    np.testing.assert_array_equal(poses.labels[1].radius90, np.zeros((2, 3)))


def test_kinds_of_machines_are_counted_apart():
    assert read(source="accepted").skipped == {"accepted": 1}
    assert read(source="model").skipped == {"pseudo": 1}
    assert read(score=0.5).skipped == {"predicted": 1}


def test_points_of_a_person_and_a_machine_in_one_pose_are_parted():
    fields = {"source": "pseudo", "keypoint_sources": ["human", "pseudo", None], "keypoint_scores": [1, 0.5, 0.25]}
    poses = read(**fields)
    np.testing.assert_array_equal(poses.labels[1].visibility, [[2, 2, 1], [2, 0, 0]])
    assert poses.skipped == {}
    assert poses.warnings == [
        "2 points of a machine left out of 1 pose with a person's as well, the first /annotations/1"
    ]
    kept = read("keep", **fields)
    np.testing.assert_array_equal(kept.labels[1].visibility, [[2, 2, 1], [2, 0, 0]])
    np.testing.assert_array_equal(kept.pseudo[1].visibility, [[0, 2, 1]])
    np.testing.assert_array_equal(kept.tracks[1].score, [[1, 1, 1], [1, 0.5, 0.25]])


def test_a_person_and_a_machine_may_both_have_a_pose_on_a_frame():
    poses = read("keep", image_id=1, source="pseudo", score=0.5)
    assert (list(poses.labels[1].frames), list(poses.pseudo[1].frames)) == ([0], [0])
    np.testing.assert_array_equal(poses.tracks[1].xy[0], [[1, 2], [3, 4], [5, 6]])


def test_points_take_the_score_of_the_pose_and_its_extent_where_they_have_none():
    kept = read("keep", source="pseudo", score=0.5).pseudo[1]
    np.testing.assert_array_equal(kept.score, [[0.5, 0.5, 0.5]])
    np.testing.assert_allclose(kept.radius90, np.full((1, 3), 5.0))
    np.testing.assert_array_equal(read("keep", source="pseudo").pseudo[1].score, [[0, 0, 0]])


def test_scores_that_are_none_are_refused_only_where_they_are_kept():
    for fields, pointer in (
        ({"keypoint_scores": [0.5, 12, 0]}, "/annotations/1/keypoint_scores/1"),
        ({"keypoint_scores": [0.5]}, "/annotations/1/keypoint_scores"),
    ):
        assert read(**fields).skipped == {"predicted": 1}
        assert not read("human", **fields).skipped
        with pytest.raises(CocoError) as caught:
            read("keep", **fields)
        assert caught.value.pointer == pointer


frames_of = st.sets(st.integers(0, 19), min_size=1, max_size=6).map(sorted)


@st.composite
def layers(draw):
    """Labels and pseudo-labels of up to two tracks, with points that are not known among them."""
    labels, pseudo = {}, {}
    for number in draw(st.sets(st.integers(1, 9), min_size=1, max_size=2)):
        for layer in draw(st.sampled_from([(labels,), (pseudo,), (labels, pseudo)])):
            frames = draw(frames_of)
            shape = (len(frames), 3)
            cells = st.lists(st.integers(0, 30_000), min_size=2 * len(frames) * 3, max_size=2 * len(frames) * 3)
            xy = np.array(draw(cells)).reshape(*shape, 2) / 100
            v = np.array(draw(st.lists(st.integers(0, 2), min_size=3 * len(frames), max_size=3 * len(frames))))
            v = v.reshape(shape)
            made = Track.labelled(frames, np.concatenate([xy, v[..., None]], axis=-1))
            if layer is pseudo:
                score = draw(st.sampled_from([0.0, 0.25, 0.5, 1.0]))
                known = (made.visibility > 0).astype(np.float32)
                made = replace(made, score=known * np.float32(score), radius90=3 * known)
            layer[number] = made
    return labels, pseudo


@given(layers())
def test_what_is_exported_comes_back_as_the_same_labels_and_no_others(both):
    labels, pseudo = both
    stream = io.BytesIO()
    video = VideoInfo(1, "clip", 400, 400, 20)
    write_coco(stream, SKELETON, [(video, instances(labels, pseudo, run_id=1))], info={})
    for machine in ("skip", "keep"):
        back = read_coco(stream.getvalue(), num_frames=20, size=(400, 400), reading=Reading(machine=machine)).labels
        for number in labels.keys() | back.keys():
            mine = {number: track for number, track in labels.items() if (track.visibility > 0).any()}
            assert (number in back) == (number in mine)
            if number in mine:
                known = mine[number].select((mine[number].visibility > 0).any(axis=1))
                for name in ("frames", "xy", "visibility", "score", "radius90"):
                    np.testing.assert_array_equal(getattr(back[number], name), getattr(known, name))
