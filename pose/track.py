"""One subject's poses through a video, as arrays: what labels, keyframes and pseudo-labels all are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

#: The arrays of a track beside its frames, all of as many rows.
_FIELDS = ("xy", "visibility", "score", "radius90", "absent")


@dataclass(frozen=True, eq=False)
class Track:
    """Poses of one subject on some frames of a video.

    Frames ascend and do not repeat; they need not be consecutive. Where ``visibility`` is 0 the point is not known:
    ``xy``, ``score`` and ``radius90`` are 0 there. Of such a point a person may have said that it is absent: it is not
    on this frame, wherever it may be on others. A subject is absent where all of its points are.

    Attributes:
        frames: ``(F,)`` int64 frame indices.
        xy: ``(F, K, 2)`` float32 pixels of the displayed frame.
        visibility: ``(F, K)`` uint8: 0 not labelled, 1 labelled but hidden, 2 visible.
        score: ``(F, K)`` float32 probability that the point is within tolerance; 1 for a person's label.
        radius90: ``(F, K)`` float32 pixels that hold the true point 90 % of the time; 0 for a person's label.
        absent: ``(F, K)`` bool, where a person said that the point is absent; nowhere where it is not given.
    """

    frames: np.ndarray
    xy: np.ndarray
    visibility: np.ndarray
    score: np.ndarray
    radius90: np.ndarray
    absent: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def __post_init__(self) -> None:
        shape = self.visibility.shape
        if self.absent.shape == (0,):
            object.__setattr__(self, "absent", np.zeros(shape, dtype=bool))
        if self.frames.shape != shape[:1] or self.xy.shape != (*shape, 2):
            raise ValueError(f"frames {self.frames.shape}, xy {self.xy.shape} and visibility {shape} do not fit")
        if self.score.shape != shape or self.radius90.shape != shape:
            raise ValueError(f"score {self.score.shape} and radius90 {self.radius90.shape} do not fit {shape}")
        if self.absent.shape != shape:
            raise ValueError(f"absent {self.absent.shape} does not fit {shape}")
        if np.any(self.absent & (self.visibility > 0)):
            raise ValueError("a point that is absent is not known")
        if np.any(np.diff(self.frames) <= 0):
            raise ValueError("the frames of a track ascend and do not repeat")

    @classmethod
    def labelled(
        cls, frames: Sequence[int] | np.ndarray, keypoints: np.ndarray, absent: np.ndarray | None = None
    ) -> Track:
        """A person's labels as a track.

        Args:
            frames: ``F`` frame indices in any order, each once.
            keypoints: ``(F, K, 3)`` x, y, visibility.
            absent: ``(F, K)`` bool, which points are absent; their visibility is 0. None where no point is.
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
            absent=np.zeros(known.shape, dtype=bool) if absent is None else np.asarray(absent, dtype=bool)[order],
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

    @property
    def said(self) -> np.ndarray:
        """``(F, K)`` bool, where the point is known or a person said that it is absent."""
        said: np.ndarray = (self.visibility > 0) | self.absent
        return said

    def select(self, rows: np.ndarray) -> Track:
        """The frames that ``rows``, a boolean mask or ascending positions, picks."""
        return Track(self.frames[rows], **{name: getattr(self, name)[rows] for name in _FIELDS})

    def pick(self, points: np.ndarray) -> Track:
        """Only some keypoints, in another order where ``points``, their indices, has them so."""
        return replace(self, **{name: getattr(self, name)[:, points] for name in _FIELDS})

    def spread(self, points: np.ndarray, num_keypoints: int) -> Track:
        """The same keypoints among more, at the indices ``points``; the others are not known."""
        wide = blank(self.frames, num_keypoints)
        for name in _FIELDS:
            getattr(wide, name)[:, points] = getattr(self, name)
        return wide

    def between(self, start: int, stop: int) -> Track:
        """The frames ``start <= frame < stop``."""
        low, high = np.searchsorted(self.frames, (start, stop))
        return self.select(np.arange(low, high))

    def over(self, below: Track) -> Track:
        """This track laid over another: a point known or absent here hides the one below, on the union of frames."""
        frames = np.union1d(self.frames, below.frames)
        merged = blank(frames, self.num_keypoints)
        for layer in (below, self):
            rows = np.searchsorted(frames, layer.frames)[:, None]
            said = layer.said
            row, column = np.broadcast_to(rows, said.shape)[said], np.nonzero(said)[1]
            for name in _FIELDS:
                getattr(merged, name)[row, column] = getattr(layer, name)[said]
        return merged

    def without(self, points: np.ndarray) -> Track:
        """The same with nothing known, and nothing said, of some points ``(F, K)``."""
        if not points.any():
            return self
        values = {name: getattr(self, name).copy() for name in _FIELDS}
        for array in values.values():
            array[points] = 0
        return Track(self.frames, **values)


def blank(frames: np.ndarray, num_keypoints: int) -> Track:
    """A track over ``frames`` on which nothing is known yet, to be filled in."""
    shape = (len(frames), num_keypoints)
    return Track(
        frames=np.asarray(frames, dtype=np.int64),
        xy=np.zeros((*shape, 2), dtype=np.float32),
        visibility=np.zeros(shape, dtype=np.uint8),
        score=np.zeros(shape, dtype=np.float32),
        radius90=np.zeros(shape, dtype=np.float32),
        absent=np.zeros(shape, dtype=bool),
    )


def join(parts: Sequence[Track]) -> Track:
    """Tracks of consecutive spans, in order of time, as one."""
    return Track(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("frames", *_FIELDS)))
