"""Undoing a revision: a new one that puts back what stood before, where nobody has labelled since."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.labels import history
from app.labels.history import Labels
from app.labels.schemas import Undone
from app.projects import service as projects
from app.tables import Label, LabelRevision, Video


@dataclass(frozen=True, eq=False)
class _Said:
    """What a revision said, and whether it has the last word.

    Attributes:
        frames: ``(L,)``.
        tracks: ``(L,)``.
        points: ``(L, K)`` bool: where it said something.
        last: ``(L, K)`` bool: where nobody has said anything since.
    """

    frames: np.ndarray
    tracks: np.ndarray
    points: np.ndarray
    last: np.ndarray


def undo(session: Session, video: Video, revision: int, *, key_id: int | None) -> Undone:
    """Put back what stood before a revision. The history keeps all of it, so an undo can be undone too.

    A point that was labelled again since stays as the later revision has it.

    Args:
        session: The transaction.
        video: Whose labels.
        revision: What to undo.
        key_id: Who wants it.

    Raises:
        NotFound: The video has no such revision.
        Conflict: All that it said was labelled again since, or undone.
    """
    if session.get(LabelRevision, (video.id, revision)) is None:
        raise NotFound(f"the labels of this video have no revision {revision}")
    present = history.lock(session, video)
    size = projects.skeleton(session, video.project_id).size
    said = _said(session, video.id, revision, size)
    mine = said.points & said.last
    kept = int((said.points & ~said.last).any(axis=1).sum())
    rows = mine.any(axis=1)
    if not rows.any():
        raise Conflict(f"nothing of revision {revision} stands any more: later ones say something about each point")
    before = _before(session, video.id, revision, size, said)
    undone = history.begin(session, video, f"undo {revision}", key_id)
    back = Labels(said.frames[rows], said.tracks[rows], before[rows], np.full(rows.sum(), present))
    history.append(session, video.id, undone, back, mine[rows])
    return Undone(revision=undone, written=int(rows.sum()), kept=kept)


def _said(session: Session, video_id: int, revision: int, size: int) -> _Said:
    rows = session.execute(
        select(Label.frame_index, Label.track_number, Label.revision, Label.changed)
        .where(Label.video_id == video_id, Label.revision >= revision)
        .order_by(Label.revision)
    ).all()
    own = [row for row in rows if row.revision == revision]
    place = {(row.frame_index, row.track_number): index for index, row in enumerate(own)}
    points, since = (np.zeros((len(own), size), dtype=bool) for _ in range(2))
    for row in rows:
        index = place.get((row.frame_index, row.track_number))
        if index is not None:
            changed = np.frombuffer(row.changed, dtype=np.uint8).astype(bool)
            (points if row.revision == revision else since)[index, : len(changed)] |= changed
    return _Said(
        frames=np.array([row.frame_index for row in own], dtype=np.int64),
        tracks=np.array([row.track_number for row in own], dtype=np.int64),
        points=points,
        last=~since,
    )


def _before(session: Session, video_id: int, revision: int, size: int, said: _Said) -> np.ndarray:
    """``(L, K, 3)`` the same labels as they stood before the revision."""
    past = history.read(
        session,
        video_id,
        size,
        start=int(said.frames.min()),
        stop=int(said.frames.max()) + 1,
        revision=revision - 1,
        tracks=[int(number) for number in np.unique(said.tracks)],
    )
    place = {key: index for index, key in enumerate(zip(past.frames, past.tracks, strict=True))}
    before = np.zeros((len(said.frames), size, 3), dtype=np.float32)
    for index, key in enumerate(zip(said.frames, said.tracks, strict=True)):
        if key in place:
            before[index] = past.keypoints[place[key]]
    return before
