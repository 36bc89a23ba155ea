"""Flies seen from above: six legs, two wings, and the way they walk, turn, groom and sing."""

from __future__ import annotations

import numpy as np

from pose.skeleton import Skeleton
from pose.synthetic.bodies import Anatomy, Body
from pose.synthetic.motion import Motion, smooth, soften, spells
from pose.synthetic.textures import hue, plain, shell

FLY = Skeleton(
    name="fly13",
    keypoints=(
        "head", "thorax", "abdomen", "left_wing", "right_wing", "left_foreleg", "right_foreleg", "left_midleg",
        "right_midleg", "left_hindleg", "right_hindleg", "left_eye", "right_eye",
    ),
    edges=(
        (0, 1), (1, 2), (1, 3), (1, 4), (1, 5), (1, 6), (1, 7), (1, 8), (1, 9), (1, 10), (0, 11), (0, 12),
    ),
    swap=((3, 4), (5, 6), (7, 8), (9, 10), (11, 12)),
)  # fmt: skip

_SIDES = (("left", 1), ("right", -1))

#: Name, place along the thorax, direction from straight ahead, reach, tripod.
_LEGS = (("foreleg", 0.09, 0.75, 0.26, 0), ("midleg", 0.0, 1.55, 0.33, 1), ("hindleg", -0.08, 2.35, 0.36, 0))


def fly(rng: np.random.Generator) -> Body:
    """A fly one unit long, in daylight or infrared colours."""
    if rng.random() < 0.35:
        base = np.full(3, rng.uniform(150, 235))
        eye, wing = base * 1.08, base * 0.75
    else:
        base = hue(rng, (0.0, 0.35), (0.25, 0.75)) * (1.0, 0.82, 0.55)
        eye = np.array((rng.uniform(90, 170), 34.0, 26.0)) if rng.random() < 0.7 else base * 0.4
        wing = base * 0.3 + (130, 130, 125)
    made = Anatomy()
    tall = rng.uniform(0.16, 0.22)
    made.joint("thorax", None)
    made.joint("head", "thorax", (0.17, 0, 0))
    made.joint("abdomen", "thorax", (-0.13, 0.01, 0))
    up, wide = (0, -1, 0), rng.uniform(0.1, 0.13)
    fat = rng.uniform(0.9, 1.35)
    thorax = made.part(
        "thorax", (-0.1, 0, 0), (0.09, 0, 0), (0.9 * wide, 0.82 * wide), shell(rng, base, 0),
        front=up, bulge=0.1, cap=0.8, nearer=0.02,
    )  # fmt: skip
    abdomen = made.part(
        "abdomen", (-0.05, 0, 0), (-0.26, 0.02, 0), (0.88 * wide * fat, 0.42 * wide),
        shell(rng, base * 1.1, int(rng.integers(3, 7))),
        front=up, bulge=0.12, nearer=0.01,
    )  # fmt: skip
    head = made.part(
        "head", (0, 0, -0.06), (0, 0, 0.06), (0.07, 0.07), shell(rng, base * 0.9, 0), front=up, nearer=0.015
    )
    made.landmark("head", "head", (0.03, 0, 0), (head,))
    made.landmark("thorax", "thorax", (0, -0.02, 0), (thorax,))
    made.landmark("abdomen", "abdomen", (-0.29, 0, 0), (abdomen,))
    leg_colour, leg_width = base * rng.uniform(0.5, 1.0), rng.uniform(0.011, 0.018)
    for side, sign in _SIDES:
        ball = made.part(
            "head", (-0.015, -0.01, sign * 0.075), (0.03, -0.01, sign * 0.06), (0.052, 0.042), shell(rng, eye, 0),
            front=up, nearer=0.03,
        )  # fmt: skip
        made.landmark(f"{side}_eye", "head", (0.005, -0.02, sign * 0.075), (ball,))
        made.part("head", (0.05, 0, sign * 0.02), (0.1, 0, sign * 0.035), (0.012, 0.005), plain(leg_colour), front=up)
    for side, sign in _SIDES:
        name = made.joint(f"{side}_wing", "thorax", (-0.02, -0.6 * wide, sign * 0.055))
        blade = made.part(
            name, (0, 0, 0), (-0.46, -0.02, sign * 0.045), (0.03, 0.1), shell(rng, wing, 0),
            front=up, flat=0.1, bulge=0.25, cap=0.9, nearer=0.06, opacity=rng.uniform(0.35, 0.6),
        )  # fmt: skip
        made.part(
            name, (0, -0.01, 0), (-0.45, -0.03, sign * 0.06), (0.008, 0.004), plain(wing * 0.7), front=up, nearer=0.065
        )
        made.landmark(f"{side}_wing", name, (-0.54, -0.02, sign * 0.052), (blade, len(made.parts) - 1))
    for leg, along, direction, reach, _ in _LEGS:
        for side, sign in _SIDES:
            out = np.array((np.cos(direction), 0, sign * np.sin(direction)))
            hip = made.joint(f"{side}_{leg}", "thorax", (along, 0.4 * wide, sign * 0.5 * wide))
            knee_at = 0.5 * reach * out + (0, -0.5 * tall, 0)
            knee = made.joint(f"{side}_{leg}_knee", hip, knee_at)
            foot_at = 0.42 * reach * out + (-0.02, 0.5 * tall + tall, 0)
            toe_at = foot_at + 0.3 * reach * out
            surface = plain(leg_colour)
            made.part(hip, (0, 0, 0), knee_at, (1.5 * leg_width, 1.1 * leg_width), surface, front=(1, 0.1, 0.1))
            made.part(knee, (0, 0, 0), foot_at, (1.1 * leg_width, 0.75 * leg_width), surface, front=(1, 0.1, 0.1))
            claw = made.part(knee, foot_at, toe_at, (0.75 * leg_width, 0.6 * leg_width), surface, front=(0.1, 1, 0.1))
            made.landmark(f"{side}_{leg}", knee, toe_at, (claw,))
            made.foot(knee, foot_at)
    return made.body(FLY, 1.0)


