"""Reading pseudo-labels: the newest visible run of each track and frame, from the arrays its segments are stored as."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.storage import Storage
from app.tables import JobSegment, Run
from pose.formats import npy
from pose.track import Track, blank


@dataclass(frozen=True, eq=False)
class PseudoLabels:
    """A track's pseudo-labels in a window of frames.

    Attributes:
        poses: The frames some run covers.
        runs: ``(F,)`` int64 run of each frame.
    """

    poses: Track
    runs: np.ndarray


def visible_runs(session: Session, video_id: int) -> list[int]:
    """The runs of a video that are not hidden, newest first."""
    return list(
        session.scalars(select(Run.id).where(Run.video_id == video_id, Run.hidden_at.is_(None)).order_by(Run.id.desc()))
    )


def read(
    session: Session,
    storage: Storage,
    runs: Sequence[int],
    num_keypoints: int,
    *,
    start: int,
    stop: int,
    tracks: Sequence[int] | None = None,
) -> dict[int, PseudoLabels]:
    """Read the pseudo-labels of a window.

    Args:
        session: The transaction.
        storage: Where segments are.
        runs: Which runs to read, of one video; on a frame that several cover the newest counts.
        num_keypoints: ``K`` of the skeleton to read them in.
        start: First frame.
        stop: Frame after the last.
        tracks: Only these tracks; None for all.

    Returns:
        The tracks that have any, by number.
    """
    query = (
        select(Run.id, JobSegment.track_number, JobSegment.start, JobSegment.stop, JobSegment.sha256)
        .join(JobSegment, JobSegment.job_id == Run.job_id)
        .where(Run.id.in_(runs), JobSegment.sha256.is_not(None), JobSegment.start < stop, JobSegment.stop > start)
        .order_by(Run.id.desc(), JobSegment.track_number, JobSegment.start)
    )
    if tracks is not None:
        query = query.where(JobSegment.track_number.in_(tracks))
    window = np.arange(start, stop, dtype=np.int64)
    poses: dict[int, Track] = {}
    owners: dict[int, np.ndarray] = {}
    for run_id, number, first, last, sha256 in session.execute(query):
        owner = owners.setdefault(number, np.zeros(len(window), dtype=np.int64))
        target = poses.setdefault(number, blank(window, num_keypoints))
        rows = np.arange(max(first, start), min(last, stop)) - start
        free = rows[owner[rows] == 0]
        if len(free) and sha256 is not None:
            part = npy.decode(storage.get(sha256))
            known = slice(part.num_keypoints)
            for name in ("xy", "visibility", "score", "radius90"):
                getattr(target, name)[free, known] = getattr(part, name)[free + start - first]
            owner[free] = run_id
    return {
        number: PseudoLabels(target.select(owners[number] > 0), owners[number][owners[number] > 0])
        for number, target in poses.items()
    }
