"""Cutting a propagation into segments: the unit of resumable work."""

from __future__ import annotations

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
        keyframes: The labels, ``(L, K)``; a label with visibility 0 anchors nothing.
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


def relevant(keyframes: Track, segment: Segment) -> Track:
    """Only the labels that a segment's poses may depend on: each keypoint's neighbours in time.

    Engines are given nothing else, so a segment has to be computed again only when one of these labels changed.

    Returns:
        Labels from the last one at or before ``segment.start`` to the first one at or after ``segment.stop``, by
        keypoint; a frame that keeps no keypoint is left out.
    """
    spans = []
    for k in range(keyframes.num_keypoints):
        rows = np.flatnonzero(keyframes.visibility[:, k])
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
    return Track(
        frames=part.frames,
        xy=np.where(keep[..., None], part.xy, 0),
        visibility=np.where(keep, part.visibility, 0),
        score=np.where(keep, part.score, 0),
        radius90=np.where(keep, part.radius90, 0),
    )
