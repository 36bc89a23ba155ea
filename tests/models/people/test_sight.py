"""Where one looks for a person, and what keypoints are made of."""

from __future__ import annotations

import numpy as np
import pytest

from models.people.network import LANDMARKS, SIDE, load
from models.people.sight import Aim, Look, keypoints_of, see
from models.weights import PEOPLE
from pose.joints import joints_of
from pose.synthetic import Scene, SceneSpec

JOINTS = (("left_shoulder",), ("right_shoulder",), ("left_hip",), ("right_hip",), ("nose",))
UPRIGHT = np.array([[110, 50], [90, 50], [106, 100], [94, 100], [100, 30]], dtype=float)


def test_a_look_is_a_turned_square() -> None:
    look = Look(100.0, 60.0, 80.0, np.pi / 2)
    middle = (SIDE - 1) / 2
    np.testing.assert_allclose(look.to_frame(np.array([middle, middle])), [100, 60])
    np.testing.assert_allclose(look.to_frame(np.array([middle, middle - SIDE / 2])), [140, 60], atol=1e-9)
    frame = np.zeros((120, 160, 3), np.uint8)
    frame[55:66, 120:131] = 255
    ys, xs = np.nonzero(look.cut(frame)[..., 0] > 128)
    np.testing.assert_allclose(look.to_frame(np.array([xs.mean(), ys.mean()])), [125, 60], atol=0.2)


def test_one_looks_around_the_hips_and_the_way_the_person_stands() -> None:
    aim, known = Aim(JOINTS), np.ones(5, dtype=bool)
    look = aim.at(UPRIGHT, known)
    assert look is not None
    assert look.angle == 0
    assert abs(look.x - 100) < look.side / 16
    assert abs(look.y - 100) < look.side / 16
    assert look.side > 2 * 70
    lying = aim.at(np.stack([200 - UPRIGHT[:, 1], UPRIGHT[:, 0]], axis=-1), known)
    assert lying is not None
    assert lying.angle == pytest.approx(np.pi / 2)
    assert aim.at(UPRIGHT + 0.5, known) == look
    assert aim.at(UPRIGHT + 40, known) != look


def test_one_looks_without_hips_and_not_by_a_single_point() -> None:
    aim = Aim(JOINTS)
    look = aim.at(UPRIGHT, np.array([True, True, False, False, True]))
    assert look is not None
    assert look.angle == 0
    assert aim.at(UPRIGHT, np.arange(5) == 2) is None


def test_keypoints_are_the_middles_of_their_joints() -> None:
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(0, 100, (3, len(LANDMARKS), 2))

    def at(name: str) -> np.ndarray:
        place: np.ndarray = landmarks[:, LANDMARKS.index(name)]
        return place

    found = keypoints_of(landmarks, [("left_knee",), ("left_hip", "right_hip"), ("left_mouth",), (), ("right_hand",)])
    np.testing.assert_allclose(found[:, 0], at("left_knee"))
    np.testing.assert_allclose(found[:, 1], (at("left_hip") + at("right_hip")) / 2)
    np.testing.assert_allclose(found[:, 2], at("mouth_left"))
    np.testing.assert_array_equal(found[:, 3], 0)
    np.testing.assert_allclose(found[:, 4], (at("right_wrist") + at("right_pinky") + at("right_index")) / 3)


def test_a_person_is_found_who_was_looked_for_a_little_beside() -> None:
    scene = Scene(SceneSpec(seed=0, kind="person", num_frames=2, width=240, height=240, occlusion=0, action="walk"))
    frame, track = next(iter(scene.frames())), scene.tracks[1]
    joints = joints_of(scene.skeleton.keypoints)
    size = np.linalg.norm(np.ptp(track.xy[0], axis=0))
    look = Aim(joints).at(track.xy[0] + 0.1 * size, track.visibility[0] > 0)
    assert look is not None
    landmarks, person = see(load(PEOPLE), frame, look)
    assert person > 0.9
    away = np.linalg.norm(keypoints_of(landmarks[None], joints)[0] - track.xy[0], axis=-1)
    assert np.median(away) < 0.05 * size
