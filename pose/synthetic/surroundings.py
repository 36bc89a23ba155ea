"""The world around the bodies: a backdrop and a ground under a moving camera, things in front and behind, shadows."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pose.synthetic import places
from pose.synthetic.brush import lay
from pose.synthetic.camera import NEAR, Camera
from pose.synthetic.motion import smooth
from pose.synthetic.spec import SceneSpec

_SUPERSAMPLING = 2


@dataclass(frozen=True, eq=False)
class Cutout:
    """A flat thing that always faces the camera.

    Attributes:
        picture: ``(rows, columns, 4)`` uint8, colours multiplied by opacity.
        centre: ``(F, 2)`` pixels.
        scale: ``(F,)`` image pixels per picture pixel.
        depth: ``(F,)`` distance from the camera.
    """

    picture: np.ndarray
    centre: np.ndarray
    scale: np.ndarray
    depth: np.ndarray

    def matrix(self, frame: int) -> np.ndarray:
        """``(2, 3)`` from picture to image pixels."""
        rows, columns = self.picture.shape[:2]
        scale, (x, y) = self.scale[frame], self.centre[frame]
        return np.array([[scale, 0, x - scale * (columns - 1) / 2], [0, scale, y - scale * (rows - 1) / 2]])

    def cover(self, points: np.ndarray) -> np.ndarray:
        """``(F, N)`` bool: whether it covers ``(F, N, 2)`` pixels."""
        rows, columns = self.picture.shape[:2]
        at = (points - self.centre[:, None]) / self.scale[:, None, None] + ((columns - 1) / 2, (rows - 1) / 2)
        x, y = np.moveaxis(np.rint(np.clip(at, -1, max(rows, columns))).astype(int), -1, 0)
        inside = (x >= 0) & (y >= 0) & (x < columns) & (y < rows)
        opaque = self.picture[np.clip(y, 0, rows - 1), np.clip(x, 0, columns - 1), 3] > 127
        covered: np.ndarray = inside & opaque & (self.depth > 4 * NEAR)[:, None]
        return covered


def put(camera: Camera, picture: np.ndarray, place: np.ndarray, width: float) -> Cutout:
    """A thing ``width`` wide with its centre at ``place``, ``(F, 3)``."""
    seen = camera.see(place[:, None])
    depth = seen[:, 0, 2]
    pixels = camera.focal * width / np.maximum(depth, 4 * NEAR)
    shrink = float(pixels.max()) / picture.shape[1]
    if shrink < 1:
        rows, columns = (max(4, round(side * shrink)) for side in picture.shape[:2])
        picture = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
    scale = pixels / picture.shape[1]
    return Cutout(picture, camera.project(seen)[:, 0], scale, depth)


@dataclass(frozen=True, eq=False)
class _Sheet:
    """A plane, painted once as one camera sees it, then warped to what the others see."""

    picture: np.ndarray
    warps: np.ndarray  # (F, 3, 3) from the picture to the frames

    def paint(self, frame: int, size: tuple[int, int]) -> np.ndarray:
        image: np.ndarray = cv2.warpPerspective(self.picture, self.warps[frame], size, borderMode=cv2.BORDER_REFLECT)
        return image


def _sheet(camera: Camera, size: tuple[int, int], picture: np.ndarray, origin: np.ndarray, axes: np.ndarray) -> _Sheet:
    count = len(camera.focal)
    planes = np.stack([camera.plane(frame, origin, *axes) for frame in range(count)])
    base = planes[count // 2]
    width, height = size
    corners = np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]], dtype=float)
    back = base @ np.linalg.inv(planes) @ corners
    seen = back[:, :2] / np.where(np.abs(back[:, 2:]) < 1e-9, 1e-9, back[:, 2:])
    low = np.clip(seen.min(axis=(0, 2)), (-width, -height), 0)
    high = np.clip(seen.max(axis=(0, 2)), size, (2 * width, 2 * height))
    target = np.ceil(high - low).astype(int) + 1
    factor = float(_SUPERSAMPLING)
    grow = np.array([[factor, 0, -factor * low[0]], [0, factor, -factor * low[1]], [0, 0, 1]])
    wide = (int(target[0] * factor), int(target[1] * factor))
    large = cv2.warpPerspective(picture, grow @ base, wide, borderMode=cv2.BORDER_REFLECT)
    baked = cv2.resize(large, (int(target[0]), int(target[1])), interpolation=cv2.INTER_AREA)
    shift = np.array([[1, 0, low[0]], [0, 1, low[1]], [0, 0, 1]])
    return _Sheet(baked, planes @ np.linalg.inv(base) @ shift)


class Surroundings:
    """The surroundings that the camera sees without the bodies.

    Attributes:
        occluders: Things in front, to be painted among the bodies by their depth.
    """

    def __init__(self, spec: SceneSpec, rng: np.random.Generator, camera: Camera, height: float, top: bool) -> None:
        self._size = (spec.width, spec.height)
        self._camera = camera
        self._still = camera.still()
        self._cache: np.ndarray | None = None
        distance = float(np.linalg.norm(camera.place.mean(axis=0)))
        indoors = bool(rng.random() < 0.5)
        self._wall = 0.0
        self._back: _Sheet | None = None
        across = 1.7 * distance if top else float(rng.uniform(3, 6)) * height
        step = across / places.GROUND[0]
        floor = places.arena(rng) if top and (spec.kind == "fly" or rng.random() < 0.7) else places.ground(rng, indoors)
        middle = np.array([-across / 2, 0, across / 2])
        self._floor = _sheet(camera, self._size, floor, middle, np.array([[step, 0, 0], [0, 0, -step]]))
        if not top:
            self._wall = height * float(rng.uniform(1.3, 3.5) if indoors else rng.uniform(4, 14))
            view = 1.3 * spec.width * (self._wall + distance) / float(camera.focal.min())
            tall = max(view * places.BACKDROP[0] / places.BACKDROP[1], 2.2 * height)
            grain = tall / places.BACKDROP[0]
            corner = np.array([-grain * places.BACKDROP[1] / 2, -tall, self._wall])
            axes = np.array([[grain, 0, 0], [0, grain, 0]])
            self._back = _sheet(camera, self._size, places.backdrop(rng, indoors), corner, axes)
        self._behind = [] if top else self._stand_about(spec, rng, camera, height, indoors)
        self.occluders = self._stand_in_front(spec, rng, camera, height, distance, top, indoors)

    def _stand_about(
        self, spec: SceneSpec, rng: np.random.Generator, camera: Camera, height: float, indoors: bool
    ) -> list[Cutout]:
        things = []
        for _ in range(int(rng.integers(0, 2 + round(7 * spec.clutter)))):
            kind = str(
                rng.choice(("box", "box", "pole") if indoors else ("tree", "bush", "bush", "pole", "fence", "box"))
            )
            picture, aspect = places.thing(rng, kind)
            tall = height * {"tree": rng.uniform(1.5, 3.5), "pole": rng.uniform(1.2, 3)}.get(
                kind, rng.uniform(0.3, 0.8)
            )
            away = rng.uniform(0.35, 0.95) * self._wall
            reach = 0.7 * spec.width * (away + abs(camera.place[0, 2])) / camera.focal[0]
            place = np.array([rng.uniform(-reach, reach), -tall / 2, away])
            things.append(put(camera, picture, np.tile(place, (spec.num_frames, 1)), tall / aspect))
        return sorted(things, key=lambda thing: -float(thing.depth[0]))

    def _stand_in_front(
        self,
        spec: SceneSpec,
        rng: np.random.Generator,
        camera: Camera,
        height: float,
        distance: float,
        top: bool,
        indoors: bool,
    ) -> list[Cutout]:
        count = int(rng.binomial(5, 0.7 * spec.occlusion)) + (1 if spec.occlusion > 0 else 0)
        things = []
        for _ in range(count):
            kind = str(rng.choice(("box", "pole") if indoors and not top else ("leaf", "pole", "bush", "box")))
            picture, aspect = places.thing(rng, kind)
            near = rng.uniform(0.12, 0.45) * distance
            moving = rng.random() < 0.5
            wander = smooth(rng, spec.num_frames, 0.5 * spec.num_frames / spec.fps, 2) * (0.3 * height * moving)
            place = np.zeros((spec.num_frames, 3))
            place[:, 0] = rng.uniform(-0.8, 0.8) * height + wander[:, 0]
            size = height * rng.uniform(0.15, 0.5)
            if top:
                place[:, 1] = -near
                place[:, 2] = rng.uniform(-0.8, 0.8) * height + wander[:, 1]
            elif kind == "pole":
                size = 3 * height
                place[:, 1], place[:, 2] = -0.8 * height, -near
            else:
                place[:, 1] = -rng.uniform(0.1, 0.7) * height + 0.4 * wander[:, 1]
                place[:, 2] = -near
            things.append(put(camera, picture, place, size / aspect))
        return things

    def paint(self, frame: int) -> np.ndarray:
        """``(H, W, 3)`` uint8 picture of the place, to be painted on."""
        if self._cache is not None:
            return self._cache.copy()
        floor = self._floor.paint(frame, self._size)
        if self._back is not None:
            image = self._back.paint(frame, self._size)
            seam = np.array([[-1e3, 0, self._wall], [1e3, 0, self._wall]])
            view = self._camera.at(frame)
            left, right = view.project(view.see(seam[None]))[0]
            slope = (right[1] - left[1]) / (right[0] - left[0])
            columns = np.array([-1.0, self._size[0]])
            line = np.clip(left[1] + slope * (columns - left[0]), -1, self._size[1])
            polygon = [
                (columns[0], line[0]),
                (columns[1], line[1]),
                (columns[1], self._size[1]),
                (columns[0], self._size[1]),
            ]
            mask = np.zeros(self._size[::-1], dtype=np.uint8)
            cv2.fillPoly(mask, [np.rint(np.array(polygon) * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
            cv2.copyTo(floor, mask, image)
        else:
            image = floor
        for thing in self._behind:
            if thing.depth[frame] > 4 * NEAR:
                lay(image, thing.picture, thing.matrix(frame), np.zeros(2))
        if self._still:
            self._cache = image.copy()
        return image


def cast_shadow(image: np.ndarray, ends: np.ndarray, widths: np.ndarray, softness: float, strength: float) -> None:
    """Darken the ground where bodies shade it, in place.

    Args:
        image: ``(H, W, 3)`` uint8.
        ends: ``(N, 2, 2)`` pixels of the parts' ends, thrown onto the ground.
        widths: ``(N,)`` pixels.
        softness: Blur as a share of the image height.
        strength: 0 to 1.
    """
    height, width = image.shape[:2]
    factor = max(1, round(height / 100))
    mask = np.zeros((-(-height // factor), -(-width // factor)), dtype=np.uint8)
    points = np.rint(np.clip(ends / factor, -2000, 2000) * 16).astype(int)
    for (first, second), thick in zip(points.tolist(), widths / factor, strict=True):
        cv2.line(mask, first, second, 255, max(1, min(60, round(float(thick)))), cv2.LINE_AA, 4)
    if not mask.any():
        return
    mask = cv2.GaussianBlur(mask, (0, 0), max(0.6, softness * mask.shape[0]))
    light = cv2.resize(
        cv2.convertScaleAbs(mask, alpha=-strength, beta=0), (width, height), interpolation=cv2.INTER_LINEAR
    )
    image[:] = cv2.multiply(image, cv2.cvtColor(255 - light, cv2.COLOR_GRAY2BGR), scale=1 / 255)
