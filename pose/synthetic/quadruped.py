"""Four-legged animals, from mouse to horse, with the 17 keypoints of AP-10K, and their gaits."""

from __future__ import annotations

import numpy as np

from pose.skeleton import Skeleton
from pose.synthetic.bodies import Anatomy, Body
from pose.synthetic.motion import Motion, lift, smooth, spells, stride
from pose.synthetic.textures import fur, hue, plain

#: Keypoints as in AP-10K (Yu et al., "AP-10K: A Benchmark for Animal Pose Estimation in the Wild", 2021).
QUADRUPED = Skeleton(
    name="quadruped17",
    keypoints=(
        "left_eye", "right_eye", "nose", "neck", "root_of_tail", "left_shoulder", "left_elbow", "left_front_paw",
        "right_shoulder", "right_elbow", "right_front_paw", "left_hip", "left_knee", "left_back_paw", "right_hip",
        "right_knee", "right_back_paw",
    ),
    edges=(
        (0, 1), (0, 2), (1, 2), (2, 3), (3, 4), (3, 5), (5, 6), (6, 7), (3, 8), (8, 9), (9, 10), (4, 11), (11, 12),
        (12, 13), (4, 14), (14, 15), (15, 16),
    ),
    swap=((0, 1), (5, 8), (6, 9), (7, 10), (11, 14), (12, 15), (13, 16)),
)  # fmt: skip

_LEGS = (("left_front", 1), ("right_front", -1), ("left_back", 1), ("right_back", -1))
_GAITS = {
    "walk": (0.25, 0.75, 0.0, 0.5),
    "trot": (0.0, 0.5, 0.5, 0.0),
    "gallop": (0.5, 0.6, 0.0, 0.12),
    "pace": (0.0, 0.5, 0.0, 0.5),
}
_COATS = ((0.02, 0.2), (0.15, 0.6)), ((0.3, 0.7), (0.25, 0.75)), ((0.0, 0.12), (0.75, 0.95))


def _coat(rng: np.random.Generator) -> np.ndarray:
    saturation, value = _COATS[int(rng.integers(len(_COATS)))]
    return hue(rng, saturation, value, (12, 42))


