"""Views: affine maps from the frame to an estimator's input."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from pose import boxes
from pose.track import Track

#: Boxes are enlarged by this before they are cut out, as the published systems do.
ENLARGED = 1.25

_ROOM = 0.1  # around the keypoints of a pose, as a share of the longer side of their box
_LEAST_ROOM = 8.0  # pixels


@dataclass(frozen=True, eq=False)
class InputView:
    """A map from frame pixels to input pixels; pixel centres are at integers in both.

    Attributes:
        matrix: ``(2, 3)``.
        height: ``H`` of the input.
        width: ``W`` of the input.
    """

    matrix: np.ndarray
    height: int
    width: int

    @property
    def scale(self) -> float:
        """Input pixels per frame pixel."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def to_input(self, xy: np.ndarray) -> np.ndarray:
        """Frame pixels ``(..., 2)`` to input pixels."""
        mapped: np.ndarray = xy @ self.matrix[:, :2].T + self.matrix[:, 2]
        return mapped

    def to_frame(self, xy: np.ndarray) -> np.ndarray:
        """Input pixels ``(..., 2)`` to frame pixels."""
        mapped: np.ndarray = (xy - self.matrix[:, 2]) @ np.linalg.inv(self.matrix[:, :2]).T
        return mapped

    def after(self, scale: np.ndarray, origin: np.ndarray) -> InputView:
        """The view of an image whose pixel ``p`` shows the frame at ``p * scale + origin``."""
        matrix = np.concatenate([self.matrix[:, :2] * scale, self.to_input(origin)[:, None]], axis=1)
        return InputView(matrix, self.height, self.width)

    def cut(self, image: np.ndarray) -> np.ndarray:
        """Cut the view out of an image ``(h, w, 3)`` uint8: ``(H, W, 3)``; black beyond its border."""
        size = (self.width, self.height)
        seen: np.ndarray = cv2.warpAffine(image, self.matrix, size, flags=cv2.INTER_LINEAR)
        return seen


@dataclass(frozen=True)
class ViewChange:
    """The difference of a view from the plain one.

    Attributes:
        angle: Degrees that the picture is turned by.
        scale: How much larger the subject appears.
        shift: By how much it is moved, as shares of the input's width and height.
        mirrored: Whether left and right trade places.
    """

    angle: float = 0.0
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    mirrored: bool = False


def box_of(xy: np.ndarray, visibility: np.ndarray) -> np.ndarray:
    """``(..., 4)`` xywh boxes of poses ``(..., K, 2)``, with the room that a body takes around its keypoints."""
    return boxes.around(xy, visibility, relative=_ROOM, minimum=_LEAST_ROOM)


def boxes_on(track: Track, frames: np.ndarray) -> np.ndarray:
    """``(F, 4)`` boxes of a subject on some frames, linear between those on which its pose is known."""
    known = (track.visibility > 0).any(axis=1)
    box = box_of(track.xy[known], track.visibility[known])
    return np.stack([np.interp(frames, track.frames[known], box[:, side]) for side in range(4)], axis=-1)


def view_of(box: np.ndarray, height: int, width: int, change: ViewChange = ViewChange()) -> InputView:
    """The view of a box, enlarged and filled up to the input's shape.

    Args:
        box: ``(4,)`` xywh in frame pixels.
        height: ``H``.
        width: ``W``.
        change: How it differs from the plain view.
    """
    middle = box[:2] + box[2:] / 2
    scale = change.scale * min(width / max(box[2], 1.0), height / max(box[3], 1.0)) / ENLARGED
    turn = np.deg2rad(change.angle)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    if change.mirrored:
        linear = np.diag([-1.0, 1.0]) @ linear
    target = np.array([(width - 1) / 2, (height - 1) / 2]) + np.array(change.shift) * (width, height)
    return InputView(np.concatenate([linear, (target - linear @ middle)[:, None]], axis=1), height, width)
