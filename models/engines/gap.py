"""Gaps: the frames between labels, with the labels around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pose.crops import Crop, crop_around
from pose.segments import Segment, anchors, plan
from pose.track import Track, blank

#: Subjects are taken to be at least this large, in pixels: less is not a size but a label or two that fell together.
LEAST_SIZE = 16.0

#: Size of a subject of which one keypoint is labelled, as a share of the image's diagonal.
LONE_POINT_SIZE = 0.1


@dataclass(frozen=True, eq=False)
class Gap:
    """A run of frames with no label inside, except on its first frame, and each keypoint's labels around it.

    Attributes:
        frames: ``(F,)`` consecutive frame indices.
        before: ``(K,)`` frame of the last label at or before the first frame; meaningless where ``has_before`` is not.
        after: ``(K,)`` frame of the first label at or after the last frame; meaningless where ``has_after`` is not.
        has_before: ``(K,)`` whether there is one.
        has_after: ``(K,)`` whether there is one.
        begin: ``(K, 2)`` place of the label before; that of the label after where there is none before.
        end: ``(K, 2)`` place of the label after; that of the label before where there is none after.
        visibility_begin: ``(K,)`` COCO visibility of the label at ``begin``.
        visibility_end: ``(K,)`` COCO visibility of the label at ``end``.
        subject: ``(N, 2)`` places of the subject's keypoints on the nearest frames, before and after, on which most of
            them are labelled: what the subject's size, and cut-outs, go by, so that a label of one keypoint alone
            changes neither.
        size: The subject's size in pixels, the mean box diagonal of those frames.
    """

    frames: np.ndarray
    before: np.ndarray
    after: np.ndarray
    has_before: np.ndarray
    has_after: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    visibility_begin: np.ndarray
    visibility_end: np.ndarray
    subject: np.ndarray
    size: float

    @property
    def known(self) -> np.ndarray:
        """``(K,)`` keypoints that have a label before or after."""
        known: np.ndarray = self.has_before | self.has_after
        return known

    @property
    def labels(self) -> np.ndarray:
        """``(N, 2)`` places of all labels around the gap."""
        return np.concatenate([self.begin[self.known], self.end[self.known]])

    @property
    def closed(self) -> np.ndarray:
        """``(K,)`` keypoints that have a label before and a label after."""
        closed: np.ndarray = self.has_before & self.has_after
        return closed

    @property
    def steps_before(self) -> np.ndarray:
        """``(F, K)`` frames since the label before, infinite where there is none."""
        return np.where(self.has_before, self.frames[:, None] - self.before, np.inf)

    @property
    def steps_after(self) -> np.ndarray:
        """``(F, K)`` frames until the label after, infinite where there is none."""
        return np.where(self.has_after, self.after - self.frames[:, None], np.inf)

    @property
    def steps(self) -> np.ndarray:
        """``(F, K)`` frames to the nearer label; 0 where there is no label at all."""
        return np.where(self.known, np.minimum(self.steps_before, self.steps_after), 0)

    @property
    def elapsed(self) -> np.ndarray:
        """``(F, K)`` share of the time from the label before to the label after, 0 to 1; 0 unless closed."""
        length = np.where(self.closed, self.after - self.before, 0)
        since = np.where(self.closed, self.frames[:, None] - self.before, 0)
        share: np.ndarray = np.divide(since, length, out=np.zeros(since.shape), where=length > 0)
        return share

    def interpolate(self) -> np.ndarray:
        """``(F, K, 2)`` linear interpolation in time, held constant where a label is on one side only."""
        elapsed = self.elapsed[..., None]
        places: np.ndarray = self.begin * (1 - elapsed) + self.end * elapsed
        return places

    def poses(self, xy: np.ndarray, score: np.ndarray, radius90: np.ndarray, keyframes: Track) -> Track:
        """Wrap up what an engine made of the gap, with the labels laid over it untouched.

        Args:
            xy: ``(F, K, 2)``.
            score: ``(F, K)``.
            radius90: ``(F, K)``.
            keyframes: The labels.
        """
        track = blank(self.frames, len(self.before))
        known = self.known
        nearer_begin = self.steps_before <= self.steps_after
        track.visibility[:] = np.where(nearer_begin, self.visibility_begin, self.visibility_end) * known
        track.xy[:] = np.where(known[:, None], xy, 0)
        track.score[:] = score * known
        track.radius90[:] = radius90 * known
        labels = keyframes.between(int(self.frames[0]), int(self.frames[-1]) + 1)
        row, column = np.nonzero(labels.visibility)
        frame = labels.frames[row] - self.frames[0]
        track.xy[frame, column] = labels.xy[row, column]
        track.visibility[frame, column] = labels.visibility[row, column]
        track.score[frame, column] = 1
        track.radius90[frame, column] = 0
        return track


def crop_of(gap: Gap, width: int, height: int, *, scaled_size: float, longest: int, margin: float = 0.4) -> Crop:
    """The part of the image around a gap's subject, see ``pose.crops.crop_around``.

    Args:
        gap: With the subject.
        width: Of the image in pixels.
        height: Of the image in pixels.
        scaled_size: The subject's size in crop pixels.
        longest: Largest side of the crop in its pixels.
        margin: Room on all four sides, as a share of the subject's size.
    """
    return crop_around(
        gap.subject, gap.size, width, height, scaled_size=scaled_size, margin=margin, longest=longest, also=gap.labels
    )


def gaps(keyframes: Track, segment: Segment, width: int, height: int) -> Iterator[Gap]:
    """The gaps of a segment, in order of time; one, unless the segment has keyframes inside.

    Args:
        keyframes: The labels of one subject.
        segment: The frames to cut up.
        width: Of the image in pixels.
        height: Of the image in pixels.
    """
    for piece in plan(keyframes, segment.start, segment.stop, longest=max(1, len(segment))):
        yield _gap(keyframes, piece, float(np.hypot(width, height)))


def _gap(keyframes: Track, piece: Segment, image_diagonal: float) -> Gap:
    frames = piece.frames
    rows = anchors(keyframes, frames[-1:])
    before, after = rows.before[0], rows.after[0]
    has_before, has_after = before >= 0, after >= 0
    if not len(keyframes):
        keyframes = Track.labelled([0], np.zeros((1, keyframes.num_keypoints, 3)))
    k = np.arange(keyframes.num_keypoints)
    used = np.zeros(keyframes.visibility.shape, dtype=bool)
    used[before[has_before], k[has_before]] = True
    used[after[has_after], k[has_after]] = True
    subject, size = _subject(keyframes, used, piece, image_diagonal)
    begin_row, end_row = np.where(has_before, before, after), np.where(has_after, after, before)
    begin, end = keyframes.xy[begin_row, k].astype(np.float64), keyframes.xy[end_row, k].astype(np.float64)
    return Gap(
        frames=frames,
        before=keyframes.frames[before],
        after=keyframes.frames[after],
        has_before=has_before,
        has_after=has_after,
        begin=begin,
        end=end,
        visibility_begin=keyframes.visibility[begin_row, k],
        visibility_end=keyframes.visibility[end_row, k],
        subject=subject,
        size=size,
    )


def _subject(keyframes: Track, labelled: np.ndarray, piece: Segment, diagonal: float) -> tuple[np.ndarray, float]:
    count = labelled.sum(axis=1)
    broad = np.flatnonzero(2 * count >= max(1, count.max()))
    left = np.searchsorted(keyframes.frames[broad], piece.start, side="right") - 1
    right = np.searchsorted(keyframes.frames[broad], piece.stop - 1, side="left")
    rows = np.unique(broad[[row for row in (left, right) if 0 <= row < len(broad)]])
    if not len(rows):
        return np.zeros((0, 2)), max(LEAST_SIZE, LONE_POINT_SIZE * diagonal)
    places = [keyframes.xy[row, labelled[row]].astype(np.float64) for row in rows]
    diagonals = [np.linalg.norm(np.ptp(points, axis=0)) for points in places if len(points) > 1]
    size = float(np.mean(diagonals)) if diagonals else LONE_POINT_SIZE * diagonal
    return np.concatenate(places), max(LEAST_SIZE, size)
