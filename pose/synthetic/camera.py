"""A pinhole camera on its way through the scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose.synthetic.motion import smooth, soften
from pose.synthetic.spec import SceneSpec

#: Nothing nearer than this, in metres, is projected.
NEAR = 0.05

#: Subjects that part are filmed from at most this many times the distance that their size asks for.
_FURTHEST = 1.8


@dataclass(frozen=True, eq=False)
class Camera:
    """One pinhole camera per frame.

    Attributes:
        place: ``(F, 3)`` in the world.
        rotation: ``(F, 3, 3)`` from the world to right, down, forward.
        focal: ``(F,)`` pixels.
        centre: ``(2,)`` principal point in pixels.
    """

    place: np.ndarray
    rotation: np.ndarray
    focal: np.ndarray
    centre: np.ndarray

    def see(self, points: np.ndarray) -> np.ndarray:
        """World points ``(F, N, 3)`` in the camera's right, down, forward."""
        return self.look(points - self.place[:, None])

    def look(self, directions: np.ndarray) -> np.ndarray:
        """World directions ``(F, N, 3)`` in the camera's right, down, forward."""
        return np.asarray(np.matmul(directions, np.swapaxes(self.rotation, 1, 2)))

    def project(self, seen: np.ndarray) -> np.ndarray:
        """Pixels ``(F, N, 2)`` of what :meth:`see` gave."""
        depth = np.maximum(seen[..., 2:], NEAR)
        return np.asarray(seen[..., :2] / depth * self.focal[:, None, None] + self.centre)

    def plane(self, frame: int, origin: np.ndarray, right: np.ndarray, down: np.ndarray) -> np.ndarray:
        """Homography from a plane to the image of a frame.

        Args:
            frame: The frame.
            origin: ``(3,)`` world place of the plane's ``(0, 0)``.
            right: ``(3,)`` world step of one unit along the plane's first axis.
            down: ``(3,)`` the same for the second.
        """
        intrinsics = np.array(
            [[self.focal[frame], 0, self.centre[0]], [0, self.focal[frame], self.centre[1]], [0, 0, 1]]
        )
        columns = np.stack([right, down, origin - self.place[frame]], axis=1)
        matrix: np.ndarray = intrinsics @ self.rotation[frame] @ columns
        return matrix

    def at(self, frame: int) -> Camera:
        """The camera of one frame alone."""
        one = slice(frame, frame + 1)
        return Camera(self.place[one], self.rotation[one], self.focal[one], self.centre)

    def still(self) -> bool:
        """Return whether all frames are taken from the same place."""
        fixed = (np.ptp(self.place, axis=0), np.ptp(self.rotation, axis=0), np.ptp(self.focal))
        return all(np.max(spread) < 1e-9 for spread in fixed)


def _aim(yaw: np.ndarray, pitch: np.ndarray, roll: np.ndarray) -> np.ndarray:
    sideways = np.stack([np.cos(yaw), np.zeros_like(yaw), -np.sin(yaw)], axis=1)
    forward = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=1)
    down = np.cross(forward, sideways)
    cos, sin = np.cos(roll)[:, None], np.sin(roll)[:, None]
    return np.stack([cos * sideways + sin * down, cos * down - sin * sideways, forward], axis=1)


def film(spec: SceneSpec, rng: np.random.Generator, height: float, paths: np.ndarray, top: bool) -> Camera:
    """Choose where the camera stands, how it moves and what it follows.

    Args:
        spec: How large subjects are and how much the camera moves.
        rng: Draws the rest.
        height: Height of a subject, or its length seen from above.
        paths: ``(S, F, 3)`` where the subjects are.
        top: From above instead of from the side.
    """
    count = spec.num_frames
    seconds = count / spec.fps
    middle = (paths.max(axis=0) + paths.min(axis=0)) / 2
    if top:
        field = rng.uniform(0.35, 0.7)
        pixels = spec.size * min(spec.width, spec.height) * 0.8
    else:
        field = rng.uniform(0.5, 1.0)
        pixels = spec.size * spec.height
    focal = 0.5 * max(spec.width, spec.height) / np.tan(field / 2)
    distance = focal * height / pixels
    room = np.array([spec.width, spec.height]) * distance / focal - (0.7 if spec.kind == "person" else 1.2) * height
    spread = np.ptp(paths[..., [0, 2]].reshape(-1, 2), axis=0)
    excess = float((spread / np.maximum(room, 0.1 * height))[: 1 + top].max())
    follow = max(float(rng.choice((0.0, 0.5, 1.0))) * (spec.camera_motion > 0), 1 - 1 / max(excess, 1.0))
    target = follow * soften(middle, 0.4 * spec.fps) + (1 - follow) * (middle.max(axis=0) + middle.min(axis=0)) / 2
    apart = np.ptp((paths - target)[..., [0, 2]].reshape(-1, 2), axis=0) / np.maximum(room, 0.1 * height)
    distance *= float(np.clip(apart[: 1 + top].max(), 1, _FURTHEST))
    drift = spec.camera_motion * smooth(rng, count, 0.4 * seconds, 6)
    jitter = spec.shake * smooth(rng, count, 5 * seconds, 3) * (2.5 / focal)
    place = target.copy()
    place[:, 0] += 0.12 * distance * drift[:, 0]
    if top:
        place[:, 1] = -distance * (1 + 0.08 * np.tanh(drift[:, 1]))
        place[:, 2] = target[:, 2] + 0.06 * distance * drift[:, 2]
        pitch = np.full(count, np.pi / 2) + rng.normal(0, 0.04)
        yaw = np.zeros(count)
        roll = float(rng.uniform(-np.pi, np.pi)) + 0.1 * drift[:, 5] if spec.kind != "fly" else 0.1 * drift[:, 5]
    else:
        eye = height * rng.uniform(0.4, 1.15)
        place[:, 1] = -eye + 0.04 * distance * drift[:, 1]
        place[:, 2] = -distance * (1 + 0.1 * np.tanh(drift[:, 2]))
        gaze = -0.5 * height + rng.normal(0, 0.03) * height
        pitch = np.arctan2(gaze - place[:, 1], distance) + 0.03 * drift[:, 4]
        yaw = -0.7 * np.arctan2(place[:, 0] - target[:, 0], distance) + 0.04 * drift[:, 3]
        roll = rng.normal(0, 0.015) + 0.02 * drift[:, 5]
    zoom = np.exp(0.12 * np.tanh(drift[:, 2] * 1.5)) if not top else np.ones(count)
    return Camera(
        place=place,
        rotation=_aim(yaw + jitter[:, 0], pitch + jitter[:, 1], roll + jitter[:, 2]),
        focal=focal * zoom,
        centre=np.array([(spec.width - 1) / 2, (spec.height - 1) / 2]),
    )
