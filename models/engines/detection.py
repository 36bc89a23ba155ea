"""Detectors beside a propagation: what they find on the frames of a gap, and several of them as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from models.engines.smoothing import steady
from pose import boxes
from pose.frames import FrameSource
from pose.track import Track


@dataclass(frozen=True, eq=False)
class Detected:
    """Keypoints that a detector found on the frames of a gap.

    Attributes:
        xy: ``(F, K, 2)`` frame pixels.
        mass: ``(F, K)`` how sure it is, 0 to 1; 0 where it found nothing.
    """

    xy: np.ndarray
    mass: np.ndarray


#: Looks for keypoints on the consecutive frames of the last argument: the video, all labels near, and poses without it.
#: None where it has nothing to say, so that the result is as it would be without it.
Detect = Callable[[FrameSource, Track, Track], Detected | None]


def combine(detectors: Sequence[Detect], video: FrameSource, keyframes: Track, poses: Track) -> Detected | None:
    """Combine the results of several detectors: where most of them agree over neighbouring frames, see ``steady``.

    Args:
        detectors: At least one.
        video: The frames.
        keyframes: All labels near; each is believed.
        poses: Of consecutive frames, without detectors.

    Returns:
        None where none of them has anything to say.
    """
    found = [one for detect in detectors if (one := detect(video, keyframes, poses)) is not None]
    if not found:
        return None
    xy = np.stack([one.xy for one in found]).astype(np.float64)
    mass = np.stack([one.mass for one in found]).astype(np.float64)
    labels = keyframes.between(int(poses.frames[0]), int(poses.frames[-1]) + 1)
    row, column = np.nonzero(labels.visibility)
    frame = labels.frames[row] - poses.frames[0]
    xy[:, frame, column], mass[:, frame, column] = labels.xy[row, column], 1.0
    size = np.linalg.norm(boxes.around(poses.xy, poses.visibility)[:, 2:], axis=-1)
    steadied = steady(xy, mass, poses.xy.astype(np.float64), np.maximum(size, 1.0))
    return Detected(steadied, mass.max(axis=0))
