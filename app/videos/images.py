"""Frames as image files."""

from __future__ import annotations

from typing import Literal

import cv2
import numpy as np

Format = Literal["jpeg", "png", "webp"]

_ENCODERS: dict[str, tuple[str, list[int]]] = {
    "jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 90]),
    "png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 3]),
    "webp": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 90]),
}
_SMALLEST_STEP = 16

#: What takes no longer to make than to decode.
QUICK = ("jpeg",)


def stepped(width: int) -> int:
    """The width that images have which are asked for with one: a step up, of which there are four in each doubling.

    Were there one for each pixel, a few pages of different size would have every frame made and kept as often.
    """
    step = max(1 << max(width.bit_length() - 3, 0), _SMALLEST_STEP)
    return -(-width // step) * step


def encode(frame: np.ndarray, image_format: Format) -> bytes:
    """A frame, ``(H, W, 3)`` uint8 RGB, as an image file."""
    suffix, options = _ENCODERS[image_format]
    _, data = cv2.imencode(suffix, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), options)
    return data.tobytes()
