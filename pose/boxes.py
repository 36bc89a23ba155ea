"""Boxes around poses: ``(..., 4)`` float arrays x, y, width, height of the top-left corner, in pixels, as in COCO.

A box of no width or no height is empty.
"""

from __future__ import annotations

import numpy as np


def around(xy: np.ndarray, visibility: np.ndarray, *, relative: float = 0.0, minimum: float = 0.0) -> np.ndarray:
    """The box that holds the known points of each pose, widened on all four sides.

    The tight box of one point, or of points on a line, is empty; readers such as mmpose drop an instance with an empty
    box without a word. A positive ``minimum`` keeps it.

    Args:
        xy: ``(..., K, 2)`` pixels; ignored, whatever it holds, where ``visibility`` is 0.
        visibility: ``(..., K)``.
        relative: Padding of each side, as a share of the tight box's longer side.
        minimum: Least padding of each side in pixels.

    Returns:
        ``(..., 4)`` float64; all zeros for a pose without a known point.
    """
    known = (np.asarray(visibility) > 0)[..., None]
    points = np.asarray(xy, dtype=np.float64)
    low = np.where(known, points, np.inf).min(axis=-2, initial=np.inf)
    high = np.where(known, points, -np.inf).max(axis=-2, initial=-np.inf)
    some = known.any(axis=-2)
    low, high = np.where(some, low, 0.0), np.where(some, high, 0.0)
    padding = np.maximum(relative * (high - low).max(axis=-1, keepdims=True), minimum) * some
    return np.concatenate([low - padding, high - low + 2 * padding], axis=-1)


def corners(box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The top-left and the bottom-right corner, ``(..., 2)`` each."""
    box = np.asarray(box, dtype=np.float64)
    return box[..., :2], box[..., :2] + box[..., 2:]


def clip(box: np.ndarray, width: float, height: float, *, least: float = 0.0) -> np.ndarray:
    """The part of each box that lies in an image of ``width`` by ``height`` pixels.

    Args:
        box: ``(..., 4)``.
        width: Right edge of the image; the left one is 0.
        height: Lower edge of the image; the upper one is 0.
        least: Least width and height of what is returned: a box beside the image becomes a strip that wide along the
            border nearest to it. At most the size of the image.
    """
    size = np.array([width, height], dtype=np.float64)
    low, high = corners(box)
    low = np.clip(low, 0.0, size - least)
    high = np.clip(high, low + least, size)
    return np.concatenate([low, high - low], axis=-1)


def scale(box: np.ndarray, factor: float | np.ndarray) -> np.ndarray:
    """Each box grown or shrunk about its centre; ``factor`` broadcasts against the leading axes."""
    box = np.asarray(box, dtype=np.float64)
    size = box[..., 2:] * np.asarray(factor, dtype=np.float64)[..., None]
    return np.concatenate([box[..., :2] + (box[..., 2:] - size) / 2, size], axis=-1)


def union(boxes: np.ndarray) -> np.ndarray:
    """The smallest box that holds all boxes of the last but one axis; empty boxes do not count.

    Args:
        boxes: ``(..., N, 4)``.

    Returns:
        ``(..., 4)``; all zeros where every box is empty.
    """
    low, high = corners(boxes)
    solid = _solid(boxes)
    low = np.where(solid, low, np.inf).min(axis=-2, initial=np.inf)
    high = np.where(solid, high, -np.inf).max(axis=-2, initial=-np.inf)
    some = solid.any(axis=-2)
    low, high = np.where(some, low, 0.0), np.where(some, high, 0.0)
    return np.concatenate([low, high - low], axis=-1)


def _solid(boxes: np.ndarray) -> np.ndarray:
    solid: np.ndarray = np.all(np.asarray(boxes)[..., 2:] > 0, axis=-1, keepdims=True)
    return solid
