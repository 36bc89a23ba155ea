"""The cast of a scene: bodies, what they do and where they go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose.synthetic import acting
from pose.synthetic.bodies import Body, Posture
from pose.synthetic.creature import creature, writhe
from pose.synthetic.fly import fly, scuttle
from pose.synthetic.motion import Motion, place
from pose.synthetic.person import person
from pose.synthetic.quadruped import quadruped, trot
from pose.synthetic.spec import SceneSpec


@dataclass(frozen=True, eq=False)
class Cast:
    """All bodies of a scene, subjects first.

    Attributes:
        bodies: One per subject, then one per distractor.
        postures: Theirs, in the world.
        height: What a subject measures on the screen.
        top: Whether they are seen from above.
    """

    bodies: list[Body]
    postures: list[Posture]
    height: float
    top: bool


def _body(spec: SceneSpec, look: int, shape: int, top: bool) -> Body:
    rng = np.random.default_rng(look)
    if spec.kind == "person":
        return person(rng)
    if spec.kind == "quadruped":
        return quadruped(rng, top)
    if spec.kind == "fly":
        return fly(rng)
    return creature(np.random.default_rng((shape, 1)), rng, spec.num_keypoints, top)


def _motion(
    spec: SceneSpec, rng: np.random.Generator, body: Body, time: np.ndarray, heading: float, top: bool
) -> Motion:
    if spec.kind == "person":
        if spec.action and spec.action not in acting.ACTS:
            raise ValueError(f"a person can {', '.join(acting.ACTS)}; action is {spec.action!r}")
        names = (spec.action,) if spec.action else ("walk",) if spec.crossing else acting.repertoire(rng)
        return acting.act(rng, time, names, heading)
    if spec.action:
        raise ValueError(f"only a person has actions, not a {spec.kind}; action is {spec.action!r}")
    if spec.kind == "quadruped":
        return trot(rng, body, time, heading)
    if spec.kind == "fly":
        return scuttle(rng, body, time, heading)
    return writhe(rng, body, time, heading, top)


def company(spec: SceneSpec, looks: np.random.Generator, moves: np.random.Generator) -> Cast:
    """Cast a scene.

    Args:
        spec: Who is wanted.
        looks: Draws the bodies.
        moves: Draws what they do and where they stand.

    Raises:
        ValueError: The action asked for is not one that the kind knows.
    """
    top = spec.view == "top" or (
        spec.view == "auto"
        and (spec.kind == "fly" or bool(looks.random() < {"quadruped": 0.25, "creature": 0.4}.get(spec.kind, 0)))
    )
    count = spec.subjects + spec.distractors
    own = [int(seed) for seed in looks.integers(0, 2**63, count)]
    alike = looks.random(count) < spec.likeness
    bodies = [_body(spec, own[0] if same else seed, own[0], top) for seed, same in zip(own, alike, strict=True)]
    height = max(body.height for body in bodies[: spec.subjects])
    time = np.arange(spec.num_frames) / spec.fps * 4 ** (2 * spec.speed - 1)
    postures = []
    for number, body in enumerate(bodies):
        mirror = np.pi if number % 2 else 0.0
        broadside = spec.crossing or (not top and spec.kind != "person")
        mirror = mirror if spec.crossing else np.pi * moves.integers(2)
        heading = mirror + moves.normal(0, 0.25 if spec.crossing else 0.5 if broadside else np.pi)
        posture = place(body, _motion(spec, moves, body, time, heading, top))
        posture = posture.moved(_stop_short(posture.origins[:, 0], height, top))
        postures.append(posture.moved(_stand(spec, moves, number, height, top)))
    return Cast(bodies, postures, height, top)


def _stand(spec: SceneSpec, rng: np.random.Generator, number: int, height: float, top: bool) -> np.ndarray:
    if number >= spec.subjects:
        aside = rng.choice((-1, 1)) * rng.uniform(0.5, 1.6) * height
        return np.array([aside, 0, rng.uniform(-0.6, 0.6) * height if top else rng.uniform(0.1, 1.0) * height])
    if spec.crossing:
        lane = (number - (spec.subjects - 1) / 2) * height
        return np.array([rng.normal(0, 0.1) * height, 0, lane * (0.3 if top else 0.35)])
    slot = (number - (spec.subjects - 1) / 2) * rng.uniform(0.35, 0.8) * height
    return np.array([slot, 0, rng.uniform(-0.2, 0.2) * height * (spec.subjects > 1)])


def _stop_short(path: np.ndarray, height: float, top: bool) -> np.ndarray:
    """The shift that brings back a path that leads into the wall or the lens: depth saturates softly."""
    reach = (3.0 if top else 0.6) * height
    shift = np.zeros_like(path)
    shift[:, 2] = reach * np.tanh(path[:, 2] / reach) - path[:, 2]
    if top:
        shift[:, 0] = reach * np.tanh(path[:, 0] / reach) - path[:, 0]
    return shift
