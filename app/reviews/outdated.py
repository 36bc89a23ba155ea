"""Where reviews do not count any more, and why: other poses are seen there, or labels have changed below them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.projects import service as projects
from app.reviews.schemas import Outdated
from app.reviews.standing import Segments
from app.runs import poses
from app.runs.owners import owners, spans
from app.runs.staleness import Grounds
from app.tables import ReviewSpan, Video

_RUN, _LABELS = 1, 2


def outdated(session: Session, video: Video, numbers: Sequence[int]) -> dict[int, list[Outdated]]:
    """Find where some reviews of a video do not count any more, by their numbers."""
    query = select(ReviewSpan).where(ReviewSpan.video_id == video.id, ReviewSpan.number.in_(numbers))
    rows = session.scalars(query.order_by(ReviewSpan.number, ReviewSpan.track_number, ReviewSpan.start)).all()
    if not rows:
        return {}
    start, stop = min(row.start for row in rows), max(row.stop for row in rows)
    tracks = {row.track_number for row in rows}
    seen = owners(session, poses.visible_runs(session, video.id), start=start, stop=stop, tracks=tracks)
    runs = {row.run_id for row in rows}.union(*(np.unique(owner).tolist() for owner in seen.values()))
    segments = Segments(session, tracks, runs, start, stop)
    size = projects.skeleton(session, video.project_id).size
    grounds = Grounds(video, size)
    nobody = np.zeros(stop - start, dtype=np.int64)
    found: dict[int, list[Outdated]] = {}
    for row in rows:
        here = slice(row.start - start, row.stop - start)
        owner = seen.get(row.track_number, nobody)
        why = np.zeros(row.stop - row.start, dtype=np.int64)
        if (owner[here] != row.run_id).any():
            same = (owner == row.run_id) | segments.same(row.track_number, row.run_id, owner)
            why[~same[here]] = _RUN
        for run in np.unique(owner[here][(why == 0) & (owner[here] > 0)]).tolist():
            stale = grounds.stale(session, run)
            frames = np.arange(row.start, row.stop)
            changed = stale.cover(row.track_number, frames, size).any(axis=1)
            why[(why == 0) & (owner[here] == run) & changed] = _LABELS
        found.setdefault(row.number, []).extend(_shown(row, why))
    return found


def _shown(row: ReviewSpan, why: np.ndarray) -> Iterator[Outdated]:
    for reason, first, stop in spans(why, row.start):
        yield Outdated(track_id=row.track_number, start=first, stop=stop, reason="run" if reason == _RUN else "labels")
