"""Random changes to training clips that keep the truth true."""

from __future__ import annotations

import cv2
import numpy as np


def augment(
    rng: np.random.Generator, images: np.ndarray, xy: np.ndarray, visibility: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Change a clip's geometry, colours and quality, and move things in front of it.

    Args:
        rng: Draws the changes.
        images: ``(T, H, W, 3)`` uint8 RGB.
        xy: ``(T, K, 2)`` pixels.
        visibility: ``(T, K)``.

    Returns:
        All three, changed; points behind a new thing become hidden.
    """
    images, xy = _turn(rng, images, xy)
    images = np.ascontiguousarray(_recolour(rng, images))
    if rng.random() < 0.3:
        visibility = _occlude(rng, images, xy, visibility)
    return _spoil(rng, images), xy, visibility


def _turn(rng: np.random.Generator, images: np.ndarray, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    if rng.random() < 0.5:
        images = images[:, :, ::-1]
        xy = np.stack([images.shape[2] - 1 - xy[..., 0], xy[..., 1]], axis=-1)
    if rng.random() < 0.15:
        images = images[:, ::-1]
        xy = np.stack([xy[..., 0], images.shape[1] - 1 - xy[..., 1]], axis=-1)
    if rng.random() < 0.2:
        images, xy = images.transpose(0, 2, 1, 3), xy[..., ::-1]
    return images, xy


def _recolour(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
    if rng.random() < 0.1:
        images = 255 - images
    if rng.random() < 0.25:
        images = images[..., rng.permutation(3)]
    if rng.random() < 0.2:
        gray = images.mean(axis=-1, keepdims=True).astype(np.uint8)
        images = np.repeat(gray, 3, axis=-1)
    return images


def _occlude(rng: np.random.Generator, images: np.ndarray, xy: np.ndarray, visibility: np.ndarray) -> np.ndarray:
    """Ellipses cut from elsewhere in the clip, or of one colour, cross the picture; changes ``images`` in place."""
    visibility = visibility.copy()
    length, height, width = images.shape[:3]
    extent = np.array([width, height])
    for _ in range(int(rng.integers(1, 3))):
        source = images[int(rng.integers(length))].copy()
        if rng.random() < 0.4:
            source[:] = rng.integers(0, 256, 3, dtype=np.uint8)
        source = np.roll(source, tuple(rng.integers(0, extent)[::-1]), axis=(0, 1))
        axes = np.maximum(3, rng.uniform(0.05, 0.2, 2) * extent.mean()).astype(int).tolist()
        begin, tilt = rng.uniform(0, 1, 2) * extent, float(rng.uniform(0, 180))
        end = begin + rng.normal(0, 0.4, 2) * extent * (rng.random() < 0.75)
        for t, share in enumerate(np.linspace(0, 1, length)):
            mask = np.zeros((height, width), dtype=np.uint8)
            centre = np.rint(begin + share * (end - begin)).astype(int).tolist()
            cv2.ellipse(mask, centre, axes, tilt, 0, 360, 1, -1)
            images[t][mask > 0] = source[mask > 0]
            place = np.rint(xy[t]).astype(int)
            inside = ((place >= 0) & (place < extent)).all(axis=-1)
            place = place.clip(0, extent - 1)
            covered = inside & (mask[place[:, 1], place[:, 0]] > 0)
            visibility[t, covered & (visibility[t] == 2)] = 1
    return visibility


def _spoil(rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
    length = len(images)
    if rng.random() < 0.25:
        sigma = rng.uniform(0.4, 1.5)
        images = np.stack([cv2.GaussianBlur(image, (0, 0), sigma) if rng.random() < 0.7 else image for image in images])
    if rng.random() < 0.3:
        gain = np.clip(1 + np.cumsum(rng.normal(0, 0.04, length)), 0.6, 1.5)[:, None, None, None]
        images = np.clip(images * gain + rng.normal(0, 10), 0, 255).astype(np.uint8)
    if rng.random() < 0.2:
        grain = rng.normal(0, rng.uniform(2, 10), images.shape).astype(np.float32)
        images = np.clip(images + grain, 0, 255).astype(np.uint8)
    if rng.random() < 0.25:
        quality = (cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 70)))
        images = np.stack(
            [np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, quality)[1], cv2.IMREAD_COLOR)) for image in images]
        )
    return images
