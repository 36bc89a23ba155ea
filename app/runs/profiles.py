"""How sure a machine is of each frame of a track, at a glance: its least score and its widest radius.

Who draws a whole video, or looks for its worst frames, needs two numbers of each pose and not all of it. They are
worked out of the objects in storage, which never change, and the ones used last are remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from cachetools import LRUCache
from sqlalchemy.orm import Session

from app.runs import poses
from app.storage import Storage
from pose.formats import npy, slab

#: Objects of which the numbers are remembered; those of a slab of eight tracks take 64 KiB.
_MOST = 1024

#: Of one object, by track; None for the only one: ``(2, F)`` float32, least score and widest radius.
_Numbers = Mapping[int | None, np.ndarray]


@dataclass(frozen=True, eq=False)
class Profile:
    """How sure a machine is of a track in a window.

    Attributes:
        runs: ``(F,)`` int64 run whose pose is seen, 0 where there is none.
        score: ``(F,)`` float32 least score of a known point; NaN where none is known.
        radius90: ``(F,)`` float32 widest radius, in pixels; NaN where no point is known.
    """

    runs: np.ndarray
    score: np.ndarray
    radius90: np.ndarray


def profiles(
    session: Session,
    storage: Storage,
    runs: Sequence[int],
    points: np.ndarray,
    *,
    start: int,
    stop: int,
    tracks: Collection[int] | None = None,
) -> dict[int, Profile]:
    """Read the profiles of a window.

    Args:
        session: The transaction.
        storage: Where the poses are.
        runs: Which runs are seen, of one video.
        points: Indices of the keypoints that count.
        start: First frame.
        stop: Frame after the last.
        tracks: Only these tracks; None for all.

    Returns:
        The tracks that have any pose, by number.
    """
    owners, needed = poses.plan(session, runs, start=start, stop=stop, tracks=tracks)
    found = {
        track: Profile(owner, *np.full((2, stop - start), np.nan, dtype=np.float32)) for track, owner in owners.items()
    }
    which = points.astype(np.int64).tobytes()
    with _lock:
        known = {sha256: numbers for sha256 in needed if (numbers := _remembered.get((sha256, which))) is not None}
    for sha256, data in storage.get_all([sha256 for sha256 in needed if sha256 not in known]):
        known[sha256] = _numbers(data, points, packed=needed[sha256][0][0].packed)
        with _lock:
            _remembered[sha256, which] = known[sha256]
    for sha256, wanted in needed.items():
        for part, rows in wanted:
            least_and_widest = known[sha256][part.track if part.packed else None]
            first = part.start // slab.FRAMES * slab.FRAMES if part.packed else part.start
            found[part.track].score[rows], found[part.track].radius90[rows] = least_and_widest[:, rows + start - first]
    return found


def _numbers(data: bytes, points: np.ndarray, *, packed: bool) -> _Numbers:
    if not packed:
        segment = npy.decode(data)
        return {None: _least_and_widest(segment.visibility, segment.score, segment.radius90, points)}
    _, tracks, read = slab.decode_fields(data, ("score", "radius90", "visibility"))
    numbers = _least_and_widest(read["visibility"], read["score"], read["radius90"], points)
    return {track: numbers[:, row] for row, track in enumerate(tracks)}


def _least_and_widest(
    visibility: np.ndarray, score: np.ndarray, radius90: np.ndarray, points: np.ndarray
) -> np.ndarray:
    """``(2, …)`` of arrays ``(…, K)``; a run from before a keypoint was added knows nothing of it."""
    points = points[points < visibility.shape[-1]]
    known = visibility[..., points] > 0
    least = np.where(known, score[..., points], np.inf).min(axis=-1, initial=np.inf)
    widest = np.where(known, radius90[..., points], -np.inf).max(axis=-1, initial=-np.inf)
    nowhere = ~known.any(axis=-1)
    numbers = np.stack([least, widest]).astype(np.float32)
    numbers[:, nowhere] = np.nan
    return numbers


# What was worked out last: the windows of a video are read one after another, by many.
_remembered: LRUCache[tuple[str, bytes], _Numbers] = LRUCache(_MOST)
_lock = Lock()
