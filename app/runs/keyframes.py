"""The labels that a propagation was made from."""

from __future__ import annotations

import numpy as np
from sqlalchemy.orm import Session

from app.labels import history
from app.projects import service as projects
from app.tables import Job, Run, Video
from pose.track import Track


def keyframes_of(session: Session, job: Job, run: Run, video: Video) -> dict[int, Track]:
    """The labels as of a propagation's revision, as far as it uses them, by track."""
    wanted = job.params
    size = projects.skeleton(session, video.project_id, run.skeleton_version).size
    labels = history.read(session, video.id, size, revision=run.label_revision, tracks=wanted["tracks"])
    by_track, nothing = labels.by_track(), Track.empty(size)
    tracks = {number: by_track[number].track(number) if number in by_track else nothing for number in wanted["tracks"]}
    if wanted["keyframes"] is None:
        return tracks
    return {number: track.select(np.isin(track.frames, wanted["keyframes"])) for number, track in tracks.items()}
