"""How sure a machine is of each frame of a track, at a glance: its least score and its widest radius.

Who draws a whole video, or looks for its worst frames, needs two numbers of each pose and not all of it. They are
worked out of the objects in storage, which never change, and the ones used last are remembered.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from cachetools import LRUCache
from sqlalchemy.orm import Session

from app.runs import poses
from app.runs.poses import Part
from app.runs.radii import Radii
from app.storage import Storage

#: Bytes of numbers that are remembered; those of a track in a slab take 8 KiB.
_MOST = 64 * 2**20

_FIELDS = ("score", "radius90", "visibility")


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
    radii: Radii | None = None,
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
        radii: How radii and scores are read; None for those that engines gave.

    Returns:
        The tracks that have any pose, by number.
    """
    owners, needed = poses.plan(session, runs, start=start, stop=stop, tracks=tracks)
    found = {
        track: Profile(owner, *np.full((2, stop - start), np.nan, dtype=np.float32)) for track, owner in owners.items()
    }
    which = points.astype(np.int64).tobytes()
    keys = {part: _key(part, which, radii) for wanted in needed.values() for part, _ in wanted}
    with _lock:
        known = {part: numbers for part, key in keys.items() if (numbers := _remembered.get(key)) is not None}
    missing = {
        sha256: some
        for sha256, wanted in needed.items()
        if (some := list(dict.fromkeys(part for part, _ in wanted if part not in known)))
    }
    for sha256, data in storage.get_all(list(missing)):
        for part, numbers in zip(missing[sha256], _numbers(data, missing[sha256], points, radii), strict=True):
            known[part] = numbers
            with _lock:
                _remembered[keys[part]] = numbers
    for wanted in needed.values():
        for part, rows in wanted:
            here = rows + start - part.start
            found[part.track].score[rows], found[part.track].radius90[rows] = known[part][:, here]
    return found


def _key(part: Part, which: bytes, radii: Radii | None) -> Hashable:
    """All that the numbers of a part depend on."""
    return part.sha256, part.track, part.start, part.stop, which, None if radii is None else radii.key(part.run)


def _numbers(data: bytes, wanted: Sequence[Part], points: np.ndarray, radii: Radii | None) -> Iterator[np.ndarray]:
    """``(2, F)`` float32 least score and widest radius of each of an object's parts."""
    for part, found in poses.parts_of(data, wanted, _FIELDS):
        read = None if radii is None else part.read(radii, found)
        score, radius90 = (found["score"], found["radius90"]) if read is None else (read.score, read.radius90)
        yield _least_and_widest(found["visibility"], score, radius90, points)


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
_remembered: LRUCache[Hashable, np.ndarray] = LRUCache(_MOST, getsizeof=lambda numbers: numbers.nbytes + 256)
_lock = Lock()
