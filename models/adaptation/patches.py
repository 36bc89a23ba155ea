"""Patches: squares of one size around a subject, for networks that see frames singly and in any order."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pose.crops import Crop

#: Subjects that are small in the frame are enlarged by at most this factor; more only invents pixels.
MOST_ENLARGED = 4.0


@dataclass(frozen=True)
class Patch:
    """A crop inside a square; where the square reaches beyond the frame, the frame's border is repeated.

    Attributes:
        crop: The part of the frame.
        left: Columns of the square before the crop.
        top: Rows of the square above the crop.
        side: Of the square in pixels.
    """

    crop: Crop
    left: int
    top: int
    side: int

    def cut(self, frame: np.ndarray) -> np.ndarray:
        """The square ``(side, side, 3)`` of a frame ``(H, W, 3)`` uint8."""
        image = self.crop.cut(frame)
        right, bottom = self.side - self.left - image.shape[1], self.side - self.top - image.shape[0]
        square: np.ndarray = cv2.copyMakeBorder(image, self.top, bottom, self.left, right, cv2.BORDER_REPLICATE)
        return square

    def to_patch(self, xy: np.ndarray) -> np.ndarray:
        """Frame pixels ``(..., 2)`` to pixels of the square."""
        corner = np.array([self.left, self.top])
        mapped: np.ndarray = self.crop.to_crop(xy) + corner
        return mapped

    def to_frame(self, xy: np.ndarray) -> np.ndarray:
        """Pixels of the square ``(..., 2)`` to frame pixels."""
        return self.crop.to_frame(xy - np.array([self.left, self.top]))


def patch_around(
    centre: np.ndarray, size: float, frame_width: int, frame_height: int, *, scaled_size: float, side: int
) -> Patch:
    """The patch in whose middle a subject stands.

    Args:
        centre: ``(2,)`` frame pixels; may lie outside the frame, the patch then shows its border.
        size: The subject's size in frame pixels.
        frame_width: Pixels.
        frame_height: Pixels.
        scaled_size: The subject's size in the patch.
        side: Of the patch in pixels.
    """
    scale = min(scaled_size / size, MOST_ENLARGED)
    frame = np.array([frame_width, frame_height])
    low = np.rint(centre + 0.5 - side / scale / 2).astype(int)
    high = low + max(1, round(side / scale))
    begin = np.clip(low, 0, frame - 1)
    end = np.clip(high, begin + 1, frame)
    out = np.clip(np.rint((end - begin) * scale).astype(int), 1, side)
    margin = np.clip(np.rint((begin - low) * scale).astype(int), 0, side - out)
    crop = Crop(*begin.tolist(), *(end - begin).tolist(), *out.tolist())
    return Patch(crop, int(margin[0]), int(margin[1]), side)


def jitter(
    rng: np.random.Generator, image: np.ndarray, xy: np.ndarray, side: int, strength: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Turn, scale and shift a patch; change its light and sharpness; cover a part of it.

    Mirroring is left out: it would swap left and right.

    Args:
        rng: Draws the changes.
        image: ``(S, S, 3)`` uint8, larger than ``side`` so that little border comes into view.
        xy: ``(K, 2)`` pixels of the patch.
        side: Of the result, cut from the middle.
        strength: Of the geometric changes.

    Returns:
        ``(side, side, 3)`` float32 and ``(K, 2)``.
    """
    angle, zoom, *shift = strength * rng.uniform(-1, 1, 4) * (25, 0.2, 0.08 * side, 0.08 * side)
    middle = (image.shape[0] - 1) / 2
    affine = cv2.getRotationMatrix2D((middle, middle), angle, np.exp(zoom))
    affine[:, 2] += (side - 1) / 2 - middle + np.array(shift)
    moved = cv2.warpAffine(image, affine, (side, side), borderMode=cv2.BORDER_REPLICATE)
    changed: np.ndarray = moved.astype(np.float32)
    changed *= rng.uniform(0.8, 1.2, 3 if rng.random() < 0.3 else 1).astype(np.float32)
    changed += np.float32(rng.uniform(-15, 15))
    if rng.random() < 0.3:
        changed = cv2.GaussianBlur(changed, (0, 0), rng.uniform(0.4, 1.5))
    if rng.random() < 0.3:
        extent = int(rng.integers(side // 20, side // 4))
        x, y = rng.integers(0, side - extent, 2)
        changed[y : y + extent, x : x + extent] = rng.uniform(0, 255, 3)
    return changed, xy @ affine[:, :2].T + affine[:, 2]
