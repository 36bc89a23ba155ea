"""One number of each frame of a track, in buckets: what a timeline plots above its lanes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from msgspec import Struct
from sqlalchemy.orm import Session

from app.labels import history
from app.labels.absences import vacancies
from app.projects import service as projects
from app.runs import basis as bases
from app.runs import poses
from app.runs.radii import Radii
from app.storage import Storage
from app.tables import Video

Quantity = Literal["radius90", "speed", "x", "y", "difference"]

#: Frames of which the poses are in memory at a time.
_AT_ONCE = 8192


class Curve(Struct):
    """A quantity of a track in buckets, as those of the timeline.

    ``low`` and ``high`` have an entry for each bucket: its least and its greatest value on any of its frames, null
    where nothing is known.
    """

    quantity: str
    track_id: int
    keypoint: int | None
    start: int
    stop: int
    buckets: int
    low: list[float | None]
    high: list[float | None]


def curve(
    session: Session,
    storage: Storage,
    video: Video,
    *,
    quantity: Quantity,
    track: int,
    keypoint: int | None,
    start: int,
    stop: int,
    buckets: int,
    run: int | None = None,
    against: int | None = None,
) -> Curve:
    """Put a quantity of a track on the frames ``start <= frame < stop`` into buckets.

    Args:
        session: The transaction.
        storage: Where poses are.
        video: Whose track.
        quantity: ``radius90`` of a machine's points, in pixels, as the basis of the video reads it; ``speed`` from the
            frame before, in pixels a frame; ``x`` or ``y`` of a keypoint; ``difference`` of two runs, in pixels.
        track: The track's number.
        keypoint: Of this one; None for the greatest of all that are not retired.
        start: First frame.
        stop: Frame after the last.
        buckets: How many at most.
        run: Of this run, without people's labels; None for what is seen: their labels, and the newest visible run.
        against: The other run of ``difference``.
    """
    whole = projects.skeleton(session, video.project_id)
    points = whole.points if keypoint is None else np.array([keypoint])
    basis = bases.present(session, storage, video) if quantity == "radius90" else None
    radii = None if basis is None else Radii(session, video, basis)
    count = min(buckets, stop - start)
    fields = ("visibility", "radius90" if quantity == "radius90" else "xy")
    # A speed is known on the first frame too where the one before is.
    behind = int(quantity == "speed" and start > 0)
    origin = start - behind
    empty = vacancies(session, video.id, whole.size, start=origin, stop=stop).get(track)

    def places(first: int, last: int, of: int | None) -> tuple[np.ndarray, np.ndarray]:
        runs = poses.visible_runs(session, video.id) if of is None else [of]
        xy, radius = _poses(session, storage, runs, whole.size, track, first, last, fields, radii)
        if empty is not None:
            nowhere = empty[first - origin : last - origin]
            xy[nowhere], radius[nowhere] = np.nan, np.nan
        if of is None:
            _overlay(session, video, whole.size, track, first, xy, radius)
        return xy[:, points], radius[:, points]

    values = np.full(stop - origin, np.nan)
    for first in range(origin, stop, _AT_ONCE):
        last = min(first + _AT_ONCE, stop)
        before = max(first - 1, origin) if quantity == "speed" else first
        xy, radius = places(before, last, run)
        if quantity == "radius90":
            found = radius
        elif quantity == "speed":
            found = np.linalg.norm(np.diff(xy, axis=0, prepend=np.full_like(xy[:1], np.nan)), axis=-1)[first - before :]
        elif quantity == "difference":
            found = np.linalg.norm(xy - places(first, last, against)[0], axis=-1)
        else:
            found = xy[..., "xy".index(quantity)]
        values[first - origin : last - origin] = np.fmax.reduce(found, axis=-1, initial=np.nan)
    values = values[behind:]
    edges = np.arange(count, dtype=np.int64) * (stop - start) // max(count, 1)
    low, high = (how.reduceat(values, edges) if count else values for how in (np.fmin, np.fmax))
    rounded: Sequence[list[float | None]] = [np.round(one, 2).tolist() for one in (low, high)]
    return Curve(quantity, track, keypoint, start, stop, count, *rounded)


def _poses(
    session: Session,
    storage: Storage,
    runs: Sequence[int],
    size: int,
    track: int,
    start: int,
    stop: int,
    fields: Sequence[str],
    radii: Radii | None,
) -> tuple[np.ndarray, np.ndarray]:
    """``(F, K, 2)`` places and ``(F, K)`` radii of a machine's points, NaN where none is known.

    What is not among ``fields`` is of no worth.
    """
    xy = np.full((stop - start, size, 2), np.nan, dtype=np.float32)
    radius = np.full((stop - start, size), np.nan, dtype=np.float32)
    read = poses.read(session, storage, runs, size, start=start, stop=stop, tracks=[track], fields=fields, radii=radii)
    found = read.get(track)
    if found is not None:
        known, rows = found.poses.visibility > 0, found.poses.frames - start
        xy[rows] = np.where(known[..., None], found.poses.xy, np.nan)
        radius[rows] = np.where(known, found.poses.radius90, np.nan)
    return xy, radius


def _overlay(
    session: Session, video: Video, size: int, track: int, start: int, xy: np.ndarray, radius: np.ndarray
) -> None:
    """Put what people said over a machine's points: where they said something, no radius is known."""
    labels = history.read(session, video.id, size, start=start, stop=start + len(xy), tracks=[track])
    rows, said = labels.frames - start, labels.keypoints[..., 2] > 0
    xy[rows] = np.where(said[..., None], labels.keypoints[..., :2], xy[rows])
    radius[rows] = np.where(said, np.nan, radius[rows])