def quadruped(rng: np.random.Generator, top: bool) -> Body:
    """An animal about one unit long; ``top`` makes small, low ones likelier and measures it by its length."""
    small = rng.random() < (0.8 if top else 0.15)
    legs = rng.uniform(0.16, 0.26) if small else rng.uniform(0.4, 0.75)
    trunk = rng.uniform(0.5, 0.62)
    girth = rng.uniform(0.13, 0.19) if small and top else rng.uniform(0.095, 0.14)
    neck_length, neck_rise = rng.uniform(0.08, 0.3) * (0.4 if small else 1.0), rng.uniform(0.2, 1.1)
    head_length, head_width = rng.uniform(0.16, 0.24), rng.uniform(0.055, 0.085)
    tail_length, tail_width = rng.uniform(0.1, 0.55), rng.uniform(0.012, 0.04)
    leg_width = rng.uniform(0.035, 0.06)
    colour, second = _coat(rng), _coat(rng)
    pattern = str(rng.choice(("plain", "belly", "patches", "spots", "tiger"), p=(0.3, 0.25, 0.25, 0.1, 0.1)))
    if pattern in ("spots", "tiger"):
        second = colour * 0.3

    made = Anatomy()
    made.joint("rump", None)
    made.joint("chest", "rump", (trunk, 0, 0))
    made.joint("neck", "chest", (0.06, -0.4 * girth, 0), (neck_rise, 0, 0))
    made.joint("head", "neck", (neck_length, 0, 0), (-neck_rise - rng.uniform(-0.1, 0.5), 0, 0))
    made.joint("tail", "rump", (-0.75 * girth, -0.5 * girth, 0), (rng.uniform(-0.3, 0.7), 0, 0))
    made.joint("tail_tip", "tail", (-0.5 * tail_length, 0, 0))

    up = (0, -1, 0)
    belly_front = (0, -1, 0)
    hips = made.part(
        "rump", (-0.02, 0, 0), (0.5 * trunk, 0, 0), (0.95 * girth, 0.84 * girth), fur(rng, colour, second, pattern),
        front=belly_front, flat=1.1, bulge=0.03, nearer=0.01,
    )  # fmt: skip
    ribs = made.part(
        "chest", (-0.52 * trunk, 0, 0), (0.02, 0, 0), (0.84 * girth, 1.08 * girth), fur(rng, colour, second, pattern),
        front=belly_front, flat=1.15, bulge=0.04, nearer=0.012,
    )  # fmt: skip
    nape = made.part(
        "neck", (-0.08, 0.1 * girth, 0), (neck_length, 0, 0), (0.8 * girth, 0.85 * head_width),
        fur(rng, colour, second, pattern), front=up, flat=1.15, nearer=0.01,
    )  # fmt: skip
    if not small and rng.random() < 0.3:
        made.part(
            "neck", (0.0, -0.7 * girth, 0), (neck_length, -0.9 * head_width, 0), (0.5 * girth, 0.5 * head_width),
            fur(rng, second * 0.4, second, "plain"), front=up, flat=0.6, nearer=0.02,
        )  # fmt: skip
    made.part(
        "tail", (0.02, 0, 0), (-0.5 * tail_length, 0, 0), (tail_width * 1.2, tail_width),
        fur(rng, colour, second, "plain"), front=up,
    )  # fmt: skip
    made.part(
        "tail_tip", (0, 0, 0), (-0.5 * tail_length, 0, 0), (tail_width, tail_width * rng.uniform(0.3, 1.6)),
        fur(rng, second, second, "plain"), front=up,
    )  # fmt: skip
    root = made.part(
        "rump", (-0.75 * girth, -0.5 * girth, 0), (-0.55 * girth, -0.4 * girth, 0), (0.03, 0.05), plain(colour)
    )
    made.landmark("neck", "neck", (0, 0, 0), (nape, ribs, hips))
    made.landmark("root_of_tail", "tail", (0, 0, 0), (root, hips, len(made.parts) - 3, len(made.parts) - 2))
    _head(made, rng, head_length, head_width, colour, second)

    hoof = hue(rng, (0, 0.2), (0.05, 0.3))
    sock = second if rng.random() < 0.4 else colour
    for leg, sign in _LEGS:
        front = leg.endswith("front")
        upper, lower, pastern = (
            (0.36 * legs, 0.36 * legs, 0.3 * legs) if front else (0.4 * legs, 0.36 * legs, 0.36 * legs)
        )
        rest = (-0.35, 0.5, -0.1) if front else (0.45, -1.05, 0.75)
        base, place = ("chest", (-0.02, 0.35 * girth, sign * 0.62 * girth)) if front else (
            "rump", (0.03, 0.2 * girth, sign * 0.6 * girth))  # fmt: skip
        joints = [made.joint(f"{leg}_root", base, place, (rest[0], 0, 0))]
        joints.append(made.joint(f"{leg}_middle", joints[0], (0, upper, 0), (rest[1], 0, 0)))
        joints.append(made.joint(f"{leg}_paw", joints[1], (0, lower, 0), (rest[2], 0, 0)))
        thick = leg_width * (1.5 if front else 1.9)
        thigh = made.part(
            joints[0], (0, 0, 0), (0, upper, 0), (thick, leg_width), fur(rng, colour, second, pattern),
            flat=1.15, bulge=0.05, nearer=0.01,
        )  # fmt: skip
        shank = made.part(
            joints[1],
            (0, 0, 0),
            (0, lower, 0),
            (leg_width, 0.6 * leg_width),
            fur(rng, colour, second, "plain"),
            bulge=0.05,
        )
        cannon = made.part(
            joints[2],
            (0, 0, 0),
            (0, 0.8 * pastern, 0),
            (0.62 * leg_width, 0.5 * leg_width),
            fur(rng, sock, second, "plain"),
        )
        paw = made.part(
            joints[2], (-0.1 * leg_width, 0.88 * pastern, 0), (0.9 * leg_width, 0.95 * pastern, 0),
            (0.55 * leg_width, 0.5 * leg_width), fur(rng, sock if small else hoof, second, "plain"),
            front=(0, -1, 0),
        )  # fmt: skip
        side, end = leg.split("_")
        made.landmark(
            f"{side}_{'shoulder' if front else 'hip'}", joints[0], (0, 0, 0), (thigh, hips, ribs), (0, 0, 0.4 * sign)
        )
        made.landmark(f"{side}_{'elbow' if front else 'knee'}", joints[1], (0, 0, 0), (thigh, shank))
        made.landmark(f"{side}_{end}_paw", joints[2], (0.3 * leg_width, 0.9 * pastern, 0), (paw, cannon))
        made.foot(joints[2], (0, 0.95 * pastern + 0.4 * leg_width, 0))
    height = (
        1.15 * trunk + neck_length + head_length if top else max(legs + 2.4 * girth + neck_length * neck_rise, 0.85)
    )
    return made.body(QUADRUPED, float(height))


