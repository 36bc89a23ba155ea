"""Tracks: the subjects of a video."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.errors import Conflict, invalid
from app.settings import Settings
from app.tables import TrackRevision, TrackRow, Video
from app.tracks.schemas import TrackOut


def create(session: Session, settings: Settings, video: Video, name: str) -> TrackRow:
    """Make a track under the video's next free number; numbers of deleted tracks are not free.

    Raises:
        Invalid: The video has as many as it may.
    """
    # Locks the video, so that two callers cannot be given the same number.
    session.refresh(video, with_for_update=True)
    _check_room(settings, count(session, video) + 1)
    track = TrackRow(video_id=video.id, number=highest(session, video) + 1, name=name, deleted=False)
    session.add(track)
    session.flush()
    return track


def ensure(session: Session, settings: Settings, video: Video, numbers: Mapping[int, str | None]) -> list[TrackRow]:
    """The tracks with these numbers, made under these names, or under their numbers, where the video has none.

    Raises:
        Conflict: One of them is deleted.
        Invalid: The video would have more than it may.
    """
    rows = {row.number: row for row in session.scalars(query(video, deleted=True))}
    gone = [number for number in numbers if number in rows and rows[number].deleted]
    if gone:
        at = session.scalar(
            select(func.max(TrackRevision.revision)).where(
                TrackRevision.video_id == video.id, TrackRevision.number == gone[0]
            )
        )
        raise Conflict(
            f"track {gone[0]} was deleted, and its number stays its own: undo revision {at} to have it back, or give"
            " the labels another track_id"
        )
    _check_room(settings, len(rows.keys() | numbers.keys()))
    for number, name in numbers.items():
        if number not in rows:
            rows[number] = TrackRow(video_id=video.id, number=number, name=name or f"track {number}", deleted=False)
            session.add(rows[number])
    session.flush()
    return [rows[number] for number in numbers]


def highest(session: Session, video: Video) -> int:
    """The highest number that a track of the video has or had; 0 where there was none."""
    return session.scalar(select(func.max(TrackRow.number)).where(TrackRow.video_id == video.id)) or 0


def query(video: Video, *, deleted: bool = False) -> Select[TrackRow]:
    """The query for a video's tracks, with or without those that are deleted."""
    every = select(TrackRow).where(TrackRow.video_id == video.id)
    return every if deleted else every.where(TrackRow.deleted.is_(False))


def of_video(session: Session, video: Video) -> list[TrackRow]:
    """A video's tracks that are not deleted, in order of their numbers."""
    return list(session.scalars(query(video).order_by(TrackRow.number)))


def numbers(session: Session, video: Video) -> set[int]:
    """The numbers of a video's tracks that are not deleted."""
    return set(session.scalars(query(video).with_only_columns(TrackRow.number)))


def count(session: Session, video: Video) -> int:
    """The number of tracks that a video has, with those that are deleted."""
    return session.scalar(select(func.count()).select_from(TrackRow).where(TrackRow.video_id == video.id)) or 0


def _check_room(settings: Settings, wanted: int) -> None:
    if wanted > settings.max_tracks:
        raise invalid(
            "",
            f"a video may have {settings.max_tracks} tracks, deleted ones among them, and with this it would have"
            f" {wanted}; whoever runs this installation can allow more with POSETWEEN_MAX_TRACKS",
        )


def show(track: TrackRow) -> TrackOut:
    """A track as the API shows it."""
    return TrackOut(id=track.number, name=track.name, deleted=track.deleted, created_at=track.created_at)
