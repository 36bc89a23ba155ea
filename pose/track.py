"""One subject's poses through a video, as arrays: what labels, keyframes and pseudo-labels all are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Track:
    """Poses of one subject on some frames of a video.

    Frames ascend and do not repeat; they need not be consecutive. Where ``visibility`` is 0 the point is not known:
    ``xy``, ``score`` and ``radius90`` are 0 there.

    Attributes:
        frames: ``(F,)`` int64 frame indices.
        xy: ``(F, K, 2)`` float32 pixels of the displayed frame.
        visibility: ``(F, K)`` uint8: 0 not labelled, 1 labelled but hidden, 2 visible.
        score: ``(F, K)`` float32 probability that the point is within tolerance; 1 for a person's label.
        radius90: ``(F, K)`` float32 pixels that hold the true point 90 % of the time; 0 for a person's label.
    """

    frames: np.ndarray
    xy: np.ndarray
    visibility: np.ndarray
    score: np.ndarray
    radius90: np.ndarray

    def __post_init__(self) -> None:
        shape = self.visibility.shape
        if self.frames.shape != shape[:1] or self.xy.shape != (*shape, 2):
            raise ValueError(f"frames {self.frames.shape}, xy {self.xy.shape} and visibility {shape} do not fit")
        if self.score.shape != shape or self.radius90.shape != shape:
            raise ValueError(f"score {self.score.shape} and radius90 {self.radius90.shape} do not fit {shape}")
        if np.any(np.diff(self.frames) <= 0):
            raise ValueError("the frames of a track ascend and do not repeat")

    @classmethod
    def labelled(cls, frames: Sequence[int] | np.ndarray, keypoints: np.ndarray) -> Track:
        """A person's labels as a track.

        Args:
            frames: ``F`` frame indices in any order, each once.
            keypoints: ``(F, K, 3)`` x, y, visibility.
        """
        order = np.argsort(np.asarray(frames, dtype=np.int64), kind="stable")
        keypoints = np.asarray(keypoints, dtype=np.float32)[order]
        visibility = keypoints[..., 2].astype(np.uint8)
        known = visibility > 0
        return cls(
            frames=np.asarray(frames, dtype=np.int64)[order],
            xy=np.where(known[..., None], keypoints[..., :2], 0).astype(np.float32),
            visibility=visibility,
            score=known.astype(np.float32),
            radius90=np.zeros(known.shape, dtype=np.float32),
        )

    @classmethod
    def empty(cls, num_keypoints: int) -> Track:
        """A track without frames."""
        return cls.labelled([], np.zeros((0, num_keypoints, 3), dtype=np.float32))

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def num_keypoints(self) -> int:
        """``K``."""
        return int(self.visibility.shape[1])

    def select(self, rows: np.ndarray) -> Track:
        """The frames that ``rows``, a boolean mask or ascending positions, picks."""
        return Track(self.frames[rows], self.xy[rows], self.visibility[rows], self.score[rows], self.radius90[rows])

    def between(self, start: int, stop: int) -> Track:
        """The frames ``start <= frame < stop``."""
        low, high = np.searchsorted(self.frames, (start, stop))
        return self.select(np.arange(low, high))

    def over(self, below: Track) -> Track:
        """This track laid over another: a point known here hides the one below, on the union of their frames."""
        frames = np.union1d(self.frames, below.frames)
        merged = blank(frames, self.num_keypoints)
        for layer in (below, self):
            rows = np.searchsorted(frames, layer.frames)[:, None]
            known = layer.visibility > 0
            row, column = np.broadcast_to(rows, known.shape)[known], np.nonzero(known)[1]
            for name in ("xy", "visibility", "score", "radius90"):
                getattr(merged, name)[row, column] = getattr(layer, name)[known]
        return merged


def blank(frames: np.ndarray, num_keypoints: int) -> Track:
    """A track over ``frames`` on which nothing is known yet, to be filled in."""
    shape = (len(frames), num_keypoints)
    return Track(
        frames=np.asarray(frames, dtype=np.int64),
        xy=np.zeros((*shape, 2), dtype=np.float32),
        visibility=np.zeros(shape, dtype=np.uint8),
        score=np.zeros(shape, dtype=np.float32),
        radius90=np.zeros(shape, dtype=np.float32),
    )


def join(parts: Sequence[Track]) -> Track:
    """Tracks of consecutive spans, in order of time, as one."""
    return Track(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("frames", "xy", "visibility", "score", "radius90")
        )
    )
