"""Cutting a propagation into segments: the unit of resumable work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pose.track import Track

#: Longer gaps between keyframes are cut into windows of this many frames, so that a killed worker loses little.
MAX_SEGMENT_FRAMES = 512


@dataclass(frozen=True, order=True)
class Segment:
    """Frames ``start <= frame < stop`` of one track, from one keyframe up to the next.

    A keyframe belongs to the segment that it begins, so the segments of a track share no frame and leave none out.
    """

    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def canonical(self) -> str:
        """Its text in the digests that stored segments are found by; never changes, whatever becomes of this class."""
        return f"Segment(start={self.start}, stop={self.stop})"

    @property
    def frames(self) -> np.ndarray:
        """``(F,)`` int64 frame indices."""
        return np.arange(self.start, self.stop, dtype=np.int64)


def plan(keyframes: Track, start: int, stop: int, longest: int = MAX_SEGMENT_FRAMES) -> list[Segment]:
    """Cut the frames ``start <= frame < stop`` at the keyframes, and long gaps into windows of at most ``longest``."""
    cuts = sorted({start, stop, *(int(frame) for frame in keyframes.frames if start < frame < stop)})
    return [
        Segment(begin, min(begin + longest, gap_stop))
        for gap_start, gap_stop in pairwise(cuts)
        for begin in range(gap_start, gap_stop, longest)
    ]


@dataclass(frozen=True, eq=False)
class Anchors:
    """For each frame of a span and each keypoint, the labels next to it in time: every keypoint has its own.

    Attributes:
        before: ``(F, K)`` row in the keyframes of the last label at or before the frame, -1 where there is none.
        after: ``(F, K)`` row of the first label at or after the frame, -1 where there is none.
    """

    before: np.ndarray
    after: np.ndarray


def anchors(keyframes: Track, frames: np.ndarray) -> Anchors:
    """Find each keypoint's neighbouring labels in time.

    Args:
        keyframes: The labels, ``(L, K)``; a label with visibility 0 anchors nothing, be the point absent or not.
        frames: ``(F,)`` ascending frame indices.
    """
    before = np.full((len(frames), keyframes.num_keypoints), -1, dtype=np.int64)
    after = before.copy()
    for k in range(keyframes.num_keypoints):
        rows = np.flatnonzero(keyframes.visibility[:, k])
        if not len(rows):
            continue
        labelled = keyframes.frames[rows]
        left = np.searchsorted(labelled, frames, side="right") - 1
        right = np.searchsorted(labelled, frames, side="left")
        before[:, k] = np.where(left >= 0, rows[left], -1)
        after[:, k] = np.where(right < len(rows), rows[np.minimum(right, len(rows) - 1)], -1)
    return Anchors(before, after)


def vacant(keyframes: Track, frames: np.ndarray) -> np.ndarray:
    """Where labels leave no room for a pose: ``(F, K)`` bool.

    That is on a frame on which a point is absent; from one such frame to the next, where no label of a pose lies
    between; and before the first label or after the last one, where that is an absence.

    Args:
        keyframes: The labels, ``(L, K)``.
        frames: ``(F,)`` ascending frame indices.
    """
    empty = np.zeros((len(frames), keyframes.num_keypoints), dtype=bool)
    for k in np.flatnonzero(keyframes.absent.any(axis=0)):
        rows = np.flatnonzero(keyframes.said[:, k])
        labelled = keyframes.frames[rows]
        # Beyond the labels nothing speaks against what the label at the end says.
        absent = keyframes.absent[rows, k]
        left = np.searchsorted(labelled, frames, side="right") - 1
        right = np.searchsorted(labelled, frames, side="left")
        empty[:, k] = absent[np.maximum(left, 0)] & absent[np.minimum(right, len(rows) - 1)]
    return empty


def relevant(keyframes: Track, segment: Segment) -> Track:
    """Only the labels that a segment's poses may depend on: each keypoint's neighbours in time.

    Engines are given nothing else, so a segment has to be computed again only when one of these labels changed. That a
    point is absent is a label as its place is one: nothing beyond it matters.

    Returns:
        Labels from the last one at or before ``segment.start`` to the first one at or after ``segment.stop``, by
        keypoint; a frame that keeps no keypoint is left out.
    """
    spans, said = [], keyframes.said
    for k in range(keyframes.num_keypoints):
        rows = np.flatnonzero(said[:, k])
        labelled = keyframes.frames[rows]
        first = max(int(np.searchsorted(labelled, segment.start, side="right")) - 1, 0)
        last = int(np.searchsorted(labelled, segment.stop, side="left")) + 1
        spans.append(rows[first:last])
    # Of many labels few are near, and only those are looked at further.
    near = np.unique(np.concatenate([np.zeros(0, dtype=np.int64), *spans]))
    part = keyframes.select(near)
    keep = np.zeros(part.visibility.shape, dtype=bool)
    for k, rows in enumerate(spans):
        keep[np.searchsorted(near, rows), k] = True
    return part.without(~keep)


def reach(
    keyframes: Track, changes: Sequence[np.ndarray], *, start: int, stop: int, cuts: np.ndarray
) -> list[np.ndarray]:
    """The frames whose poses depend on some labels: from the label before up to the one after, within a shot.

    Args:
        keyframes: The labels, ``(L, K)``.
        changes: For each of ``K`` keypoints the labelled frames in question, ascending.
        start: First frame that has a pose.
        stop: Frame after the last.
        cuts: ``(C,)`` first frames of shots, ascending; nothing is carried across one.

    Returns:
        For each keypoint ``(S, 2)`` int64 first frames and frames after the last, ascending and apart.
    """
    spans = []
    for k, frames in enumerate(changes):
        labelled = keyframes.frames[keyframes.said[:, k]]
        begin = np.maximum.reduce([_before(labelled + 1, frames), _before(cuts, frames), np.full(len(frames), start)])
        end = np.minimum.reduce([_after(labelled, frames), _after(cuts, frames), np.full(len(frames), stop)])
        spans.append(_united(begin[begin < end], end[begin < end]))
    return spans


def _before(edges: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """The last of ascending edges up to each frame, where there is none a number below all."""
    return np.concatenate([[-1], edges])[np.searchsorted(edges, frames, side="right")]


def _after(edges: np.ndarray, frames: np.ndarray) -> np.ndarray:
    """The first of ascending edges after each frame, where there is none a number above all."""
    return np.concatenate([edges, [np.iinfo(np.int64).max]])[np.searchsorted(edges, frames, side="right")]


def _united(begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Ascending spans, those that meet as one."""
    furthest = np.maximum.accumulate(end)
    fresh = np.ones(len(begin), dtype=bool)
    fresh[1:] = begin[1:] > furthest[:-1]
    starts = np.flatnonzero(fresh)
    return np.stack([begin[starts], np.maximum.reduceat(end, starts) if len(starts) else end], axis=1)
