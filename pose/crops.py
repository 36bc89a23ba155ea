"""Subject crops: the part of the frame around a subject, at a size at which subjects are alike.

Trackers and networks have a fixed grain (a window of 15 pixels, a patch of 16). Cutting subjects out at one size makes
that grain mean the same on a fly of 80 pixels and on a person who fills a 4K frame, and bounds the cost of a frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pose import boxes


@dataclass(frozen=True)
class Crop:
    """A window of the frame and the size it is scaled to, all in whole pixels.

    Attributes:
        left: First column of the window.
        top: First row of the window.
        width: Columns of the window.
        height: Rows of the window.
        out_width: Columns it is scaled to.
        out_height: Rows it is scaled to.
    """

    left: int
    top: int
    width: int
    height: int
    out_width: int
    out_height: int

    @property
    def scale(self) -> np.ndarray:
        """``(2,)`` crop pixels per frame pixel, x and y."""
        return np.array([self.out_width / self.width, self.out_height / self.height])

    def cut(self, frame: np.ndarray) -> np.ndarray:
        """The crop of a frame ``(H, W)`` or ``(H, W, C)`` uint8, scaled."""
        window = frame[self.top : self.top + self.height, self.left : self.left + self.width]
        if (self.out_width, self.out_height) == (self.width, self.height):
            return np.ascontiguousarray(window)
        smaller = self.out_width * self.out_height < self.width * self.height
        how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
        scaled: np.ndarray = cv2.resize(window, (self.out_width, self.out_height), interpolation=how)
        return scaled

    def to_crop(self, xy: np.ndarray) -> np.ndarray:
        """Frame pixels ``(..., 2)`` to crop pixels; pixel centres are at integers in both."""
        mapped: np.ndarray = (xy - (self.left, self.top) + 0.5) * self.scale - 0.5
        return mapped

    def to_frame(self, xy: np.ndarray) -> np.ndarray:
        """Crop pixels ``(..., 2)`` to frame pixels."""
        mapped: np.ndarray = (xy + 0.5) / self.scale - 0.5 + (self.left, self.top)
        return mapped


def crop_around(
    points: np.ndarray,
    size: float,
    frame_width: int,
    frame_height: int,
    *,
    scaled_size: float,
    margin: float,
    longest: int,
    most_enlarged: float = 2.0,
    also: np.ndarray | None = None,
) -> Crop:
    """A crop that holds some points, scaled so that the subject has a given size.

    Args:
        points: ``(N, 2)`` frame pixels; they may lie outside the frame, the crop does not.
        size: The subject's size in frame pixels.
        frame_width: Pixels.
        frame_height: Pixels.
        scaled_size: The subject's size in crop pixels, unless that makes the crop too large.
        margin: Room on all four sides, as a share of ``size``.
        longest: Largest width and height of the scaled crop.
        most_enlarged: Largest scale; more only invents pixels.
        also: ``(M, 2)`` more points that it holds, with hardly any room around them.
    """
    box = boxes.around(points, np.ones(len(points)), minimum=margin * size)
    if also is not None:
        box = boxes.union(np.stack([box, boxes.around(also, np.ones(len(also)), minimum=1.0)]))
    low, high = boxes.corners(boxes.clip(box, frame_width, frame_height, least=1.0))
    left, top = np.floor(low).astype(int)
    width, height = np.ceil(high).astype(int) - (left, top)
    scale = min(scaled_size / size, longest / max(width, height), most_enlarged)
    return Crop(
        left=int(left),
        top=int(top),
        width=int(width),
        height=int(height),
        out_width=max(1, round(width * scale)),
        out_height=max(1, round(height * scale)),
    )
