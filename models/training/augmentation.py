"""Random changes to clips: the same on all frames of a clip, and the labels move with the picture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from models.estimators.views import ViewChange

_FEWEST_FOR_HALF = 8  # keypoints that must be seen before half of them may be cut out


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """Strengths of augmentation; the defaults of geometry are those that the family of systems shares.

    Args:
        mirrored: Share of clips that are mirrored.
        turned: Share of clips that are turned.
        angle: Deviation of the angle in degrees; at most twice that.
        scale: Deviation of the scale; at most that from 1.
        shift: Largest shift, as a share of the input.
        half: Share of clips of which only half of the body is cut out.
        colour: Share of clips whose brightness, contrast and colours change.
        covered: Share of clips in which something is in front of the subject on some frames.
        blurred: Share of clips in which some frames are blurred.
    """

    mirrored: float = 0.5
    turned: float = 0.6
    angle: float = 25.0
    scale: float = 0.25
    shift: float = 0.05
    half: float = 0.15
    colour: float = 0.5
    covered: float = 0.3
    blurred: float = 0.2

    def change(self, rng: np.random.Generator, *, symmetric: bool) -> ViewChange:
        """Draw the change of a clip's view; only skeletons whose mirrored keypoints are known are mirrored."""
        turned = rng.random() < self.turned
        return ViewChange(
            angle=float(np.clip(rng.normal(0, self.angle), -2 * self.angle, 2 * self.angle)) if turned else 0.0,
            scale=float(np.clip(1 + rng.normal(0, self.scale), 1 - self.scale, 1 + self.scale)),
            shift=(float(rng.uniform(-self.shift, self.shift)), float(rng.uniform(-self.shift, self.shift))),
            mirrored=bool(rng.random() < self.mirrored) and symmetric,
        )

    def half_body(self, rng: np.random.Generator, xy: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Which keypoints ``(K,)`` the box is put around: all that are known, or those of one half of the body.

        A skeleton does not say what its upper half is; ours is the half along the pose's longer side.
        """
        if known.sum() <= _FEWEST_FOR_HALF or rng.random() >= self.half:
            return known
        extent = np.ptp(xy[known], axis=0)
        along = xy[:, int(np.argmax(extent))]
        middle = np.median(along[known])
        side = along <= middle if rng.random() < 0.5 else along >= middle
        chosen: np.ndarray = known & side
        return chosen

    def spoil(self, rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
        """Change colours, cover and blur ``(T, H, W, 3)`` uint8 images."""
        if rng.random() < self.colour:
            images = _recoloured(rng, images)
        if rng.random() < self.covered:
            images = _covered(rng, images)
        if rng.random() < self.blurred:
            images = _blurred(rng, images)
        return images


def _recoloured(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
    gain = rng.uniform(0.7, 1.3) * rng.uniform(0.9, 1.1, 3)
    table = np.clip(np.arange(256)[:, None] * gain + rng.normal(0, 15), 0, 255).astype(np.uint8)
    images = table[images, np.arange(3)]
    if rng.random() < 0.2:
        gray = images.mean(axis=-1, keepdims=True).astype(np.uint8)
        images = np.repeat(gray, 3, axis=-1)
    return images


def _covered(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
    """Boxes with what is elsewhere in the clip on them, at a place of their own on each frame that has them."""
    images, source = images.copy(), images
    length, height, width = images.shape[:3]
    for _ in range(int(rng.integers(1, 4))):
        high, wide = (int(side * rng.uniform(0.08, 0.3)) for side in (height, width))
        from_top, from_left = int(rng.integers(height - high)), int(rng.integers(width - wide))
        patch = source[int(rng.integers(length)), from_top : from_top + high, from_left : from_left + wide]
        if rng.random() < 0.4:
            patch = np.broadcast_to(rng.integers(0, 256, 3, dtype=np.uint8), patch.shape)
        begin, end = rng.uniform(0, 1, (2, 2)) * (height - high, width - wide)
        shown = rng.random(length) < 0.7
        for frame in np.flatnonzero(shown):
            top, left = np.rint(begin + (end - begin) * frame / max(1, length - 1)).astype(int)
            images[frame, top : top + high, left : left + wide] = patch
    return images


def _blurred(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
    """Some frames out of focus or moved while the shutter was open."""
    shown = rng.random(len(images)) < 0.6
    if rng.random() < 0.5:
        sigma = float(rng.uniform(0.5, 2.0))
        return np.stack(
            [
                cv2.GaussianBlur(image, (0, 0), sigma) if blur else image
                for image, blur in zip(images, shown, strict=True)
            ]
        )
    length = int(rng.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    angle, middle = rng.uniform(0, np.pi), (length - 1) / 2
    reach = middle * np.array([np.cos(angle), np.sin(angle)])
    begin, end = (tuple(np.rint(middle + way * reach).astype(int).tolist()) for way in (-1, 1))
    cv2.line(kernel, begin, end, 1.0)
    kernel /= kernel.sum()
    return np.stack(
        [cv2.filter2D(image, -1, kernel) if blur else image for image, blur in zip(images, shown, strict=True)]
    )
