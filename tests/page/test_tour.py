"""The first five minutes, in a real browser against a real ``posetween up`` that has no project yet."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.tour_sample import SAMPLE, SPEC
from pose.synthetic import Scene
from pose.video import VideoReader

FRAMES = (0, 30, 60)
#: What of the tour's skeleton lies between two keypoints of the walker's.
BETWEEN = {"neck": ("left_shoulder", "right_shoulder"), "hip": ("left_hip", "right_hip")}
POINTS = (
    *("nose", "neck", "left_wrist", "right_wrist", "hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)


def pose(scene, frame):
    """Where the keypoints of the tour are on a frame."""
    names, xy = scene.skeleton.keypoints, scene.tracks[1].xy[frame]
    return {
        name: np.mean([xy[names.index(one)] for one in BETWEEN.get(name, (name,))], axis=0).tolist() for name in POINTS
    }


def test_the_sample_is_what_is_rendered_and_small():
    scene = Scene(SPEC)
    assert SAMPLE.stat().st_size < 100_000
    with VideoReader(SAMPLE) as video:
        assert (video.num_frames, video.width, video.height) == (SPEC.num_frames, SPEC.width, SPEC.height)
        frame = next(iter(scene.frames()))
        assert np.abs(video.read(0).astype(int) - frame).mean() < 4


@pytest.fixture(scope="module")
def seen(drive, lab):
    scene = Scene(SPEC)
    told = {
        **lab.about,
        "width": SPEC.width,
        "height": SPEC.height,
        "frames": FRAMES,
        "poses": {frame: pose(scene, frame) for frame in FRAMES},
    }
    return drive("tour.mjs", told, timeout=420)


def test_each_step_is_ticked_when_it_is_done_and_all_takes_less_than_five_minutes(seen):
    assert seen["faults"] == []
    assert seen["begun"] == "label"
    assert seen["seconds"] < 300
    assert "That was all of it" in seen["end"]


def test_what_it_says_moves_no_picture_under_the_hand(seen):
    assert seen["moved"] == 0


def test_one_that_was_refused_left_or_done_stays_so(seen):
    assert seen["refused"] == seen["after"] == seen["left"] == 0


def test_it_is_offered_only_where_there_is_no_project(seen):
    assert seen["offered"] == 0


def test_axe_finds_nothing_on_any_step_light_or_dark(seen):
    assert len(seen["wrong"]) == 2 * 7
    assert {screen: found for screen, found in seen["wrong"].items() if found} == {}