def _head(
    made: Anatomy, rng: np.random.Generator, length: float, width: float, colour: np.ndarray, second: np.ndarray
) -> None:
    surface = fur(rng, colour, second, str(rng.choice(("plain", "belly"))))
    muzzle = width * rng.uniform(0.4, 0.7)
    eye_at, spread = 0.36, 1.05
    dark = (22.0, 18.0, 16.0)
    skull = made.part(
        "head",
        (-0.02, 0, 0),
        (length - muzzle, 0.2 * width, 0),
        (width, muzzle),
        surface,
        front=(0, -1, 0),
        nearer=0.03,
    )
    tip = made.part(
        "head", (length - 0.6 * muzzle, 0.1 * width, 0), (length - 0.1 * muzzle, 0.12 * width, 0),
        (0.45 * muzzle, 0.4 * muzzle), plain(np.array(dark)), front=(0, -1, 0), nearer=0.05,
    )  # fmt: skip
    made.landmark("nose", "head", (length + 0.2 * muzzle, 0.12 * width, 0), (tip, skull))
    nudge = np.array((0.004, 0, 0))
    ear_length, perk = width * rng.uniform(0.6, 1.7), rng.uniform(-0.6, 0.9)
    for side, sign in (("left", 1), ("right", -1)):
        angle = spread
        radius = width + (muzzle - width) * eye_at
        eye = np.array(
            (
                -0.02 + eye_at * (length - muzzle + 0.02),
                0.2 * width * eye_at - radius * np.cos(angle),
                sign * radius * np.sin(angle),
            )
        )
        ball = made.part(
            "head",
            eye - nudge,
            eye + nudge,
            (0.2 * width, 0.2 * width),
            plain(np.array(dark)),
            nearer=0.035,
        )
        made.landmark(f"{side}_eye", "head", eye, (ball, skull), (0, -np.cos(angle), sign * np.sin(angle)))
        base = np.array((0.0, -0.75 * width, sign * 0.55 * width))
        made.part(
            "head", base, base + ear_length * np.array((-0.35, -perk, sign * 0.5)), (0.32 * width, 0.14 * width),
            fur(rng, colour * 0.8, second, "plain"), front=(1, 0, 0), flat=0.35, bulge=0.2, nearer=0.02,
        )  # fmt: skip


def trot(rng: np.random.Generator, body: Body, time: np.ndarray, heading: float) -> Motion:
    """Walk, trot, gallop, pace, or stand and look about, one after another.

    Args:
        rng: Draws gait and style.
        body: A quadruped.
        time: ``(F,)`` seconds, already stretched by the pace asked for.
        heading: Radians the animal faces at first, 0 to the right.
    """
    count, seconds = len(time), float(np.ptp(time))
    gait = str(rng.choice(tuple(_GAITS), p=(0.4, 0.3, 0.18, 0.12)))
    fast = {"gallop": 1.0, "trot": 0.6, "pace": 0.5}.get(gait, 0.2)
    phase = 2 * np.pi * (0.8 + 1.1 * fast) * rng.uniform(0.8, 1.2) * time + rng.uniform(0, 6)
    resting = rng.random() < 0.4
    weights = spells(rng, count, 2, max(20.0, count / 2)) if resting else np.ones((count, 1))
    moving = weights[:, 0] if rng.random() < 0.8 or not resting else weights[:, 1]
    angles = 0.03 * smooth(rng, count, 2 * seconds, len(body.parents) * 3).reshape(count, -1, 3)
    reach = (0.32 + 0.3 * fast) * rng.uniform(0.85, 1.15)
    for number, shift in enumerate(_GAITS[gait]):
        own = phase + 2 * np.pi * shift
        front = number < 2
        root = 6 + 3 * number
        swing, raised = reach * stride(own), (0.7 + 0.5 * fast) * lift(own)
        angles[:, root, 0] += moving * (swing + 0.1 * raised)
        angles[:, root + 1, 0] += moving * raised * (1.0 if front else -0.8)
        angles[:, root + 2, 0] += moving * (-1.2 * raised if front else 0.9 * raised)
    flexing = 0.22 * (gait == "gallop") * moving
    angles[:, 0, 0] += flexing * np.sin(phase + 0.4)
    angles[:, 1, 0] -= 1.6 * flexing * np.sin(phase + 0.4)
    look = smooth(rng, count, seconds, 4).T
    grazing = rng.random() < 0.25
    angles[:, 2, 0] += 0.12 * np.sin(2 * phase) * moving + 0.2 * look[0] - 1.1 * grazing * (1 - 0.6 * moving)
    angles[:, 2, 2] += 0.3 * look[1]
    angles[:, 3, 0] += 0.15 * look[2]
    angles[:, 3, 2] += 0.35 * look[1]
    wag = rng.choice((0.1, 0.6)) * np.sin(rng.uniform(4, 14) * time)
    for joint in (4, 5):
        angles[:, joint, 0] += 0.25 * look[3]
        angles[:, joint, 2] += wag
    turning = rng.choice((0.1, 0.6, 1.5)) * smooth(rng, count, 0.4 * seconds)[:, 0]
    hop = 0.05 * (gait == "gallop") * moving * (1 + np.sin(phase)) * body.height
    return Motion(angles, heading + turning - turning[0], hop)
