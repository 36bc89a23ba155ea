import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pose.skeleton import COCO_17
from pose.synthetic import ACTS, KINDS, Kind, Scene, SceneSpec
from pose.synthetic.acting import JOINTS
from pose.synthetic.bodies import turn
from pose.synthetic.person import person

ROOT = Path(__file__).parents[2]


def small(kind: Kind, seed: int = 0, **fields: object) -> SceneSpec:
    return replace(SceneSpec(seed=seed, kind=kind, num_frames=9, width=160, height=120), **fields)  # type: ignore[arg-type]


def digest(spec: SceneSpec) -> str:
    scene = Scene(spec)
    total = hashlib.sha256()
    for frame in scene.frames():
        total.update(frame.tobytes())
    for track in scene.tracks.values():
        total.update(track.xy.tobytes() + track.visibility.tobytes())
    return total.hexdigest()


def test_the_same_spec_gives_the_same_bytes_in_another_process() -> None:
    program = (
        "import sys; sys.path.insert(0, 'tests/pose')\n"
        "from test_synthetic import digest\n"
        "from pose.synthetic import KINDS, SceneSpec\n"
        "print(*(digest(SceneSpec.random(5, kind=kind, num_frames=5, width=160, height=120)) for kind in KINDS))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "77"}
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    here = [digest(SceneSpec.random(5, kind=kind, num_frames=5, width=160, height=120)) for kind in KINDS]
    assert run.stdout.split() == here


def test_frames_can_be_asked_for_again_and_out_of_order() -> None:
    scene = Scene(small("person", motion_blur=1.0, noise=0.5, camera_motion=0.0, shake=0.0))
    once = list(scene.frames())
    assert len(once) == 9
    assert all(frame.shape == (120, 160, 3) and frame.dtype == np.uint8 for frame in once)
    np.testing.assert_array_equal(scene.frame(4), once[4])
    np.testing.assert_array_equal(np.stack(list(scene.frames())), np.stack(once))


@pytest.mark.parametrize("kind", KINDS)
def test_truth_is_inside_the_image_exactly_where_it_is_labelled(kind: Kind) -> None:
    for seed in range(6):
        spec = SceneSpec.random(seed, kind=kind, num_frames=12, width=160, height=120, size=0.95)
        scene = Scene(spec)
        assert list(scene.tracks) == list(range(1, spec.subjects + 1))
        assert scene.positions.shape == (spec.subjects, 12, scene.skeleton.size, 2)
        for subject, track in scene.tracks.items():
            exact = scene.positions[subject - 1]
            inside = ((exact >= 0) & (exact <= (159, 119))).all(axis=-1)
            np.testing.assert_array_equal(track.visibility > 0, inside)
            np.testing.assert_array_equal(track.xy, np.where(inside[..., None], exact, 0))
            np.testing.assert_array_equal(track.frames, np.arange(12))


@pytest.mark.parametrize("kind", KINDS)
def test_subjects_are_mostly_in_the_picture_and_show_most_of_their_points(kind: Kind) -> None:
    labels = np.concatenate(
        [track.visibility.ravel() for seed in range(12) for track in Scene(small(kind, seed)).tracks.values()]
    )
    assert (labels > 0).mean() > 0.8
    assert (labels == 2).mean() > 0.5
    if kind in ("person", "quadruped"):
        assert (labels == 1).mean() > 0.05


@pytest.mark.parametrize("kind", KINDS)
def test_visibility_agrees_with_the_pixels_that_show(kind: Kind) -> None:
    agree, visible_on_own_body = [], []
    for seed in range(4):
        scene = Scene(
            small(kind, seed, subjects=2, crossing=True, occlusion=0.6, motion_blur=0.0, width=320, height=240)
        )
        for frame in (0, 4, 8):
            shown = scene.elements(frame)
            for subject, track in scene.tracks.items():
                for k in np.flatnonzero(track.visibility[frame]):
                    x, y = np.rint(track.xy[frame, k]).astype(int)
                    around = np.unique(shown[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2])
                    owners = {scene.subject_of(int(element)) for element in around}
                    if track.visibility[frame, k] == 2:
                        # A wing is glass: what shows under its tip is the ground.
                        visible_on_own_body.append(subject in owners or "wing" in scene.skeleton.keypoints[k])
                    if len(around) == 1 and owners != {subject} and around[0] >= 0:
                        agree.append(track.visibility[frame, k] == 1)
    assert len(visible_on_own_body) > 100
    assert np.mean(visible_on_own_body) > 0.97
    assert all(agree)


def test_an_occluder_hides_points_that_were_visible() -> None:
    hidden = dict.fromkeys((0.0, 1.0), 0)
    for amount in hidden:
        for seed in range(6):
            hidden[amount] += int((Scene(small("person", seed, occlusion=amount)).tracks[1].visibility == 1).sum())
    assert hidden[1.0] > 1.5 * hidden[0.0]


def test_crossing_subjects_hide_each_other_and_change_sides() -> None:
    scene = Scene(small("person", 3, subjects=2, crossing=True, num_frames=60, occlusion=0.0, clutter=0.0))
    middles = scene.positions.mean(axis=2)[..., 0]
    assert (middles[0, 0] - middles[1, 0]) * (middles[0, -1] - middles[1, -1]) < 0
    covered = [
        scene.subject_of(int(scene.elements(frame)[tuple(np.rint(track.xy[frame, k]).astype(int)[::-1])]))
        for subject, track in scene.tracks.items()
        for frame in range(0, 60, 3)
        for k in np.flatnonzero(track.visibility[frame] == 1)
    ]
    assert {1, 2} <= set(covered)


def test_skeletons_name_every_keypoint_and_pair_left_with_right() -> None:
    assert Scene(small("person")).skeleton is COCO_17
    for skeleton in (Scene(small("quadruped")).skeleton, Scene(small("fly")).skeleton):
        for a, b in skeleton.swap:
            assert skeleton.keypoints[a] == skeleton.keypoints[b].replace("right", "left")
        paired = {index for pair in skeleton.swap for index in pair}
        assert paired == {k for k, name in enumerate(skeleton.keypoints) if "left" in name or "right" in name}


@pytest.mark.parametrize("count", [2, 3, 7, 16, 30])
def test_a_creature_has_the_keypoints_asked_for_and_its_edges_join_them_all(count: int) -> None:
    for seed in range(5):
        skeleton = Scene(small("creature", seed, num_frames=1, num_keypoints=count)).skeleton
        assert skeleton.size == count
        joined = {0}
        for a, b in sorted(skeleton.edges, key=max):
            joined |= {a, b} if {a, b} & joined else set()
        assert joined == set(range(count))


def test_all_creatures_of_a_scene_share_a_skeleton_but_not_their_looks() -> None:
    scene = Scene(small("creature", 4, subjects=2, likeness=0.0))
    assert len(scene.tracks) == 2
    assert {track.num_keypoints for track in scene.tracks.values()} == {scene.skeleton.size}


def test_left_and_right_are_told_apart_from_behind_and_in_front() -> None:
    """A person's left is on the viewer's right exactly when the nose shows."""
    left, right, nose = (COCO_17.keypoints.index(name) for name in ("left_shoulder", "right_shoulder", "nose"))
    told = []
    for seed in range(30):
        scene = Scene(small("person", seed, action="stand", size=0.9, num_frames=3))
        track = scene.tracks[1]
        span = scene.positions[0, :, left, 0] - scene.positions[0, :, right, 0]
        clear = np.abs(span) > 12
        told += ((span > 0) == (track.visibility[:, nose] == 2))[clear].tolist()
    assert len(told) > 20
    assert np.mean(told) > 0.95


def test_seeds_differ_in_looks_and_motion() -> None:
    scenes = [Scene(small("person", seed)) for seed in range(6)]
    frames = np.stack([scene.frame(0) for scene in scenes]).astype(float)
    poses = np.stack([scene.positions[0] - scene.positions[0].mean(axis=1, keepdims=True) for scene in scenes])
    for a in range(6):
        for b in range(a):
            assert np.abs(frames[a] - frames[b]).mean() > 8
            assert np.abs(poses[a] - poses[b]).max() > 3


def test_a_still_camera_moves_nothing_but_the_body() -> None:
    scene = Scene(
        small("person", 2, camera_motion=0.0, shake=0.0, noise=0.0, lighting=0.0, compression=0.0, action="wave")
    )
    first, last = scene.frame(0).astype(int), scene.frame(8).astype(int)
    changed = np.abs(first - last).max(axis=2) > 6
    assert 0 < changed.mean() < 0.25


def test_grayscale_frames_have_no_colour() -> None:
    frame = Scene(small("quadruped", 1, grayscale=True, compression=0.0)).frame(0)
    assert (frame == frame[..., :1]).all()


def test_feet_stay_on_the_ground_while_walking() -> None:
    scene = Scene(
        small("person", 1, action="walk", camera_motion=0.0, shake=0.0, num_frames=60, size=0.6, width=640, height=360)
    )
    ankles = scene.positions[0][:, [15, 16]]
    speed = np.linalg.norm(np.diff(ankles, axis=0), axis=-1)
    body = np.linalg.norm(np.diff(scene.positions[0].mean(axis=1), axis=0), axis=-1)
    assert np.median(speed.min(axis=1)) < 0.5 * max(np.median(body), 0.5)


@pytest.mark.parametrize("action", sorted(ACTS))
def test_every_act_moves_a_person_without_tearing(action: str) -> None:
    positions = Scene(small("person", 5, action=action, num_frames=40, camera_motion=0.0, shake=0.0)).positions[0]
    steps = np.linalg.norm(np.diff(positions, axis=0), axis=-1)
    assert steps.max() < 20
    assert np.ptp(positions, axis=0).max() > 1.5


def test_the_acts_know_the_joints_of_a_person() -> None:
    assert len(JOINTS) == len(person(np.random.default_rng(0)).parents)


def test_joint_angles_turn_as_documented() -> None:
    quarter = np.pi / 2
    hanging, facing = np.array([0.0, 1.0, 0.0]), np.array([1.0, 0.0, 0.0])
    np.testing.assert_allclose(turn(np.array([quarter, 0, 0])) @ hanging, (1, 0, 0), atol=1e-12)
    np.testing.assert_allclose(turn(np.array([0, quarter, 0])) @ hanging, (0, 0, 1), atol=1e-12)
    np.testing.assert_allclose(turn(np.array([0, 0, quarter])) @ facing, (0, 0, 1), atol=1e-12)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"num_frames": 0}, "num_frames is 1 or more"),
        ({"noise": 1.5}, "noise is between 0 and 1"),
        ({"kind": "octopus"}, "kind is one of"),
        ({"num_keypoints": 5}, "only for a creature"),
        ({"view": "below"}, "view is one of"),
        ({"fps": 0.0}, "fps is positive"),
        ({"seed": -1}, "seed is 0 or more"),
    ],
)
def test_a_spec_out_of_range_is_refused(fields: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        SceneSpec(**fields)  # type: ignore[arg-type]


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(ValueError, match="a person can walk"):
        Scene(small("person", action="fly"))
    with pytest.raises(ValueError, match="only a person has actions"):
        Scene(small("fly", action="walk"))


def test_random_specs_vary_and_respect_what_is_given() -> None:
    specs = [SceneSpec.random(seed, num_frames=4) for seed in range(60)]
    assert {spec.kind for spec in specs} == set(KINDS)
    assert {spec.subjects for spec in specs} == {1, 2, 3}
    assert all(spec.num_frames == 4 for spec in specs)
    assert SceneSpec.random(8, kind="fly").speed == SceneSpec.random(8).speed
    with pytest.raises(TypeError, match="no field colour"):
        SceneSpec.random(1, colour="red")
