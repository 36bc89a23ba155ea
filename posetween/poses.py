"""Poses of a video as arrays, from the block of bytes that the service answers (``GET /videos/{id}/poses``)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_HEADER = struct.Struct("<4s7I")
_MAGIC, _VERSION, _NO_MORE, _HIDDEN = b"PTPW", 1, 2**32 - 1, 8

#: What ``Poses.source`` counts.
NOTHING, HUMAN, ACCEPTED, PSEUDO, STALE, REJECTED, ABSENT = range(7)


@dataclass(frozen=True, eq=False)
class Poses:
    """Poses on the frames ``start <= frame < start + F``: ``T`` tracks, ``K`` keypoints.

    Attributes:
        start: First frame.
        revision: Of the labels.
        tracks: ``(T,)`` int64 ids of the tracks, ascending.
        xy: ``(T, F, K, 2)`` float32 pixels, pixel centres at integers; NaN where nothing is known.
        score: ``(T, F, K)`` float32 probability that the point is within tolerance; 0 where nothing is known.
        radius90: ``(T, F, K)`` float32 pixels that hold the true point 90 % of the time.
        source: ``(T, F, K)`` uint8 who made it: 0 nothing is known, 1 a person, 2 a machine and a person accepted it, 3
            a machine, 4 a machine from labels that do not stand any more, 5 a machine and a person rejected it, 6 it is
            absent, a person says.
        hidden: ``(T, F, K)`` bool: the point is known, and something is before it.
        run: ``(T, F)`` int64 run of a machine's points, 0 for none.
    """

    start: int
    revision: int
    tracks: np.ndarray
    xy: np.ndarray
    score: np.ndarray
    radius90: np.ndarray
    source: np.ndarray
    hidden: np.ndarray
    run: np.ndarray

    @property
    def frames(self) -> np.ndarray:
        """``(F,)`` int64 numbers of the frames."""
        return np.arange(self.start, self.start + self.run.shape[1])


def decode(block: bytes) -> tuple[Poses, int | None]:
    """Read a block; gives the poses and the frame to go on from, None where nothing is missing.

    Raises:
        ValueError: It is none, or of a later layout.
    """
    if len(block) < _HEADER.size or block[:4] != _MAGIC:
        raise ValueError("this is no block of poses")
    _, version, tracks, frames, points, start, more, revision = _HEADER.unpack_from(block)
    counts = (tracks, 2 * tracks * frames, 5 * tracks * frames * points)
    if version != _VERSION or len(block) != _HEADER.size + 4 * sum(counts):
        raise ValueError(f"a block of poses of layout {version} that this client cannot read; it may be too old")
    numbers = np.frombuffer(block, "<u4", counts[0], _HEADER.size)
    by_frame = np.frombuffer(block, "<u4", counts[1], _HEADER.size + 4 * counts[0]).reshape(2, tracks, frames)
    values = np.frombuffer(block, "<f4", counts[2], _HEADER.size + 4 * (counts[0] + counts[1]))
    values = values.reshape(tracks, frames, points, 5)
    said = values[..., 4].astype(np.uint8)
    source = said & (_HIDDEN - 1)
    known = (source != NOTHING) & (source != ABSENT)
    poses = Poses(
        start=start,
        revision=revision,
        tracks=numbers.astype(np.int64),
        xy=np.where(known[..., None], values[..., :2], np.float32(np.nan)),
        score=np.where(known, values[..., 2], np.float32(0)),
        radius90=np.where(known, values[..., 3], np.float32(0)),
        source=source,
        hidden=known & (said & _HIDDEN > 0),
        run=by_frame[0].astype(np.int64),
    )
    return poses, None if more == _NO_MORE else more


def joined(windows: Sequence[Poses]) -> Poses:
    """Windows that follow one another, as one; a track that one of them lacks is not known there.

    Args:
        windows: At least one.
    """
    if len(windows) == 1:
        return windows[0]
    tracks = np.unique(np.concatenate([window.tracks for window in windows]))
    points = windows[0].xy.shape[2]
    frames = sum(window.run.shape[1] for window in windows)
    shape = (len(tracks), frames, points)
    whole = Poses(
        start=windows[0].start,
        revision=windows[-1].revision,
        tracks=tracks,
        xy=np.full((*shape, 2), np.nan, dtype=np.float32),
        score=np.zeros(shape, dtype=np.float32),
        radius90=np.zeros(shape, dtype=np.float32),
        source=np.zeros(shape, dtype=np.uint8),
        hidden=np.zeros(shape, dtype=bool),
        run=np.zeros(shape[:2], dtype=np.int64),
    )
    place = 0
    for window in windows:
        rows, after = np.searchsorted(tracks, window.tracks), place + window.run.shape[1]
        for name in ("xy", "score", "radius90", "source", "hidden", "run"):
            getattr(whole, name)[rows, place:after] = getattr(window, name)
        place = after
    return whole
