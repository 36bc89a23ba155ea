"""Motion of bodies: smooth random curves, joint rotations, and a root that stands on its feet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose.synthetic.bodies import Body, Posture, articulate


@dataclass(frozen=True, eq=False)
class Motion:
    """Joint angles of one body through a video.

    Attributes:
        angles: ``(F, J, 3)`` radians of flexion, abduction and twist per joint, on top of the body's rest pose.
        heading: ``(F,)`` radians that the body has turned to its left, seen from above.
        hop: ``(F,)`` height of the lowest foot above the ground.
        travel: ``(F - 1,)`` or scalar steps forward, or None where the feet push the body along.
    """

    angles: np.ndarray
    heading: np.ndarray
    hop: np.ndarray
    travel: np.ndarray | None = None


def smooth(rng: np.random.Generator, count: int, knots: float, columns: int = 1) -> np.ndarray:
    """Smooth random curves.

    Args:
        rng: Draws the knots from a normal distribution.
        count: ``F``.
        knots: How many independent values a curve goes through on its way.
        columns: How many curves.

    Returns:
        ``(F, columns)`` with deviation near 1.
    """
    number = max(1, int(np.ceil(knots)))
    values = rng.standard_normal((number + 4, columns))
    time = 1 + np.linspace(0, 1, count) * knots + rng.random()
    left = np.clip(time.astype(int), 1, number + 1)
    f = (time - left)[:, None]
    p0, p1, p2, p3 = (values[np.minimum(left + k, number + 3)] for k in (-1, 0, 1, 2))
    cubic = p2 - p0 + f * (2 * p0 - 5 * p1 + 4 * p2 - p3 + f * (3 * (p1 - p2) + p3 - p0))
    return np.asarray(p1 + 0.5 * f * cubic)


def soften(values: np.ndarray, radius: float) -> np.ndarray:
    """Gaussian smoothing along the first axis, ends repeated."""
    reach = max(1, int(3 * radius))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / max(radius, 1e-3)) ** 2)
    padded = np.concatenate([values[:1].repeat(reach, 0), values, values[-1:].repeat(reach, 0)])
    flat = padded.reshape(len(padded), -1)
    columns = [np.convolve(column, weights / weights.sum(), mode="valid") for column in flat.T]
    return np.stack(columns, axis=1).reshape(values.shape)


def spells(rng: np.random.Generator, count: int, choices: int, length: float) -> np.ndarray:
    """Weights with which one of ``choices`` states after another prevails, softly handing over.

    Returns:
        ``(F, choices)`` that sum to 1 along the last axis.
    """
    weights = np.zeros((count, choices))
    begin, state = 0, 0
    while begin < count:
        stop = begin + max(3, int(length * rng.uniform(0.6, 1.6)))
        weights[begin:stop, state] = 1
        begin, state = stop, (state + 1) % choices
    return soften(weights, max(1.0, length * 0.08))


def stride(phase: np.ndarray) -> np.ndarray:
    """A leg's swing, -1 behind to 1 ahead: slower on the ground than through the air."""
    return np.asarray(np.sin(phase + 0.25 * np.sin(phase)))


def lift(phase: np.ndarray, sharpness: float = 1.0) -> np.ndarray:
    """The height to which a leg is drawn up, 0 to 1, highest while it swings forward."""
    return (0.5 + 0.5 * np.cos(phase + 0.35)) ** (1 + sharpness)


def place(body: Body, motion: Motion) -> Posture:
    """Pose a body frame by frame so that its feet stay on the ground and, while they touch it, do not slide.

    Returns:
        The posture with the path's middle at the origin of the ground.
    """
    count = len(motion.heading)
    still = articulate(body, motion.angles, motion.heading, np.zeros((count, 3)))
    joints = np.array([joint for joint, _ in body.feet])
    soles = np.array([offset for _, offset in body.feet])
    feet = still.points(joints, soles)
    root = np.zeros((count, 3))
    root[:, 1] = -feet[..., 1].max(axis=1) - motion.hop
    if count > 1:
        forward = np.stack([np.cos(motion.heading), np.zeros(count), np.sin(motion.heading)], axis=1)
        if motion.travel is not None:
            steps = forward[:-1] * np.broadcast_to(motion.travel, count - 1)[:, None]
        else:
            height = feet[..., 1] - feet[..., 1].max(axis=1, keepdims=True)
            weight = np.exp(height / (0.02 * body.height))
            pair = (weight[:-1] * weight[1:])[..., None]
            steps = -(np.diff(feet, axis=0) * pair).sum(axis=1) / pair.sum(axis=1)
            steps = soften(steps, 1.5)
        root[1:, [0, 2]] = np.cumsum(steps, axis=0)[:, [0, 2]]
    path = (root + still.origins.mean(axis=1))[:, [0, 2]]
    root[:, [0, 2]] -= (path.max(axis=0) + path.min(axis=0)) / 2
    return Posture(still.rotations, still.origins + root[:, None])
