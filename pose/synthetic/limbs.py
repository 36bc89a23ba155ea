"""The image geometry of a body's parts: where each capsule lands, which side of its surface shows, what it covers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose.synthetic.bodies import Body, Posture
from pose.synthetic.camera import NEAR, Camera

_TINY = 1e-6


@dataclass(frozen=True, eq=False)
class Limbs:
    """Projected parts of one body, every frame at once.

    A part's own image axes are ``along`` (start to end) and ``across``. Its outline at ``along = t`` is an ellipse
    section of half width ``ratio * r(t)``, where ``r`` tapers (and bulges) from the first to the second radius.

    Attributes:
        start: ``(F, P, 2)`` pixels of the first end.
        along: ``(F, P, 2)`` unit vector.
        length: ``(F, P)`` pixels from end to end, foreshortened.
        radius: ``(F, P, 2)`` pixels at both ends.
        bulge: ``(P,)`` share of thickening in the middle.
        ratio: ``(F, P)`` half width over radius as the section turns.
        cap: ``(F, P)`` length of the rounded ends over radius.
        angle: ``(F, P)`` place around the surface that shows on the ``across`` silhouette.
        sense: ``(F, P)`` direction, 1 or -1, in which the visible places follow.
        lean: ``(F, P, 2)`` how far, in radii, a surface point stands off the axis along the limb: per cosine and sine.
        depth: ``(F, P)`` distance by which parts are drawn, far to near.
        ahead: ``(F, P)`` whether the part is in front of the camera.
    """

    start: np.ndarray
    along: np.ndarray
    length: np.ndarray
    radius: np.ndarray
    bulge: np.ndarray
    ratio: np.ndarray
    cap: np.ndarray
    angle: np.ndarray
    sense: np.ndarray
    lean: np.ndarray
    depth: np.ndarray
    ahead: np.ndarray

    def cover(self, points: np.ndarray) -> np.ndarray:
        """Return whether parts cover points.

        Args:
            points: ``(F, N, 2)`` pixels.

        Returns:
            ``(F, N, P)`` bool.
        """
        offset = points[:, :, None] - self.start[:, None]
        along = (offset * self.along[:, None]).sum(axis=-1)
        across = offset[..., 1] * self.along[:, None, :, 0] - offset[..., 0] * self.along[:, None, :, 1]
        length = self.length[:, None]
        nearest = np.clip(along, 0, length)
        share = nearest / np.maximum(length, _TINY)
        first, second = self.radius[:, None, :, 0], self.radius[:, None, :, 1]
        radius = first + (second - first) * share + 2 * self.bulge * (first + second) * share * (1 - share)
        beyond = (along - nearest) / np.maximum(self.cap[:, None], _TINY)
        inside: np.ndarray = np.hypot(beyond, across / np.maximum(self.ratio[:, None], _TINY)) < radius
        return np.asarray(inside & self.ahead[:, None])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), _TINY))


def project_parts(body: Body, posture: Posture, camera: Camera) -> Limbs:
    """Project a posed body's parts (weak perspective per part).

    Args:
        body: The body.
        posture: Its posture on every frame.
        camera: The camera of every frame.
    """
    parts = body.parts
    joints = np.array([part.joint for part in parts])
    starts, ends = (np.array([getattr(part, name) for part in parts]) for name in ("start", "end"))
    fronts = np.array([part.front for part in parts])
    axes = _unit(ends - starts)
    fronts = _unit(fronts - (fronts * axes).sum(axis=1, keepdims=True) * axes)
    seen_start = camera.see(posture.points(joints, starts))
    seen_end = camera.see(posture.points(joints, ends))
    axis = camera.look(posture.directions(joints, axes))
    front = camera.look(posture.directions(joints, fronts))
    side = np.cross(axis, front)

    start, end = camera.project(seen_start), camera.project(seen_end)
    step = end - start
    length = np.linalg.norm(step, axis=-1)
    along = np.where(length[..., None] > 0.01, step / np.maximum(length[..., None], _TINY), (1.0, 0.0))
    across = np.stack([-along[..., 1], along[..., 0]], axis=-1)
    flat = np.array([part.flat for part in parts])
    front_across, side_across = ((v[..., :2] * across).sum(axis=-1) for v in (front, side))
    front_along, side_along = ((v[..., :2] * along).sum(axis=-1) for v in (front, side))
    angle = np.arctan2(side_across, flat * front_across)
    away = -flat * np.sin(angle) * front[..., 2] + np.cos(angle) * side[..., 2]
    sense = np.where(away > 0, -1.0, 1.0)
    lean = np.stack(
        [
            flat * np.cos(angle) * front_along + np.sin(angle) * side_along,
            sense * (np.cos(angle) * side_along - flat * np.sin(angle) * front_along),
        ],
        axis=-1,
    )
    radii = np.array([part.radius for part in parts])
    depths = np.stack([seen_start[..., 2], seen_end[..., 2]], axis=-1)
    cap = np.array([part.cap for part in parts])
    upright = np.sqrt(np.maximum(0, 1 - axis[..., 2] ** 2))
    return Limbs(
        start=start,
        along=along,
        length=length,
        radius=radii * camera.focal[:, None, None] / np.maximum(depths, NEAR),
        bulge=np.array([part.bulge for part in parts]),
        ratio=np.hypot(flat * front_across, side_across),
        cap=np.hypot(cap * upright, np.hypot(flat * front_along, side_along)),
        angle=angle,
        sense=sense,
        lean=lean,
        depth=depths.mean(axis=-1) - np.array([part.nearer for part in parts]),
        ahead=depths.min(axis=-1) > 4 * NEAR,
    )
