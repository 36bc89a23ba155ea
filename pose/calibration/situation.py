"""What is known of a machine's points before anybody looks: how far their labels are, how sure the engine was."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from pose import boxes
from pose.segments import anchors
from pose.track import Track

#: Subjects are taken to be at least this large, in pixels, as engines take them.
LEAST_SIZE = 16.0

#: Size of a subject of which no label has two points, as a share of the image's diagonal, as engines take it.
LONE_POINT_SIZE = 0.1


class Regime(IntEnum):
    """Situations in which errors are of another kind, so that each is calibrated apart."""

    BETWEEN = 0
    OUTSIDE = 1
    OCCLUDED = 2


@dataclass(frozen=True, eq=False)
class Situation:
    """What is known of each point of a track.

    Attributes:
        machine: ``(F, K)`` bool: a machine gave the point a place and a radius, and no label next to it in time says
            that it is absent, where nobody knows how far it may be there at all. The rest holds nothing of use.
        gap: ``(F, K)`` gap scale, see :func:`gap_scale`.
        raw: ``(F, K)`` the machine's ``radius90`` over the subject's size.
        size: ``(F,)`` the subject's size in pixels.
        regime: ``(F, K)`` uint8 :class:`Regime`.
    """

    machine: np.ndarray
    gap: np.ndarray
    raw: np.ndarray
    size: np.ndarray
    regime: np.ndarray


def gap_scale(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """How far in time a frame is from its labels: the variance of a Brownian bridge between them.

    ``ab / (a + b)`` between labels ``a`` frames before and ``b`` frames after, ``a`` where there is only one. Hiding a
    keyframe doubles its gap, so that errors there tell of other frames only when they are compared at the same scale.

    Args:
        before: Frames since the label before, infinite where there is none.
        after: Frames until the label after, infinite where there is none.
    """
    nearer, farther = np.minimum(before, after), np.maximum(before, after)
    share = np.divide(nearer, farther, out=np.zeros(np.shape(nearer)), where=np.isfinite(farther) & (farther > 0))
    scale: np.ndarray = nearer / (1 + share)
    return scale


def sizes(keyframes: Track, frames: np.ndarray, diagonal: float) -> np.ndarray:
    """A subject's size in pixels on some frames, ``(F,)``: the box diagonal of its labels, interpolated in time.

    Only keyframes with at least half of the points that the fullest one has count, so that a click changes nothing.

    Args:
        keyframes: The subject's labels, ``(L, K)``.
        frames: ``(F,)``.
        diagonal: Of the image in pixels: where no label has two points, the size is a share of it.
    """
    count = (keyframes.visibility > 0).sum(axis=1)
    broad = (count >= 2) & (2 * count >= count.max(initial=0))
    if not broad.any():
        return np.full(len(frames), max(LEAST_SIZE, LONE_POINT_SIZE * diagonal))
    box = boxes.around(keyframes.xy[broad], keyframes.visibility[broad])
    known = np.linalg.norm(box[:, 2:], axis=-1)
    size: np.ndarray = np.maximum(np.interp(frames, keyframes.frames[broad], known), LEAST_SIZE)
    return size


def situation(poses: Track, keyframes: Track, diagonal: float) -> Situation:
    """See what is known of each point of a track.

    Args:
        poses: A machine's, with people's points as they are, ``(F, K)``.
        keyframes: The labels that the poses were made from, ``(L, K)``.
        diagonal: Of the image in pixels.
    """
    rows = anchors(keyframes, poses.frames)
    labelled = keyframes.frames if len(keyframes) else np.zeros(1, dtype=np.int64)
    frame = poses.frames[:, None]
    before = np.where(rows.before >= 0, frame - labelled[rows.before], np.inf)
    after = np.where(rows.after >= 0, labelled[rows.after] - frame, np.inf)
    anchored = np.isfinite(np.minimum(before, after))
    there = (poses.visibility > 0) & (poses.radius90 > 0) & np.isfinite(poses.radius90)
    machine = there & anchored & (np.minimum(before, after) > 0) & ~_leaving(keyframes, poses.frames)
    outside = ~(np.isfinite(before) & np.isfinite(after))
    regime = np.where(outside, Regime.OUTSIDE, np.where(poses.visibility == 1, Regime.OCCLUDED, Regime.BETWEEN))
    size = sizes(keyframes, poses.frames, diagonal)
    return Situation(
        machine=machine,
        gap=np.where(machine, gap_scale(np.where(anchored, before, 1), np.where(anchored, after, 1)), 0),
        raw=np.where(machine, poses.radius90 / size[:, None], 0),
        size=size,
        regime=regime.astype(np.uint8),
    )


def _leaving(keyframes: Track, frames: np.ndarray) -> np.ndarray:
    """``(F, K)`` where a label next to a point in time says that it is absent."""
    leaving = np.zeros((len(frames), keyframes.num_keypoints), dtype=bool)
    for k in np.flatnonzero(keyframes.absent.any(axis=0)):
        rows = np.flatnonzero(keyframes.said[:, k])
        absent, labelled = keyframes.absent[rows, k], keyframes.frames[rows]
        before = np.searchsorted(labelled, frames, side="right") - 1
        after = np.searchsorted(labelled, frames, side="left")
        leaving[:, k] = (before >= 0) & absent[np.maximum(before, 0)]
        leaving[:, k] |= (after < len(rows)) & absent[np.minimum(after, len(rows) - 1)]
    return leaving
