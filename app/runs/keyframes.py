"""The labels that a run was made from."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from sqlalchemy.orm import Session

from app.labels import history
from app.projects import service as projects
from app.tables import Job, Run, Video
from pose.track import Track


def keyframes_of(
    session: Session, job: Job, run: Run, video: Video, *, only: Collection[int] | None = None
) -> dict[int, Track]:
    """The labels as of a run's revision, as far as it uses them, by track; of all its tracks or some."""
    numbers = [number for number in job.params["tracks"] if only is None or number in only]
    size = projects.skeleton(session, video.project_id, run.skeleton_version).size
    labels = history.read(session, video.id, size, revision=run.label_revision, tracks=numbers)
    by_track, nothing = labels.by_track(), Track.empty(size)
    tracks = {number: by_track[number].track(number) if number in by_track else nothing for number in numbers}
    return {number: track.select(used(job, track.frames)) for number, track in tracks.items()}


def used(job: Job, frames: np.ndarray) -> np.ndarray:
    """``(F,)`` bool: on which of ``(F,)`` frames a run uses labels."""
    wanted = job.params.get("keyframes")
    return np.ones(len(frames), dtype=bool) if wanted is None else np.isin(frames, wanted)
