"""A video's timeline in buckets: as much as a picture has room for, however long the video is."""

from __future__ import annotations

from typing import Any

import numpy as np
from msgspec import Struct
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.jobs.params import cuts_of
from app.reviews.survey import Survey, survey
from app.runs import basis as bases
from app.runs import poses
from app.runs.owners import spans
from app.storage import Storage
from app.tables import Job, Run, Video
from pose.damage import ranges_of

#: Keyframes or ranges of a track that are told one by one; where there are more, the flags of the buckets tell of them.
MOST = 2048

KEYFRAME, MACHINE, ABSENT, STALE, ACCEPTED, REJECTED = (1 << bit for bit in range(6))

#: First frame, and the frame after the last.
Range = tuple[int, int]


class Lane(Struct):
    """A track on the timeline.

    ``flags``, ``score`` and ``radius90`` have an entry for each bucket: what is on any of its frames (1 a keyframe, 2 a
    machine's pose, 4 the subject is absent, 8 stale, 16 accepted, 32 rejected), the worst score of a point, and its
    widest radius in pixels, null where a machine says nothing or a person labelled. ``spans`` are the frames on which a
    run's poses are seen, with the run. Lists of keyframes and ranges are null where they are longer than 2048.
    """

    track_id: int
    flags: list[int]
    score: list[float | None]
    radius90: list[float | None]
    keyframes: list[int] | None
    spans: list[tuple[int, int, int]] | None
    accepted: list[Range] | None
    rejected: list[Range] | None
    absent: list[Range] | None
    stale: list[Range] | None


class Timeline(Struct):
    """A stretch of a video in buckets.

    Bucket ``b`` of ``buckets`` has the frames from ``start + b * frames // buckets`` up to that of the next one, where
    ``frames`` is ``stop - start``. ``cuts`` are first frames of shots, as far as runs have looked; ``damaged`` are
    ranges of frames that show another one's picture. ``basis`` names what scores and radii were read by, null where
    they are as engines gave them.
    """

    revision: int
    basis: str | None
    start: int
    stop: int
    buckets: int
    cuts: list[int]
    damaged: list[Range]
    lanes: list[Lane]


def timeline(
    session: Session, storage: Storage, video: Video, *, start: int, stop: int, buckets: int, track: int | None
) -> Timeline:
    """Put the frames ``start <= frame < stop`` of a video, or of one of its tracks, into buckets."""
    count = min(buckets, stop - start)
    edges = start + np.arange(count, dtype=np.int64) * (stop - start) // max(count, 1)
    basis = bases.present(session, storage, video)
    only = None if track is None else [track]
    found = survey(session, storage, video, start=start, stop=stop, only=only, basis=basis)
    return Timeline(
        revision=video.revision,
        basis=None if basis is None else basis.sha256,
        start=start,
        stop=stop,
        buckets=count,
        cuts=[cut for cut in _cuts(session, video) if start <= cut < stop],
        damaged=[(max(a, start), min(b, stop)) for a, b in video.damaged or () if a < stop and b > start],
        lanes=[_lane(number, one, start, edges - start) for number, one in found.items()],
    )


def _lane(number: int, one: Survey, start: int, edges: np.ndarray) -> Lane:
    seen = one.seen & ~one.labelled
    flags = np.zeros(len(seen), dtype=np.int64)
    for flag, mask in (
        (KEYFRAME, one.labelled),
        (MACHINE, seen),
        (ABSENT, one.absent),
        (STALE, one.stale),
        (ACCEPTED, one.accepted),
        (REJECTED, one.rejected),
    ):
        flags[mask] |= flag
    hidden = ~seen
    return Lane(
        track_id=number,
        flags=_reduced(np.bitwise_or, flags, edges).tolist(),
        score=_rounded(_reduced(np.fmin, np.where(hidden, np.nan, one.profile.score), edges), 4),
        radius90=_rounded(_reduced(np.fmax, np.where(hidden, np.nan, one.profile.radius90), edges), 2),
        keyframes=_few((np.flatnonzero(one.labelled) + start).tolist()),
        spans=_few([(a, b, run) for run, a, b in spans(np.where(one.seen, one.profile.runs, 0), start)]),
        accepted=_ranges(one.accepted, start),
        rejected=_ranges(one.rejected, start),
        absent=_ranges(one.absent, start),
        stale=_ranges(one.stale, start),
    )


def _reduced(how: np.ufunc, values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """``(B,)`` of ``(F,)``."""
    return how.reduceat(values, edges) if len(edges) else values[:0]


def _rounded(values: np.ndarray, digits: int) -> list[float | None]:
    """NaN, which JSON does not have, is written as null."""
    rounded: list[float | None] = np.round(values.astype(float), digits).tolist()
    return rounded


def _ranges(mask: np.ndarray, start: int) -> list[Range] | None:
    return _few(list(ranges_of((np.flatnonzero(mask) + start).tolist(), most=MOST + 1)))


def _few(found: list[Any]) -> list[Any] | None:
    return found if len(found) <= MOST else None


def _cuts(session: Session, video: Video) -> list[int]:
    """First frames of shots, as far as the runs that are seen have looked through the video."""
    runs = poses.visible_runs(session, video.id)
    results = session.scalars(select(Job.result).join(Run, Run.job_id == Job.id).where(Run.id.in_(runs)))
    return sorted({frame for result in results for frame in cuts_of(result)})
