"""Pictures of the worst frames: what people labelled, and what the estimator found instead."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from models.evaluation.evaluation import Evaluation
from models.evaluation.judged import LabelledPrediction
from pose import boxes
from pose.crops import Crop
from pose.drawing import contact_sheet, draw_pose, subject_scheme
from pose.skeleton import Skeleton
from pose.track import Track

#: Gives frame ``i``, ``(H, W, 3)`` uint8 RGB, of the subject of a name.
Frames = Callable[[str, int], np.ndarray]

_TILE = 280  # pixels of a picture's side
_COLUMNS = 4
_ROOM = 1.4  # times the box of the labels
_PAPER = (250, 250, 248)


def worst_frames(
    evaluation: Evaluation, judged: Sequence[LabelledPrediction], skeleton: Skeleton, frames: Frames
) -> np.ndarray:
    """A sheet of the worst frames: labels filled and blue, the estimator's poses hollow and orange.

    Args:
        evaluation: Names the frames.
        judged: The subjects that it was made from.
        skeleton: Their keypoints.
        frames: The pictures.

    Returns:
        ``(H, W, 3)`` uint8 RGB.
    """
    by_name = {one.name: one for one in judged}
    pictures, captions = [], []
    for bad in evaluation.worst:
        one = by_name[bad.name]
        pictures.append(_tile(frames(bad.name, bad.frame), one, bad.frame, skeleton))
        captions.append(f"{bad.name}, frame {bad.frame}: {100 * bad.error:.1f} %, {bad.keypoint}")
    return contact_sheet(pictures, captions, columns=_COLUMNS)


def _tile(frame: np.ndarray, one: LabelledPrediction, index: int, skeleton: Skeleton) -> np.ndarray:
    """The part of a frame around the labels, at one size, with both poses; paper where it reaches out of the frame."""
    xy, visibility = _pose(one.truth, index)
    box = boxes.around(xy, visibility, minimum=4.0)
    side = _ROOM * float(box[2:].max())
    low, scale = box[:2] + box[2:] / 2 - side / 2, _TILE / side
    height, width = frame.shape[:2]
    first, last = boxes.corners(boxes.clip(np.array([*low, side, side]), width, height, least=1.0))
    left, top = np.floor(first).astype(int).tolist()
    size = np.ceil(last).astype(int) - (left, top)
    out = np.clip(np.rint(size * scale).astype(int), 1, _TILE)
    crop = Crop(left, top, *size.tolist(), *out.tolist())
    at = np.clip(np.rint(((left, top) - low) * scale).astype(int), 0, _TILE - out)
    tile = np.full((_TILE, _TILE, 3), _PAPER, dtype=np.uint8)
    tile[at[1] : at[1] + crop.out_height, at[0] : at[0] + crop.out_width] = crop.cut(frame)
    drawn = draw_pose(tile, crop.to_crop(xy) + at, visibility, skeleton, keyframe=True, scheme=subject_scheme(1))
    xy, visibility = _pose(one.guess, index)
    return draw_pose(drawn, crop.to_crop(xy) + at, visibility, skeleton, scheme=subject_scheme(2))


def _pose(track: Track, index: int) -> tuple[np.ndarray, np.ndarray]:
    """``(K, 2)`` places and ``(K,)`` visibility on a frame; nothing is known on one that the track lacks."""
    row = int(np.searchsorted(track.frames, index))
    if row == len(track) or track.frames[row] != index:
        return np.zeros((track.num_keypoints, 2)), np.zeros(track.num_keypoints, dtype=np.uint8)
    return track.xy[row].astype(np.float64), track.visibility[row]