def scuttle(rng: np.random.Generator, body: Body, time: np.ndarray, heading: float) -> Motion:
    """Walk in spells with an alternating tripod, turn, pause to groom, and now and then sing with a wing.

    Args:
        rng: Draws pace and habits.
        body: A fly.
        time: ``(F,)`` seconds, already stretched by the pace asked for.
        heading: Radians the fly faces at first, 0 to the right.
    """
    count, seconds = len(time), float(np.ptp(time))
    step = np.gradient(time) if count > 1 else np.zeros(count)
    going = spells(rng, count, 2, max(15.0, 0.4 * count))[:, int(rng.integers(2))]
    going = np.maximum(going, float(rng.choice((0.0, 0.4, 1.0))))
    pace = rng.uniform(0.4, 1.6) * going * np.clip(1 + 0.4 * smooth(rng, count, seconds)[:, 0], 0.1, 2)
    phase = np.cumsum(pace * step) * 2 * np.pi / 0.28
    turning = np.cumsum(smooth(rng, count, 1.5 * seconds)[:, 0] * (0.25 + pace) * step) * rng.uniform(0.4, 1.8)
    angles = 0.02 * smooth(rng, count, 3 * seconds, len(body.parents) * 3).reshape(count, -1, 3)
    angles[:, 1, 2] += 0.15 * smooth(rng, count, 2 * seconds)[:, 0]
    angles[:, 2, 2] += 0.1 * smooth(rng, count, seconds)[:, 0]
    singing = soften(rng.random(count) * 0 + (smooth(rng, count, seconds)[:, 0] > 0.9), 1.5) * (rng.random() < 0.5)
    closed = rng.uniform(0.05, 0.3)
    singer = int(rng.integers(2))
    for wing, sign in ((0, 1), (1, -1)):
        spread = closed + 1.15 * singing * (wing == singer) + 0.03 * smooth(rng, count, 2 * seconds)[:, 0]
        angles[:, 3 + wing, 2] -= sign * spread
    grooming = (1 - going) * (rng.random() < 0.6)
    rub = np.sin(2 * np.pi * 6 * time)
    for number, (leg, _, _, _, tripod) in enumerate(_LEGS):
        for side, sign in ((0, 1), (1, -1)):
            own = phase + np.pi * ((tripod + side) % 2)
            joint = 5 + 2 * (2 * number + side)
            angles[:, joint, 2] += sign * -0.38 * np.sin(own) * np.minimum(1, 2 * going)
            angles[:, joint, 1] += sign * 0.25 * np.maximum(0, np.cos(own)) * np.minimum(1, 2 * going)
            if leg == "foreleg":
                angles[:, joint, 2] += sign * -(0.55 + 0.12 * rub * sign) * grooming
    return Motion(angles, heading + turning, np.zeros(count), (pace * step)[1:])
