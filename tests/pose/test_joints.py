"""People's joints are known by their names, in whatever spelling; animals' are not."""

from __future__ import annotations

import pytest

from pose.joints import is_person, joints_of
from pose.synthetic import Scene, SceneSpec

LIMBS = [f"{side}_{limb}" for side in ("left", "right") for limb in ("shoulder", "elbow", "hip", "knee")]


@pytest.mark.parametrize(
    ("spelling", "joint"),
    [
        ("left_wrist", ("left_wrist",)),
        ("LWrist", ("left_wrist",)),
        ("wrist R", ("right_wrist",)),
        ("rightAnkle", ("right_ankle",)),
        ("r_big_toe", ("right_foot",)),
        ("Nose", ("nose",)),
        ("neck", ("left_shoulder", "right_shoulder")),
        ("belly", ("left_shoulder", "right_shoulder", "left_hip", "right_hip")),
        ("mid_hip", ("left_hip", "right_hip")),
        ("face", ("nose", "left_ear", "right_ear")),
        ("racket", ()),
        ("left_racket", ()),
        ("wrist", ()),
    ],
)
def test_spellings(spelling: str, joint: tuple[str, ...]) -> None:
    assert joints_of([*LIMBS, spelling])[-1] == joint


@pytest.mark.parametrize(
    "names",
    [
        [*LIMBS, "tail"],
        [*LIMBS, "left_paw"],
        LIMBS[:5],
        [name for name in LIMBS if "hip" not in name] + ["left_wrist", "right_wrist"],
        [*LIMBS, *(f"marker {number}" for number in range(9))],
        ["nose", "left_eye", "right_eye"],
        [],
    ],
)
def test_not_a_person(names: list[str]) -> None:
    assert not is_person(names)
    assert joints_of(names) == ((),) * len(names)


def test_of_rendered_bodies_people_are_people() -> None:
    kinds = ("person", "quadruped", "fly", "creature")
    told = {kind: is_person(Scene(SceneSpec(seed=1, kind=kind, num_frames=2)).skeleton.keypoints) for kind in kinds}
    assert told == {kind: kind == "person" for kind in kinds}
