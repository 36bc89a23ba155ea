"""Creatures that do not exist: random trees of limbs with any number of keypoints."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pose.skeleton import Skeleton
from pose.synthetic.bodies import Anatomy, Body, articulate
from pose.synthetic.motion import Motion, smooth
from pose.synthetic.textures import medley

_FEWEST, _MOST = 2, 30


def creature(shape: np.random.Generator, look: np.random.Generator, num_keypoints: int, top: bool) -> Body:
    """A creature about one unit in size.

    Half of them are mirror-symmetric, with left and right keypoints. Keypoints sit at the ends of limbs and, where
    those do not suffice, on their surfaces.

    Args:
        shape: Draws the build and the keypoints: creatures with the same ``shape`` have the same skeleton.
        look: Draws the surfaces.
        num_keypoints: ``K``, or 0 for a random number.
        top: Whether it lies on the ground to be seen from above, or floats upright.
    """
    count = num_keypoints or int(shape.integers(_FEWEST, _MOST + 1))
    symmetric = bool(shape.random() < 0.5) and count >= 4
    made = Anatomy()
    surface = medley(look)
    uniform = look.random() < 0.5

    def wrap() -> np.ndarray:
        return surface if uniform or look.random() < 0.3 else medley(look)

    trunk, girth = shape.uniform(0.2, 0.4), shape.uniform(0.05, 0.12)
    forward = np.array((1.0, 0.0, 0.0) if top else (0.0, -1.0, 0.0))
    across = np.array((0.0, 0.0, 1.0) if top else (1.0, 0.0, 0.0))
    mirror = 1 - 2 * across
    made.joint("limb_0", None)
    made.part(
        "limb_0", -0.5 * trunk * forward, 0.5 * trunk * forward, (girth, girth * shape.uniform(0.5, 1.1)), wrap(),
        front=(0, -1, 0) if forward[0] else (1, 0, 0), flat=shape.uniform(0.5, 1.1), bulge=shape.uniform(0, 0.2),
        nearer=0.05,
    )  # fmt: skip
    limbs: list[tuple[str, np.ndarray, int, float, int]] = [("limb_0", 0.5 * trunk * forward, 0, girth, -1)]
    twins: dict[int, int] = {}
    wanted = int(shape.integers(max(2, count // 2), max(4, min(18, count) + 1)))

    def grow(parent: int, start: np.ndarray, step: np.ndarray, thick: float, taper: float) -> int:
        name = made.joint(f"limb_{len(limbs)}", limbs[parent][0], start)
        part = made.part(
            name, (0, 0, 0), step, (thick, thick * taper), wrap(), front=np.roll(step, 1) + 0.01, bulge=0.08
        )
        limbs.append((name, step, part, thick, parent))
        return len(limbs) - 1

    while len(limbs) < wanted:
        parent = int(shape.integers(0, len(limbs)))
        _, end, _, wide, _ = limbs[parent]
        start = end * (shape.uniform(-0.9, 1) if parent == 0 else 1.0)
        length, angle = shape.uniform(0.16, 0.42), shape.uniform(0.2, 2.9)
        thick = min(wide * 0.85, shape.uniform(0.022, 0.06))
        step = length * (np.cos(angle) * forward + np.sin(angle) * across)
        step = step + shape.normal(0, 0.05) * np.cross(forward, across)
        taper = shape.uniform(0.5, 1.0)
        if symmetric:
            base = twins.get(parent, parent)
            one = grow(parent, start, step, thick, taper)
            two = grow(base, start * mirror if parent != base else start, step * mirror, thick, taper)
            twins[one], twins[two] = two, one
        else:
            grow(parent, start, step if shape.random() < 0.5 else step * mirror, thick, taper)
    return _label(made, shape, count, limbs, twins)


def _label(
    made: Anatomy,
    rng: np.random.Generator,
    count: int,
    limbs: list[tuple[str, np.ndarray, int, float, int]],
    twins: dict[int, int],
) -> Body:
    spots: list[tuple[int, float]] = [(0, 1.0), (0, -1.0)] + [(limb, 1.0) for limb in range(1, len(limbs))]
    spots += [(int(rng.integers(0, len(limbs))), float(share)) for share in rng.uniform(0.1, 0.8, 40)]
    names: list[str] = []
    owners: list[int] = []
    swap: list[tuple[int, int]] = []

    def mark(name: str, limb: int, share: float) -> None:
        joint, end, part, _, parent = limbs[limb]
        near = [part] + [limbs[k][2] for k in range(len(limbs)) if limbs[k][4] == limb or k == parent]
        made.landmark(name, joint, end * share, near if abs(share) >= 0.85 else [part])
        names.append(name)
        owners.append(limb)

    done: set[tuple[int, float]] = set()
    for limb, share in spots:
        if len(names) >= count:
            break
        if (limb, share) in done:
            continue
        twin = twins.get(limb)
        if twin is not None and len(names) + 2 <= count:
            swap.append((len(names), len(names) + 1))
            mark(f"left_{len(names) // 2}", limb, share)
            mark(f"right_{len(names) // 2}", twin, share)
            done |= {(limb, share), (twin, share)}
        elif twin is None:
            mark(f"point_{len(names)}", limb, share)
            done.add((limb, share))
    while len(names) < count:
        mark(f"point_{len(names)}", 0, float(rng.uniform(-0.8, 0.8)))
    edges = []
    for index, limb in enumerate(owners[1:], 1):
        ancestors = [limb]
        while limbs[ancestors[-1]][4] >= 0:
            ancestors.append(limbs[ancestors[-1]][4])
        nearest = next((k for a in ancestors for k in range(index) if owners[k] == a), 0)
        edges.append((nearest, index))
    skeleton = Skeleton(name=f"creature{count}", keypoints=tuple(names), edges=tuple(edges), swap=tuple(swap))
    for name, end, _, _, _ in limbs:
        made.foot(name, end)
    body = made.body(skeleton, 1.0)
    posture = articulate(body, np.zeros((1, len(body.parents), 3)), np.zeros(1), np.zeros((1, 3)))
    spans = np.ptp(posture.points(*(np.array(each) for each in zip(*body.feet, strict=True)))[0], axis=0)
    return replace(body, height=float(max(0.45, spans.max() + 0.1)))


def writhe(rng: np.random.Generator, body: Body, time: np.ndarray, heading: float, top: bool) -> Motion:
    """Swing every limb in a rhythm of its own and drift along.

    Args:
        rng: Draws rhythms and reach.
        body: A creature.
        time: ``(F,)`` seconds, already stretched by the pace asked for.
        heading: Radians the creature faces at first, 0 to the right.
        top: Whether it is seen from above, so that limbs had better swing level.
    """
    count, seconds, joints = len(time), float(np.ptp(time)), len(body.parents)
    rate = 2 * np.pi * rng.uniform(0.3, 1.6) * np.where(rng.random(joints) < 0.6, 1.0, rng.uniform(0.5, 2, joints))
    reach = rng.choice((0.15, 0.4, 0.8), p=(0.3, 0.45, 0.25)) * rng.uniform(0.4, 1.3, joints)
    waves = reach * np.sin(rate * time[:, None] + rng.uniform(0, 2 * np.pi, joints))
    waves += 0.5 * reach * smooth(rng, count, 1.2 * seconds, joints)
    weights = rng.uniform(0.2, 1.0, (joints, 3)) * ((0.3, 0.3, 1.0) if top else (1.0, 0.3, 0.3))
    angles = waves[..., None] * weights
    angles[:, 0] *= 0.3
    turning = rng.choice((0.2, 0.8, 2.0)) * smooth(rng, count, 0.5 * seconds)[:, 0]
    pace = rng.choice((0.0, 0.2, 0.6)) * np.clip(1 + 0.5 * smooth(rng, count, seconds)[:, 0], 0, 2)
    step = np.gradient(time) if count > 1 else np.zeros(count)
    return Motion(
        angles, heading + turning - turning[0], np.full(count, 0.0 if top else 0.2 * rng.random()), (pace * step)[1:]
    )
