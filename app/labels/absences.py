"""Where people's labels leave no room for a machine's pose."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labels import history
from app.tables import Label
from pose.segments import vacant


def vacancies(
    session: Session,
    video_id: int,
    num_keypoints: int,
    *,
    start: int,
    stop: int,
    revision: int | None = None,
    tracks: Collection[int] | None = None,
) -> dict[int, np.ndarray]:
    """Where points are absent by what people said, see ``pose.segments.vacant``.

    Args:
        session: The transaction.
        video_id: Whose labels.
        num_keypoints: ``K`` of the skeleton to read them in.
        start: First frame.
        stop: Frame after the last.
        revision: The past to read; None for the present.
        tracks: Only these tracks; None for all.

    Returns:
        By track, of the tracks of which something is absent on any frame of the video: ``(stop - start, K)`` bool.
    """
    query = select(Label.track_number).where(Label.video_id == video_id, Label.absent.is_not(None)).distinct()
    numbers = [int(number) for number in session.scalars(query) if tracks is None or number in tracks]
    if not numbers:
        return {}
    labels = history.read(session, video_id, num_keypoints, revision=revision, tracks=numbers)
    frames = np.arange(start, stop, dtype=np.int64)
    return {number: vacant(labels.track(number), frames) for number in numbers}


def absence(points: np.ndarray) -> Literal[True] | list[int]:
    """Absent points ``(K,)`` bool, of which there are some, as the API tells them: ``True`` for the whole subject."""
    return True if points.all() else np.flatnonzero(points).tolist()


def absences(**versions: np.ndarray) -> dict[str, Any]:
    """The absences of each version of a label, for those that have any."""
    return {f"{whose}_absent": absence(points) for whose, points in versions.items() if points.any()}
