"""Which keypoints of a skeleton are joints of a person, told by their names."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Joints that a person has on both sides, and how else people call them.
_SIDED = {
    "eye": ("eye",), "eye_inner": ("eye_inner",), "eye_outer": ("eye_outer",), "ear": ("ear",), "mouth": ("mouth",),
    "shoulder": ("shoulder",), "elbow": ("elbow",), "wrist": ("wrist",), "pinky": ("pinky",), "index": ("index",),
    "thumb": ("thumb",), "hip": ("hip",), "knee": ("knee",), "ankle": ("ankle",), "heel": ("heel",),
    "foot": ("foot", "toe", "toes", "big_toe", "small_toe", "bigtoe", "smalltoe", "foot_index"),
    "hand": ("hand",),
}  # fmt: skip

#: What lies in the middle, and the joints it lies in the middle of.
_MIDDLE = {
    ("nose",): ("nose",),
    ("mouth",): ("left_mouth", "right_mouth"),
    ("head", "face", "head_top", "top_head", "headtop"): ("nose", "left_ear", "right_ear"),
    ("neck", "head_bottom", "thorax", "chest", "sternum", "upper_neck"): ("left_shoulder", "right_shoulder"),
    ("belly", "torso", "spine", "stomach"): ("left_shoulder", "right_shoulder", "left_hip", "right_hip"),
    ("pelvis", "hip", "hips", "mid_hip", "midhip", "root"): ("left_hip", "right_hip"),
}

_SIDES = {"l": "left", "left": "left", "r": "right", "right": "right"}
_BY_NAME = {name: joint for joint, names in _SIDED.items() for name in names}
_IN_MIDDLE = {name: joints for names, joints in _MIDDLE.items() for name in names}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

#: Words that no keypoint of a person has.
_FOREIGN = {
    "tail", "tailbase", "paw", "hoof", "wing", "wingtip", "antenna", "snout", "beak", "muzzle", "withers", "fin",
    "claw", "horn", "throat",
}  # fmt: skip

_LIMBS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
_FEWEST = 6  # of the twelve joints of limbs
_SHARE = 0.5  # of all keypoints


def joints_of(keypoints: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The joints that each keypoint is in the middle of, where the skeleton is a person's; else none for any.

    A skeleton is a person's when most of its names are, among them shoulders, hips and half of the joints of limbs, and
    none is one that only animals have.

    Args:
        keypoints: Names, in whatever spelling: ``left_wrist``, ``LWrist``, ``wrist R``.

    Returns:
        For each keypoint names such as ``left_wrist``, ``nose``, ``right_mouth``; empty where it is no joint of these.
    """
    words = [[word.lower() for word in _WORD.findall(name)] for name in keypoints]
    found = [_joints(told) for told in words]
    single = {joints[0] for joints in found if len(joints) == 1}
    known = {joint for joints in found for joint in joints}
    limbs = sum(f"{side}_{limb}" in single for side in ("left", "right") for limb in _LIMBS)
    whole = {"left_shoulder", "right_shoulder", "left_hip", "right_hip"} <= known
    animal = any(word in _FOREIGN for told in words for word in told)
    most = sum(map(bool, found)) >= _SHARE * len(keypoints)
    if animal or not whole or not most or limbs < _FEWEST:
        return ((),) * len(keypoints)
    return tuple(found)


def is_person(keypoints: Sequence[str]) -> bool:
    """Return whether names are those of a person's joints, see ``joints_of``."""
    return any(joints_of(keypoints))


def _joints(words: Sequence[str]) -> tuple[str, ...]:
    sides = [_SIDES[word] for word in words if word in _SIDES]
    name = "_".join(word for word in words if word not in _SIDES)
    if not sides and name[:1] in _SIDES and name[1:] in _BY_NAME:
        sides, name = [_SIDES[name[0]]], name[1:]
    if len(sides) == 1 and name in _BY_NAME:
        return (f"{sides[0]}_{_BY_NAME[name]}",)
    return _IN_MIDDLE.get(name, ()) if not sides else ()
