"""Looking for a subject that nobody marked: windows of several sizes, and where an estimator is surest."""

from __future__ import annotations

import numpy as np
import torch

from models.estimators.estimator import Estimator
from models.estimators.targets import places
from models.estimators.views import ENLARGED, box_of, view_of
from pose import boxes

_SIZES = (1.0, 0.6, 0.36)  # of windows, as shares of the frame's shorter side
_OVERLAP = 0.5
_ROUNDS = 2  # in which the box is put around what was found
_FOUND = 0.3  # height of heat maps above which a point counts as found
_LEAST_POINTS = 0.3  # share of keypoints that must be found


@torch.inference_mode()
def search(estimator: Estimator, image: np.ndarray, last: np.ndarray | None = None) -> np.ndarray:
    """The box of the subject on a frame.

    Args:
        estimator: Of the subject's skeleton.
        image: ``(H, W, 3)`` uint8 RGB.
        last: ``(4,)`` where it was a while ago; the whole frame is searched if it is not found near there.

    Returns:
        ``(4,)`` xywh in pixels; the whole frame where nothing is found.
    """
    if last is not None:
        near, sure = _refined(estimator, image, last)
        if sure:
            return near
    height, width = image.shape[:2]
    windows = _windows(width, height)
    heights = [_look(estimator, image, box)[1].mean() for box in windows]
    found, sure = _refined(estimator, image, windows[int(np.argmax(heights))])
    return found if sure else np.array([0.0, 0.0, width, height])


def _refined(estimator: Estimator, image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, bool]:
    for _ in range(_ROUNDS):
        xy, peak = _look(estimator, image, box)
        found = peak > _FOUND
        if found.mean() < _LEAST_POINTS:
            return box, False
        box = boxes.clip(box_of(xy, found.astype(np.uint8)), image.shape[1], image.shape[0], least=1.0)
    return box, True


def _look(estimator: Estimator, image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints ``(K, 2)`` in frame pixels and heights, from one frame that takes the place of those around it."""
    config = estimator.config
    view = view_of(box, config.height, config.width)
    seen = torch.from_numpy(view.cut(image)).permute(2, 0, 1).float().to(next(estimator.parameters()).device)
    xy, peak = places(estimator(seen.expand(1, config.frames, *seen.shape)).heatmaps)
    return view.to_frame(xy[0].double().cpu().numpy()), peak[0].float().cpu().numpy()


def _windows(width: int, height: int) -> list[np.ndarray]:
    """Boxes whose views are square windows of several sizes that together cover the frame; first the whole frame."""
    windows = [
        np.array([0.0, 0.0, width, height]) / ENLARGED + np.array([width, height, 0, 0]) * (1 - 1 / ENLARGED) / 2
    ]
    for share in _SIZES:
        side = share * min(width, height)
        columns, rows = (
            1 + int(np.ceil(max(0.0, whole - side) / (side * (1 - _OVERLAP)))) for whole in (width, height)
        )
        for top in np.linspace(0, height - side, rows):
            for left in np.linspace(0, width - side, columns):
                windows.append(boxes.scale(np.array([left, top, side, side]), 1 / ENLARGED))
    return windows
