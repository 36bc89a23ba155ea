"""A window of poses as one block of bytes: what a page draws, without a word of JSON to take apart.

All numbers are little-endian, and all offsets multiples of four:

| bytes | type | |
|---|---|---|
| 0 | 4 bytes | ``PTPW`` |
| 4 | uint32 | version of this layout, 1 |
| 8 | uint32 | ``T``, tracks |
| 12 | uint32 | ``F``, frames |
| 16 | uint32 | ``K``, keypoints of the skeleton |
| 20 | uint32 | first frame |
| 24 | uint32 | frame to go on from where the window was cut short, else 2³² - 1 |
| 28 | uint32 | revision of the labels |
| 32 | uint32 ``(T)`` | ids of the tracks |
| | uint32 ``(T, F)`` | run of each pose, 0 where there is none |
| | uint32 ``(T, F)`` | revision of a person's label, 0 where there is none |
| | float32 ``(T, F, K, 5)`` | x, y, score, radius90, source |
| | uint32 ``(T, F, K)`` | only with ``states``: what radius and score rest on |

``source`` says who made the point: 0 nothing is known there, 1 a person, 2 a machine and a person accepted it, 3 a
machine, 4 a machine from labels that do not stand any more, 5 a machine and a person rejected it, 6 it is absent, a
person says. 8 is added where the point is hidden.

What radius and score rest on is, in its lower two bits, 0 for ``prior``, 1 for ``provisional`` and 2 for
``calibrated``; the other bits count the labels of the video that were hidden from the engine and are behind it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from app.labels.windows import Layered

MAGIC, VERSION = b"PTPW", 1
HUMAN, ACCEPTED, PSEUDO, STALE, REJECTED, ABSENT = range(1, 7)
HIDDEN = 8
NO_MORE = 2**32 - 1

_HEADER = struct.Struct("<4s7I")


def encode(
    tracks: Sequence[Layered],
    num_keypoints: int,
    *,
    start: int,
    stop: int,
    next_start: int | None,
    revision: int,
    states: bool = False,
) -> bytes:
    """Write the poses of the frames ``start <= frame < stop``, with a row for each frame and track."""
    frames = stop - start
    numbers = np.array([track.number for track in tracks], dtype="<u4")
    runs, revisions = np.zeros((2, len(tracks), frames), dtype="<u4")
    points = np.zeros((len(tracks), frames, num_keypoints, 5), dtype="<f4")
    for index, track in enumerate(tracks):
        rows, poses = track.poses.frames - start, track.poses
        runs[index, rows], revisions[index, rows] = track.runs, track.revisions
        mine = points[index]
        mine[rows, :, :2] = poses.xy
        mine[rows, :, 2], mine[rows, :, 3] = poses.score, poses.radius90
        mine[rows, :, 4] = _sources(track)
    header = _HEADER.pack(
        MAGIC,
        VERSION,
        len(tracks),
        frames,
        num_keypoints,
        start,
        NO_MORE if next_start is None else next_start,
        revision,
    )
    block = [header, numbers.tobytes(), runs.tobytes(), revisions.tobytes(), points.tobytes()]
    if states:
        block.append(_rests(tracks, num_keypoints, start, frames).tobytes())
    return b"".join(block)


def _rests(tracks: Sequence[Layered], num_keypoints: int, start: int, frames: int) -> np.ndarray:
    """``(T, F, K)`` uint32."""
    rests = np.zeros((len(tracks), frames, num_keypoints), dtype="<u4")
    for index, track in enumerate(tracks):
        if track.rests is not None:
            rests[index, track.poses.frames - start] = track.rests
    return rests


def _sources(track: Layered) -> np.ndarray:
    """``(F, K)`` float32."""
    known = track.poses.visibility > 0
    source = np.where(known, PSEUDO, 0).astype(np.float32)
    for mask, code in (
        (track.stale, STALE),
        (track.accepted, ACCEPTED),
        (track.rejected, REJECTED),
        (track.human & known, HUMAN),
        (track.poses.absent, ABSENT),
    ):
        source[mask] = code
    source[track.poses.visibility == 1] += HIDDEN
    return source
