"""The labels that a run was made from."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
from sqlalchemy.orm import Session

from app.jobs.params import FillingParams
from app.labels import history
from app.projects import service as projects
from app.storage import go_on
from app.tables import Job, Run, Video
from pose.track import Track


def keyframes_of(
    session: Session,
    job: Job,
    run: Run,
    video: Video,
    *,
    only: Collection[int] | None = None,
    step: Callable[[], None] = go_on,
) -> dict[int, Track]:
    """The labels as of a run's revision, as far as it uses them, by track; of all its tracks or some.

    ``step`` is called now and then; what it raises ends this.
    """
    filled = FillingParams.of(job.params)
    numbers = [number for number in filled.tracks if only is None or number in only]
    size = projects.skeleton(session, video.project_id, run.skeleton_version).size
    past = run.label_revision
    labels = history.join(
        [
            history.read(session, video.id, size, start=start, stop=stop, revision=past, tracks=numbers)
            for start, stop in history.parts(session, video, step, revision=past)
        ],
        size,
    )
    by_track, nothing = labels.by_track(), Track.empty(size)
    tracks = {}
    for number in numbers:
        step()
        track = by_track[number].track(number) if number in by_track else nothing
        tracks[number] = track.select(used(filled, track.frames))
    return tracks


def used(filled: FillingParams, frames: np.ndarray) -> np.ndarray:
    """``(F,)`` bool: on which of ``(F,)`` frames a run uses labels."""
    return np.ones(len(frames), dtype=bool) if filled.keyframes is None else np.isin(frames, filled.keyframes)
