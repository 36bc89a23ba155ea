"""Revisions of tracks themselves: a rename, a deletion and a creation by a split are part of a revision of labels."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.tables import LabelRevision, TrackRevision, TrackRow

RENAME, DELETE, SWAP, MERGE, SPLIT = "rename track", "delete track", "swap tracks", "merge track", "split track"


def change(
    session: Session,
    track: TrackRow,
    revision: int,
    *,
    name: str | None = None,
    deleted: bool | None = None,
    made: bool = False,
) -> None:
    """Change a track, and write down in which revision.

    Args:
        session: The transaction that opened the revision.
        track: What to change.
        revision: That revision.
        name: Its new name; None to keep it.
        deleted: Whether it is deleted from now on; None to leave that.
        made: Whether the revision made the track: before, there was none.
    """
    before = track.name, track.deleted or made
    track.name = track.name if name is None else name
    track.deleted = track.deleted if deleted is None else deleted
    session.add(
        TrackRevision(
            video_id=track.video_id,
            number=track.number,
            revision=revision,
            name=track.name,
            deleted=track.deleted,
            name_before=before[0],
            deleted_before=before[1],
        )
    )


def needed(revision: int, undos: Mapping[int, int]) -> int:
    """The first revision that has to be looked at to tell what of another one still stands.

    Args:
        revision: The one in question.
        undos: Which revision each undo undid.
    """
    first = revision
    for number, undone in sorted(undos.items(), reverse=True):
        if number >= first:
            first = min(first, undone)
    return first


def standing(session: Session, video_id: int, revision: int, undos: Mapping[int, int]) -> list[TrackRevision]:
    """The changes of tracks by a revision that no later one has changed, unless that one is undone."""
    rows = session.scalars(
        select(TrackRevision)
        .where(TrackRevision.video_id == video_id, TrackRevision.revision >= needed(revision, undos))
        .order_by(TrackRevision.revision)
    ).all()
    words: dict[int, int] = {}
    before: dict[tuple[int, int], int] = {}
    then: dict[int, tuple[int, TrackRevision]] = {}
    for row in rows:
        before[row.revision, row.number] = words.get(row.number, 0)
        words[row.number] = before.get((undos.get(row.revision, 0), row.number), row.revision)
        if row.revision == revision:
            then[row.number] = words[row.number], row
    return [row for number, (word, row) in then.items() if words[number] == word]


def deleted(session: Session, video_id: int, revision: int | None = None) -> set[int]:
    """The numbers of the tracks that are deleted, or were as of a revision.

    A track that a later split made counts as one.
    """
    numbers = set(
        session.scalars(select(TrackRow.number).where(TrackRow.video_id == video_id, TrackRow.deleted.is_(True)))
    )
    if revision is None:
        return numbers
    later = session.scalars(
        select(TrackRevision)
        .where(TrackRevision.video_id == video_id, TrackRevision.revision > revision)
        .order_by(TrackRevision.revision.desc())
    )
    for row in later:
        (numbers.add if row.deleted_before else numbers.discard)(row.number)
    return numbers


def whole_poses(session: Session, video_id: int, revision: int, undos: Mapping[int, int]) -> bool:
    """Return whether a revision moved whole poses between tracks, or is the undo of one that did.

    Where part of such a frame was labelled again, the frame cannot be put back in part: the pose would be made up of
    two subjects.
    """
    while revision in undos:
        revision = undos[revision]
    kind = session.scalars(
        select(LabelRevision.kind).where(LabelRevision.video_id == video_id, LabelRevision.revision == revision)
    ).one()
    return kind.startswith((DELETE, SWAP, MERGE, SPLIT))
