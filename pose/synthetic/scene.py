"""A synthetic video: bodies in a place, filmed, with the exact truth about their keypoints."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pose.skeleton import Skeleton
from pose.synthetic import cast
from pose.synthetic.bodies import Body, Posture
from pose.synthetic.brush import lay, limb
from pose.synthetic.camera import Camera, film
from pose.synthetic.limbs import Limbs, project_parts
from pose.synthetic.photograph import Photograph
from pose.synthetic.spec import SceneSpec
from pose.synthetic.surroundings import Surroundings, cast_shadow
from pose.track import Track

#: A point whose outward direction looks this far away from the viewer (cosine) is on the far side of its body.
_FAR_SIDE = 0.3

_OPAQUE = 0.7


@dataclass(frozen=True, eq=False)
class _Actor:
    body: Body
    posture: Posture
    limbs: Limbs
    points: np.ndarray  # (F, K, 2)
    turned_away: np.ndarray  # (F, K)
    velocity: np.ndarray  # (F, P, 2) pixels while the shutter is open


def _actor(spec: SceneSpec, body: Body, posture: Posture, camera: Camera) -> _Actor:
    limbs = project_parts(body, posture, camera)
    joints = np.array([landmark.joint for landmark in body.landmarks])
    seen = camera.see(posture.points(joints, np.array([landmark.offset for landmark in body.landmarks])))
    outward = camera.look(posture.directions(joints, np.array([landmark.facing for landmark in body.landmarks])))
    gaze = seen / np.linalg.norm(seen, axis=-1, keepdims=True)
    middles = limbs.start + 0.5 * limbs.along * limbs.length[..., None]
    velocity = np.gradient(middles, axis=0) if spec.num_frames > 1 else np.zeros_like(middles)
    return _Actor(
        body=body,
        posture=posture,
        limbs=limbs,
        points=camera.project(seen),
        turned_away=((outward * gaze).sum(axis=-1) > _FAR_SIDE) | (seen[..., 2] < 0.1),
        velocity=velocity * spec.motion_blur,
    )


class Scene:
    """One synthetic video.

    Attributes:
        spec: What it was made from.
        skeleton: The keypoints of its subjects.
        positions: ``(S, F, K, 2)`` float32 exact pixels of every subject's keypoints, inside the image or not.
    """

    def __init__(self, spec: SceneSpec) -> None:
        self.spec = spec
        streams = np.random.default_rng((spec.seed, *spec.kind.encode())).spawn(6)
        looks, moves, filming, place, self._light_rng, sensor = streams
        cameo = cast.company(spec, looks, moves)
        self.skeleton: Skeleton = cameo.bodies[0].skeleton
        subjects = np.stack([posture.origins[:, 0] for posture in cameo.postures[: spec.subjects]])
        camera = film(spec, filming, cameo.height, subjects, cameo.top)
        self._camera = camera
        self._surroundings = Surroundings(spec, place, camera, cameo.height, cameo.top)
        self._photograph = Photograph(spec, sensor)
        pairs = zip(cameo.bodies, cameo.postures, strict=True)
        self._actors = [_actor(spec, body, posture, camera) for body, posture in pairs]
        self.positions = np.stack([actor.points for actor in self._actors[: spec.subjects]]).astype(np.float32)
        self._elements = [(a, p) for a, actor in enumerate(self._actors) for p in range(len(actor.body.parts))]
        occluders = self._surroundings.occluders
        depths = [actor.limbs.depth for actor in self._actors] + [thing.depth[:, None] for thing in occluders]
        self._order = np.argsort(-np.concatenate(depths, axis=1), axis=1, kind="stable")
        self._light(self._light_rng)

    def _light(self, rng: np.random.Generator) -> None:
        spec = self.spec
        side = rng.uniform(-0.9, 0.9) * (0.3 + spec.lighting)
        sun = np.array([side, 1.0, rng.uniform(-0.5, 0.3)])  # the way that light falls
        self._sun = sun / np.linalg.norm(sun)
        towards = np.einsum("fij,j->fi", self._camera.rotation, -self._sun) + np.array((0, 0, -0.35))
        self._towards = towards / np.linalg.norm(towards, axis=1, keepdims=True)
        self._ambient = float(np.clip(0.85 - 0.5 * spec.lighting * rng.uniform(0.6, 1.2), 0.3, 0.95))
        self._exposure = 1 / (self._ambient + 0.8 * (1 - self._ambient))
        self._shade = float(rng.uniform(0.25, 0.35 + 0.3 * spec.lighting))
        self._softness = float(rng.uniform(0.008, 0.05))

    @cached_property
    def tracks(self) -> dict[int, Track]:
        """The exact truth per subject, by ids from 1: visible, hidden (by anything in front), or outside the image."""
        spec = self.spec
        frames = np.arange(spec.num_frames)
        tracks = {}
        for subject in range(spec.subjects):
            actor = self._actors[subject]
            hidden = actor.turned_away.copy()
            for k, top in enumerate(self._topmost(actor.points).T):
                own = {self._elements.index((subject, part)) for part in actor.body.landmarks[k].parts}
                hidden[:, k] |= (top >= 0) & ~np.isin(top, list(own))
            xy = self.positions[subject]
            inside = ((xy >= 0) & (xy <= (spec.width - 1, spec.height - 1))).all(axis=-1)
            visibility = np.where(inside, np.where(hidden, 1, 2), 0)
            tracks[subject + 1] = Track.labelled(frames, np.concatenate([xy, visibility[..., None]], axis=-1))
        return tracks

    def _topmost(self, points: np.ndarray) -> np.ndarray:
        covers = [
            actor.limbs.cover(points) & np.array([part.opacity >= _OPAQUE for part in actor.body.parts])
            for actor in self._actors
        ] + [thing.cover(points)[..., None] for thing in self._surroundings.occluders]
        cover = np.concatenate(covers, axis=2)
        ordered = np.take_along_axis(cover, self._order[:, None].repeat(points.shape[1], axis=1), axis=2)
        last = ordered.shape[2] - 1 - np.argmax(ordered[..., ::-1], axis=2)
        top = np.take_along_axis(self._order, last, axis=1)
        return np.where(ordered.any(axis=2), top, -1)

    def frames(self) -> Iterator[np.ndarray]:
        """The video, ``(H, W, 3)`` uint8 RGB frame by frame; may be called again."""
        for frame in range(self.spec.num_frames):
            yield self.frame(frame)

    def frame(self, index: int) -> np.ndarray:
        """One frame, ``(H, W, 3)`` uint8 RGB."""
        return self._photograph.take(self._paint(index, None), index)

    def elements(self, index: int) -> np.ndarray:
        """The number of the element that shows at each pixel of a frame.

        Returns:
            ``(H, W)`` int32: -1 for the background, else an index into all bodies' parts, subjects first, then
            occluders.
        """
        shown = np.full((self.spec.height, self.spec.width), -1, dtype=np.int32)
        self._paint(index, shown)
        return shown

    def subject_of(self, element: int) -> int:
        """The track id whose body an element of :meth:`elements` belongs to, 0 for none."""
        if not 0 <= element < len(self._elements):
            return 0
        subject = self._elements[element][0]
        return subject + 1 if subject < self.spec.subjects else 0

    def _paint(self, index: int, shown: np.ndarray | None) -> np.ndarray:
        canvas = self._surroundings.paint(index)
        self._throw_shadows(canvas, index)
        light, bright = self._towards[index] * self._exposure, self._ambient * self._exposure
        for element in self._order[index].tolist():
            if element >= len(self._elements):
                thing = self._surroundings.occluders[element - len(self._elements)]
                if thing.depth[index] < 0.2:
                    continue
                area, opacity = lay(canvas, thing.picture, thing.matrix(index), np.zeros(2)), 1.0
            else:
                number, part = self._elements[element]
                actor = self._actors[number]
                if not actor.limbs.ahead[index, part]:
                    continue
                opacity = actor.body.parts[part].opacity
                surface = actor.body.parts[part].surface
                picture, matrix = limb(actor.limbs, index, part, surface, light, bright, opacity)
                area = lay(canvas, picture, matrix, actor.velocity[index, part])
            if shown is not None and area is not None and opacity >= _OPAQUE:
                rows, columns, cover = area
                shown[rows, columns][cover > 127] = element
        return canvas

    def _throw_shadows(self, canvas: np.ndarray, index: int) -> None:
        for actor in self._actors:
            parts = actor.body.parts
            joints = np.array([part.joint for part in parts])
            ends = np.concatenate([np.array([part.start for part in parts]), np.array([part.end for part in parts])])
            now = Posture(actor.posture.rotations[index : index + 1], actor.posture.origins[index : index + 1])
            points = now.points(np.tile(joints, 2), ends)
            points = points - (points[..., 1:2] / self._sun[1]) * self._sun
            view = self._camera.at(index)
            thrown = view.project(view.see(points))[0].reshape(2, len(parts), 2).swapaxes(0, 1)
            widths = actor.limbs.radius[index].sum(axis=-1) * 0.9
            cast_shadow(canvas, thrown, widths, self._softness, self._shade)
