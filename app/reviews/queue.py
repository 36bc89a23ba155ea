"""What to look at next: the poses that are probably the most wrong.

Until it is known what a label would gain, a pose is as bad as its worst point is unsure. What a person has labelled,
accepted, rejected or said to be absent is not asked for again, nor is a damaged frame. Frames next to each other are
nearly the same, so of a subject there is at most one within five, counting those that were looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.orm import Session

from app.labels import showing, windows
from app.labels.windows import Layered
from app.projects import service as projects
from app.reviews.queue_schemas import Suggestion
from app.reviews.survey import damaged, survey
from app.runs import basis as bases
from app.runs.radii import state_of
from app.storage import Storage
from app.tables import Video
from pose.formats.slab import FRAMES
from pose.skeleton import Skeleton

#: Frames of a subject of which one is suggested.
APART = 5

#: Most suggestions of a video.
MOST = 10_000


@dataclass(frozen=True, order=True)
class Place:
    """A pose in the queue of a video; those that are the most wrong come first."""

    score: float
    frame: int
    track: int


def rank(session: Session, storage: Storage, video: Video) -> list[Place]:
    """Put a video's poses in order, the worst first; one of a subject within ``APART`` frames, ``MOST`` in all."""
    assert video.num_frames is not None
    basis = bases.present(session, storage, video)
    found = survey(session, storage, video, start=0, stop=video.num_frames, basis=basis)
    broken = damaged(video, 0, video.num_frames)
    numbers = sorted(found)
    # Between two tracks lie places that are never open, so that no suggestion reaches into the next track.
    width = video.num_frames + APART
    scores = np.full((len(numbers), width), np.inf, dtype=np.float32)
    looked_at = np.zeros(scores.shape, dtype=bool)
    for row, number in enumerate(numbers):
        one = found[number]
        judged = one.labelled | one.accepted | one.rejected
        open_ = one.seen & ~(judged | broken)
        scores[row, : video.num_frames][open_] = one.profile.score[open_]
        near = np.convolve(judged, np.ones(2 * APART - 1, dtype=np.int64))[APART - 1 : 1 - APART]
        looked_at[row, : video.num_frames] = near > 0
    flat = scores.reshape(-1)
    known = np.flatnonzero(np.isfinite(flat))
    free = bytearray(np.concatenate([~looked_at.reshape(-1), np.ones(APART, dtype=bool)]).tobytes())
    places: list[Place] = []
    for place in known[np.argsort(flat[known], kind="stable")].tolist():
        if free[place]:
            row, frame = divmod(place, width)
            places.append(Place(float(flat[place]), frame, numbers[row]))
            if len(places) == MOST:
                break
            first = max(place - APART + 1, 0)
            free[first : place + APART] = bytes(place + APART - first)
    return sorted(places)


def suggest(session: Session, storage: Storage, video: Video, places: Sequence[Place]) -> list[Suggestion]:
    """Read the poses of some places and say of each why it is one, in their order; those that are gone are left out."""
    whole = projects.skeleton(session, video.project_id)
    basis = bases.present(session, storage, video)
    found: dict[Place, Suggestion] = {}
    for chunk in sorted({place.frame // FRAMES for place in places}):
        here = [place for place in places if place.frame // FRAMES == chunk]
        start, stop = min(place.frame for place in here), max(place.frame for place in here) + 1
        tracks = windows.read(session, storage, video, whole.size, start=start, stop=stop, layer="merged", basis=basis)
        by_number = {track.number: track for track in tracks}
        for place in here:
            track = by_number.get(place.track)
            row = -1 if track is None else int(np.searchsorted(track.poses.frames, place.frame))
            if track is None or row == len(track.poses) or track.poses.frames[row] != place.frame:
                continue
            suggestion = _suggestion(video, track, row, whole)
            if suggestion is not None:
                found[place] = suggestion
    return [found[place] for place in places if place in found]


def _suggestion(video: Video, track: Layered, row: int, skeleton: Skeleton) -> Suggestion | None:
    machine = (track.poses.visibility[row] > 0) & ~track.human[row]
    meant = np.flatnonzero(machine & np.isin(np.arange(skeleton.size), skeleton.points))
    if not len(meant):
        return None
    worst = int(meant[np.argmin(track.poses.score[row, meant])])
    score, radius = float(track.poses.score[row, worst]), float(track.poses.radius90[row, worst])
    name = skeleton.keypoints[worst].replace("_", " ")
    within = f", within {radius:.0f} px" if radius >= 1 else ""
    state, keyframes = state_of(0 if track.rests is None else int(track.rests[row, worst]))
    rests = f" ({state.value}, by {keyframes} hidden labels)" if keyframes else ""
    stale = "; labels beside it have changed since" if track.stale[row].any() else ""
    (pose,) = showing.show([track.select(np.array([row]))])
    return Suggestion(
        video_id=video.id,
        frame_index=int(track.poses.frames[row]),
        track_id=track.number,
        reason=f"{name} is {score:.0%} sure{within}{rests}{stale}",
        predicted_gain=None,
        keypoint=worst,
        score=round(score, 4),
        radius90=round(radius, 2),
        radius90_state=state.value,
        radius90_keyframes=keyframes,
        pose=pose,
    )
