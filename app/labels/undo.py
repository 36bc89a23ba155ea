"""Undoing a revision: a new one that puts back what stood before, where nobody has labelled since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from app.errors import Conflict, NotFound
from app.labels import history
from app.labels.history import Labels
from app.labels.schemas import Undone
from app.projects import service as projects
from app.tables import Label, LabelRevision, TrackRevision, TrackRow, Video
from app.tracks import revisions

#: Labels that an undo looks at to see what has the last word.
MAX_READ = 400_000


@dataclass(frozen=True, eq=False)
class _Said:
    """The statement of a revision, and whether it has the last word.

    Attributes:
        frames: ``(L,)``.
        tracks: ``(L,)``.
        points: ``(L, K)`` bool: where it said something.
        last: ``(L, K)`` bool: where nobody has said anything since, or all that was said is undone.
    """

    frames: np.ndarray
    tracks: np.ndarray
    points: np.ndarray
    last: np.ndarray


def undo(session: Session, video: Video, revision: int, *, key_id: int | None) -> Undone:
    """Put back what stood before a revision. The history keeps all of it, so an undo can be undone too.

    A point that was labelled again since stays as the later revision has it, unless that one is undone too. Of a
    revision that moved whole poses between tracks, all labels of such a frame stay. A track is not deleted by an undo
    as long as it has labels.

    Args:
        session: The transaction.
        video: Whose labels.
        revision: What to undo.
        key_id: Who wants it.

    Raises:
        NotFound: The video has no such revision.
        Conflict: All that it said was labelled again since, or undone; or too much was to look at.
    """
    if session.get(LabelRevision, (video.id, revision)) is None:
        raise NotFound(f"the labels of this video have no revision {revision}")
    present = history.lock(session, video)
    size = projects.skeleton(session, video.project_id).size
    undos = _undos(session, video.id)
    said = _said(session, video.id, revision, size, undos)
    changed = revisions.standing(session, video.id, revision, undos)
    stands = said.last
    if revisions.whole_poses(session, video.id, revision, undos):
        again = said.frames[(said.points & ~stands).any(axis=1)]
        stands = stands & ~np.isin(said.frames, again)[:, None]
    mine = said.points & stands
    rows = mine.any(axis=1)
    if not rows.any() and not changed:
        raise Conflict(f"nothing of revision {revision} stands any more: later ones say something about each point")
    undone = history.begin(session, video, f"undo {revision}", key_id)
    if rows.any():
        before, absent = _before(session, video.id, revision, size, said)
        back = Labels(said.frames[rows], said.tracks[rows], before[rows], np.full(rows.sum(), present), absent[rows])
        history.append(session, video.id, undone, back, mine[rows])
    for row in changed:
        _put_back(session, video, row, undone, size)
    if rows.any():
        _show_labelled(session, video, undone, back)
    kept = int((said.points & ~stands).any(axis=1).sum())
    return Undone(revision=undone, written=int(rows.sum()), kept=kept)


def _show_labelled(session: Session, video: Video, undone: int, labels: Labels) -> None:
    """Bring back the tracks that have labels again: a split that was undone left its track without any."""
    labelled = np.unique(labels.tracks[labels.said.any(axis=1)])
    for number in revisions.deleted(session, video.id) & {*labelled.tolist()}:
        revisions.change(session, session.get_one(TrackRow, (video.id, number)), undone, deleted=False)


def _put_back(session: Session, video: Video, row: TrackRevision, undone: int, size: int) -> None:
    """Make a track what it was before a revision; one that has labels is not deleted."""
    track = session.get_one(TrackRow, (video.id, row.number))
    labels = history.read(session, video.id, size, tracks=[row.number])
    labelled = bool(labels.said.any())
    revisions.change(session, track, undone, name=row.name_before, deleted=row.deleted_before and not labelled)


def _undos(session: Session, video_id: int) -> dict[int, int]:
    """Which revision each undo undid."""
    query = select(LabelRevision.revision, LabelRevision.kind).where(
        LabelRevision.video_id == video_id, LabelRevision.kind.startswith("undo ")
    )
    return {revision: int(kind.removeprefix("undo ")) for revision, kind in session.execute(query)}


def _said(session: Session, video_id: int, revision: int, size: int, undos: Mapping[int, int]) -> _Said:
    columns = select(Label.frame_index, Label.track_number, Label.revision, Label.changed)
    mine = columns.where(Label.video_id == video_id, Label.revision == revision)
    own = session.execute(mine.order_by(Label.frame_index, Label.track_number)).all()
    rows = _around(session, columns, video_id, own, revisions.needed(revision, undos))
    place = {(row.frame_index, row.track_number): index for index, row in enumerate(own)}
    points = np.zeros((len(own), size), dtype=bool)
    # The revision that each point has its word from; an undo gives it back the one it had before.
    words, then = (np.zeros((len(own), size), dtype=np.int64) for _ in range(2))
    before: dict[tuple[int, int], np.ndarray] = {}
    for row in rows:
        index = place.get((row.frame_index, row.track_number))
        if index is None:
            continue
        changed = np.zeros(size, dtype=bool)
        said = np.frombuffer(row.changed, dtype=np.uint8).astype(bool)
        changed[: len(said)] = said[:size]
        # A subject that was absent lacks the keypoints that were added later too, see ``history.read``.
        changed[len(said) :] = said.all()
        before[row.revision, index] = words[index].copy()
        back = before.get((undos.get(row.revision, 0), index))
        words[index] = np.where(changed, row.revision if back is None else back, words[index])
        if row.revision == revision:
            points[index], then[index] = changed, words[index]
    return _Said(
        frames=np.array([row.frame_index for row in own], dtype=np.int64),
        tracks=np.array([row.track_number for row in own], dtype=np.int64),
        points=points,
        last=words == then,
    )


def _around(
    session: Session,
    columns: Select[int, int, int, bytes],
    video_id: int,
    own: Sequence[Row[int, int, int, bytes]],
    since: int,
) -> Sequence[Row[int, int, int, bytes]]:
    """All that was said since a revision of some labels' tracks, on the frames from their first to their last."""
    if not own:
        return []
    later = select(Label.revision).where(Label.video_id == video_id, Label.revision >= since).limit(MAX_READ + 1)
    many = (session.scalar(select(func.count()).select_from(later.subquery())) or 0) > MAX_READ
    query = (
        # Of a sum no database knows an index: where much was written since, frames are what to look for.
        columns.where(Label.video_id == video_id, (Label.revision + 0 if many else Label.revision) >= since)
        .where(Label.frame_index.between(own[0].frame_index, own[-1].frame_index))
        .where(Label.track_number.in_({row.track_number for row in own}))
    )
    rows = sorted(session.execute(query.limit(MAX_READ + 1)), key=lambda row: row.revision)
    if len(rows) > MAX_READ:
        raise Conflict(
            f"more than {MAX_READ} labels were written since to the tracks of this revision, on the frames that it"
            " touches, and an undo looks at no more of them: undo later revisions first, or label again"
        )
    return rows


def _before(session: Session, video_id: int, revision: int, size: int, said: _Said) -> tuple[np.ndarray, np.ndarray]:
    """``(L, K, 3)`` and ``(L, K)`` the same labels, and which points were absent, as it stood before the revision."""
    past = history.read_places(session, video_id, size, said.frames, said.tracks, revision=revision - 1)
    place = {key: index for index, key in enumerate(zip(past.frames, past.tracks, strict=True))}
    before = np.zeros((len(said.frames), size, 3), dtype=np.float32)
    absent = np.zeros(before.shape[:2], dtype=bool)
    for index, key in enumerate(zip(said.frames, said.tracks, strict=True)):
        if key in place:
            before[index], absent[index] = past.keypoints[place[key]], past.absent[place[key]]
    return before, absent
