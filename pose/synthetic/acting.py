"""Actions of people: walking, running, waving, jumping, crouching and more, from joint-angle cycles."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from pose.synthetic.motion import Motion, lift, smooth, spells, stride

Angle = float | np.ndarray

_LIMB_JOINTS = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")

#: The joints of a person in the order in which the body has them.
JOINTS = tuple(
    ["pelvis", "chest", "neck", "head"] + [f"{side}_{joint}" for side in ("left", "right") for joint in _LIMB_JOINTS]
)
_AT = {name: index for index, name in enumerate(JOINTS)}
_SIDES = (("left", 1, 0.0), ("right", -1, np.pi))


@dataclass(frozen=True, eq=False)
class _Act:
    angles: np.ndarray
    hop: np.ndarray

    def set(self, joint: str, flexion: Angle = 0.0, abduction: Angle = 0.0, twist: Angle = 0.0) -> None:
        for axis, value in enumerate((flexion, abduction, twist)):
            self.angles[:, _AT[joint], axis] = value


def _act(count: int) -> _Act:
    return _Act(np.zeros((count, len(JOINTS), 3)), np.zeros(count))


def _stance(act: _Act, side: str, sign: int, bend: Angle = 0.05) -> None:
    act.set(f"{side}_hip", bend, sign * 0.06)
    act.set(f"{side}_knee", -2 * np.asarray(bend))
    act.set(f"{side}_ankle", bend)


def _arm(act: _Act, side: str, sign: int, flexion: Angle, abduction: Angle, elbow: Angle, twist: Angle = 0) -> None:
    act.set(f"{side}_shoulder", flexion, sign * np.asarray(abduction), sign * np.asarray(twist))
    act.set(f"{side}_elbow", elbow)


def _locomotion(phase: np.ndarray, rng: np.random.Generator, run: float) -> _Act:
    act = _act(len(phase))
    reach, bounce = (0.36 + 0.34 * run) * rng.uniform(0.85, 1.15), 0.25 * run
    swing, elbow = (0.35 + 0.5 * run) * rng.uniform(0.5, 1.4), 0.2 + 1.2 * run
    spread = rng.uniform(0.08, 0.2)
    for side, sign, shift in _SIDES:
        own = phase + shift
        hip = reach * stride(own) + 0.1 + bounce
        knee = -(0.12 + bounce + (0.85 + 0.7 * run) * lift(own))
        act.set(f"{side}_hip", hip, sign * 0.03)
        act.set(f"{side}_knee", knee)
        act.set(f"{side}_ankle", -0.75 * (hip + knee) - 0.35 * np.maximum(0, -stride(own)))
        _arm(act, side, sign, -swing * np.sin(own), spread, elbow + 0.25 * np.maximum(0, -np.sin(own)))
    act.set("pelvis", -0.05 - 0.1 * run, 0.03 * np.sin(phase), 0.1 * np.sin(phase))
    act.set("chest", -0.03 - 0.08 * run, -0.03 * np.sin(phase), -0.2 * np.sin(phase))
    act.hop[:] = 0.05 * run * (1 + np.cos(2 * phase))
    return act


def _walk(phase: np.ndarray, rng: np.random.Generator) -> _Act:
    return _locomotion(phase, rng, float(rng.uniform(0, 0.15)))


def _run(phase: np.ndarray, rng: np.random.Generator) -> _Act:
    return _locomotion(1.5 * phase, rng, float(rng.uniform(0.6, 1)))


def _stand(phase: np.ndarray, rng: np.random.Generator) -> _Act:
    act = _act(len(phase))
    sway = 0.04 * np.sin(0.4 * phase)
    akimbo = rng.random() < 0.25
    for side, sign, shift in _SIDES:
        _stance(act, side, sign, 0.04 + 0.5 * sway * np.cos(shift))
        if akimbo:
            _arm(act, side, sign, -0.35 + sway, 0.75, 1.75, 0.9)
        else:
            _arm(act, side, sign, 0.1 + sway, rng.uniform(0.06, 0.2), rng.uniform(0.1, 1.4))
    act.set("chest", -0.03, sway, 2 * sway)
    return act


def _wave(phase: np.ndarray, rng: np.random.Generator) -> _Act:
    act = _stand(phase, rng)
    arms = _SIDES if rng.random() < 0.3 else (_SIDES[int(rng.integers(2))],)
    for side, sign, shift in arms:
        wag = np.sin(1.3 * phase + shift)
        _arm(act, side, sign, 0.3, rng.uniform(1.6, 2.6) + 0.15 * wag, 0.0)
        act.set(f"{side}_elbow", 0.2, sign * (0.4 + 0.55 * wag))
    return act


def _jump(phase: np.ndarray, rng: np.random.Generator) -> _Act:
    act = _act(len(phase))
    beat = 0.5 + 0.5 * np.sin(phase)
    flight = np.maximum(0, np.sin(phase))
    jack = rng.random() < 0.5
    bend = 0.15 + 0.6 * (1 - beat) ** 2
    for side, sign, _ in _SIDES:
        _stance(act, side, sign, bend)
        act.angles[:, _AT[f"{side}_hip"], 1] += sign * 0.45 * jack * beat
        if jack:
            _arm(act, side, sign, 0.1, 0.2 + 2.6 * beat, 0.2)
        else:
            _arm(act, side, sign, -0.6 + 3.2 * beat, 0.2, 0.4)
    act.set("chest", -0.5 * (1 - beat) ** 2)
    act.hop[:] = rng.uniform(0.12, 0.3) * flight
    return act


def _crouch(phase: np.ndarray, rng: np.random.Generator) -> _Act:
    act = _act(len(phase))
    deep = 0.5 - 0.5 * np.cos(0.5 * phase)
    bend = 0.06 + rng.uniform(0.7, 1.05) * deep
    for side, sign, _ in _SIDES:
        act.set(f"{side}_hip", 1.35 * bend, sign * (0.08 + 0.25 * deep))
        act.set(f"{side}_knee", -2.1 * bend)
        act.set(f"{side}_ankle", 0.75 * bend)
        _arm(act, side, sign, 0.15 + 1.3 * deep, 0.15, 0.3 + 0.2 * deep)
    act.set("chest", -0.55 * deep)
    act.set("neck", 0.3 * deep)
    return act


def _pick(phase: np.ndarray, rng: np.random.Generator) -> _Act:
    act = _act(len(phase))
    deep = (0.5 - 0.5 * np.cos(0.5 * phase)) ** 0.8
    for side, sign, _ in _SIDES:
        act.set(f"{side}_hip", 0.04 + 1.0 * deep, sign * 0.08)
        act.set(f"{side}_knee", -0.08 - 0.45 * deep)
        act.set(f"{side}_ankle", 0.04 + 0.2 * deep)
        _arm(act, side, sign, 0.1 + 1.4 * deep * rng.uniform(0.7, 1.1), 0.1, 0.2)
    act.set("pelvis", -0.75 * deep)
    act.set("chest", -0.6 * deep)
    return act


def _box(phase: np.ndarray, rng: np.random.Generator) -> _Act:
    act = _act(len(phase))
    for side, sign, shift in _SIDES:
        punch = np.maximum(0, np.sin(1.2 * phase + shift)) ** 3
        act.set(f"{side}_hip", 0.25 * sign + 0.12, sign * 0.12)
        act.set(f"{side}_knee", -0.3)
        act.set(f"{side}_ankle", 0.18 - 0.25 * sign)
        _arm(act, side, sign, 0.55 + 0.95 * punch, 0.2, 2.0 - 1.8 * punch, 0.3)
    act.set("chest", -0.1, 0, 0.3 * np.sin(1.2 * phase))
    return act


def _kick(phase: np.ndarray, rng: np.random.Generator) -> _Act:
    act = _stand(phase, rng)
    side, sign, _ = _SIDES[int(rng.integers(2))]
    swing = np.sin(phase)
    act.set(f"{side}_hip", 0.35 + 0.95 * swing, sign * 0.1)
    act.set(f"{side}_knee", -0.35 - 0.7 * np.maximum(0, -swing))
    act.set("chest", 0.15 * swing)
    return act


def _dance(phase: np.ndarray, rng: np.random.Generator) -> _Act:
    act = _act(len(phase))
    knots = float(np.ptp(phase)) / 2.5
    for side, sign, shift in _SIDES:
        free = smooth(rng, len(phase), knots, 5).T
        bend = 0.2 + 0.18 * np.sin(phase + shift) + 0.1 * free[0]
        _stance(act, side, sign, np.clip(bend, 0, 0.7))
        _arm(act, side, sign, 0.7 + 0.8 * free[1], 0.6 + 0.5 * free[2], np.clip(0.9 + 0.6 * free[3], 0, 2.3), free[4])
    sway = smooth(rng, len(phase), knots, 3).T
    act.set("pelvis", 0.05 * sway[0], 0.12 * np.sin(phase), 0.15 * sway[1])
    act.set("chest", -0.1 + 0.12 * sway[2], -0.15 * np.sin(phase), -0.2 * sway[1])
    return act


ACTS: Mapping[str, Callable[[np.ndarray, np.random.Generator], _Act]] = {
    "walk": _walk,
    "run": _run,
    "stand": _stand,
    "wave": _wave,
    "jump": _jump,
    "crouch": _crouch,
    "pick": _pick,
    "box": _box,
    "kick": _kick,
    "dance": _dance,
}


def act(rng: np.random.Generator, time: np.ndarray, names: tuple[str, ...], heading: float) -> Motion:
    """Let a person do one thing after another.

    Args:
        rng: Draws pace and style.
        time: ``(F,)`` seconds, already stretched by the pace asked for.
        names: The acts in turn; one is done throughout.
        heading: Radians the person faces at first, 0 to the right.
    """
    rate = 2 * np.pi * rng.uniform(0.75, 1.05)
    wobble = 0.15 * smooth(rng, len(time), float(np.ptp(time)))[:, 0]
    phase = rng.uniform(0, 2 * np.pi) + rate * time + wobble
    acts = [ACTS[name](phase, rng) for name in names]
    weights = spells(rng, len(time), len(acts), max(20.0, len(time) / len(acts)))
    angles = sum(weight[:, None, None] * done.angles for weight, done in zip(weights.T, acts, strict=True))
    angles = np.asarray(angles) + 0.04 * smooth(rng, len(time), 2 * float(np.ptp(time)), angles.shape[1] * 3).reshape(
        angles.shape
    )
    hop = np.maximum(0, (weights * np.stack([done.hop for done in acts], axis=1)).sum(axis=1))
    seconds = float(np.ptp(time))
    look = smooth(rng, len(time), seconds)[:, 0]
    angles[:, _AT["head"], 2] += 0.4 * look
    angles[:, _AT["head"], 0] += 0.1 * smooth(rng, len(time), seconds)[:, 0]
    restless = rng.choice((0.1, 0.5, 1.5), p=(0.45, 0.35, 0.2))
    turning = restless * smooth(rng, len(time), 0.35 * seconds)[:, 0]
    spin = rng.choice((0, 1, -1), p=(0.85, 0.075, 0.075)) * rng.uniform(0.5, 2) * (time - time[0])
    return Motion(angles, heading + turning - turning[0] + spin, hop)


def repertoire(rng: np.random.Generator) -> tuple[str, ...]:
    """One to three acts, walking the likeliest."""
    names = tuple(ACTS)
    weights = np.array([3.0 if name == "walk" else 1.5 if name == "run" else 1.0 for name in names])
    count = int(rng.choice((1, 2, 3), p=(0.5, 0.35, 0.15)))
    return tuple(str(name) for name in rng.choice(names, count, replace=False, p=weights / weights.sum()))
