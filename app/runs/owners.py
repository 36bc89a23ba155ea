"""Which run's poses are seen of each track and frame: the newest that has any there. No pose is read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.jobs.states import SUCCEEDED
from app.runs import packing
from app.runs.packing import Extent, overlapping
from app.tables import Job, JobSegment, Run


def owners(
    session: Session, runs: Sequence[int], *, start: int, stop: int, tracks: Collection[int] | None = None
) -> dict[int, np.ndarray]:
    """Find whose poses are seen, as ``app.runs.poses.read`` would read them.

    Args:
        session: The transaction.
        runs: Which runs are seen, of one video.
        start: First frame.
        stop: Frame after the last.
        tracks: Only these tracks; None for all.

    Returns:
        By track, of those that any run has: ``(stop - start,)`` int64 run of each frame, 0 where there is none.
    """
    found: dict[int, np.ndarray] = {}
    if not runs or start >= stop:
        return found
    whole = select(Run.id).join(Job, Job.id == Run.job_id).where(Run.id.in_(runs), Job.state == SUCCEEDED)
    complete = set(session.scalars(whole))
    for run_id, extent in packing.extents(session, runs).items():
        wanted = [track for track in extent.tracks if tracks is None or track in tracks]
        spans = _extent(extent, wanted) if run_id in complete else _segments(session, run_id, wanted, start, stop)
        for track, first, last in spans:
            inside = slice(max(first, start) - start, max(min(last, stop) - start, 0))
            owner = found.setdefault(track, np.zeros(stop - start, dtype=np.int64))
            part = owner[inside]
            part[part == 0] = run_id
    return {track: owner for track, owner in found.items() if owner.any()}


def spans(owner: np.ndarray, start: int) -> Iterator[tuple[int, int, int]]:
    """Run, first frame and frame after the last of each stretch that one run owns, in order of frames.

    Args:
        owner: ``(F,)`` run of each frame, 0 where there is none.
        start: Frame of the first.
    """
    edges = np.flatnonzero(np.diff(owner)) + 1
    for first, last in zip([0, *edges.tolist()], [*edges.tolist(), len(owner)], strict=True):
        if first < last and owner[first]:
            yield int(owner[first]), start + first, start + last


def _extent(extent: Extent, tracks: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    return ((track, extent.start, extent.stop) for track in tracks)


def _segments(
    session: Session, run_id: int, tracks: Sequence[int], start: int, stop: int
) -> Iterator[tuple[int, int, int]]:
    """The finished segments of a run that is not complete."""
    query = (
        select(JobSegment.track_number, JobSegment.start, JobSegment.stop)
        .join(Run, Run.job_id == JobSegment.job_id)
        .where(Run.id == run_id, JobSegment.sha256.is_not(None), overlapping(tracks, start, stop))
    )
    return ((track, first, last) for track, first, last in session.execute(query))
