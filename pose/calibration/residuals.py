"""How far a machine was off on keyframes that were hidden from it: what calibration learns from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from pose.calibration.situation import situation
from pose.track import Track


@dataclass(frozen=True, eq=False)
class Residuals:
    """Points of a video on hidden keyframes, each with its error and what was known of it before.

    A keyframe is what tells something new: the points of one frame are off together, and are not samples of their own.

    Attributes:
        track: ``(N,)`` int64 track number.
        frame: ``(N,)`` int64 frame of the hidden keyframe.
        keypoint: ``(N,)`` int64.
        regime: ``(N,)`` uint8 ``Regime`` in which the machine was.
        gap: ``(N,)`` gap scale with the keyframe hidden, frames.
        raw: ``(N,)`` the machine's ``radius90`` over the subject's size.
        error: ``(N,)`` distance from the label over the subject's size.
    """

    track: np.ndarray
    frame: np.ndarray
    keypoint: np.ndarray
    regime: np.ndarray
    gap: np.ndarray
    raw: np.ndarray
    error: np.ndarray

    def __post_init__(self) -> None:
        count = {name.name: getattr(self, name.name).shape for name in fields(self)}
        if len(set(count.values())) > 1 or self.error.ndim != 1:
            raise ValueError(f"the arrays of residuals are of one length, not {count}")
        for name in ("gap", "raw", "error"):
            values = getattr(self, name)
            if not (np.isfinite(values).all() and (values >= 0).all()):
                raise ValueError(f"{name} of residuals is finite and not negative")

    def __len__(self) -> int:
        return len(self.error)

    @classmethod
    def empty(cls) -> Residuals:
        """Of no point."""
        whole, real = np.zeros(0, dtype=np.int64), np.zeros(0)
        return cls(whole, whole, whole, np.zeros(0, dtype=np.uint8), real, real, real)

    def select(self, rows: np.ndarray) -> Residuals:
        """Those that a boolean mask or positions pick."""
        return Residuals(*(getattr(self, name.name)[rows] for name in fields(self)))

    def keyframes(self) -> tuple[np.ndarray, int]:
        """``(N,)`` which hidden keyframe each belongs to, counted from 0 in order of track and frame; and how many."""
        if not len(self):
            return np.zeros(0, dtype=np.int64), 0
        order = np.lexsort((self.frame, self.track))
        fresh = np.ones(len(order), dtype=bool)
        fresh[1:] = (np.diff(self.track[order]) != 0) | (np.diff(self.frame[order]) != 0)
        number = np.empty(len(order), dtype=np.int64)
        number[order] = np.cumsum(fresh) - 1
        return number, int(fresh.sum())


def concatenate(parts: Sequence[Residuals]) -> Residuals:
    """All of them as one."""
    if not parts:
        return Residuals.empty()
    return Residuals(*(np.concatenate([getattr(part, name.name) for part in parts]) for name in fields(Residuals)))


def compare(number: int, truth: Track, poses: Track, given: Track, diagonal: float) -> Residuals:
    """See how far a machine was off where people know better.

    Args:
        number: Of the track.
        truth: People's labels of it, those that were hidden.
        poses: What the machine made without them; points that it does not have are left out.
        given: The labels that it was given.
        diagonal: Of the image in pixels.

    Raises:
        ValueError: The two are of different skeletons.
    """
    if truth.num_keypoints != poses.num_keypoints:
        raise ValueError(f"the poses have {poses.num_keypoints} keypoints, the labels {truth.num_keypoints}")
    poses = poses.select(np.isin(poses.frames, truth.frames))
    truth = truth.select(np.isin(truth.frames, poses.frames))
    known = situation(poses, given, diagonal)
    distance = np.linalg.norm(poses.xy.astype(np.float64) - truth.xy, axis=-1) / known.size[:, None]
    row, keypoint = np.nonzero(known.machine & (truth.visibility > 0))
    return Residuals(
        track=np.full(len(row), number, dtype=np.int64),
        frame=truth.frames[row],
        keypoint=keypoint.astype(np.int64),
        regime=known.regime[row, keypoint],
        gap=known.gap[row, keypoint],
        raw=known.raw[row, keypoint],
        error=distance[row, keypoint],
    )
