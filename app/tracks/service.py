"""Tracks: the subjects of a video."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.tables import TrackRow, Video
from app.tracks.schemas import TrackOut


def create(session: Session, video: Video, name: str) -> TrackRow:
    """Make a track under the video's next free number."""
    # Locks the video, so that two callers cannot be given the same number.
    session.refresh(video, with_for_update=True)
    highest = session.scalar(select(func.max(TrackRow.number)).where(TrackRow.video_id == video.id))
    track = TrackRow(video_id=video.id, number=(highest or 0) + 1, name=name)
    session.add(track)
    session.flush()
    return track


def ensure(session: Session, video: Video, numbers: Mapping[int, str | None]) -> list[TrackRow]:
    """The tracks with these numbers, made under these names, or under their numbers, where the video has none."""
    rows = {row.number: row for row in of_video(session, video)}
    for number, name in numbers.items():
        if number not in rows:
            rows[number] = TrackRow(video_id=video.id, number=number, name=name or f"track {number}")
            session.add(rows[number])
    session.flush()
    return [rows[number] for number in numbers]


def of_video(session: Session, video: Video) -> list[TrackRow]:
    """A video's tracks in order of their numbers."""
    return list(session.scalars(select(TrackRow).where(TrackRow.video_id == video.id).order_by(TrackRow.number)))


def numbers(session: Session, video: Video) -> set[int]:
    """The numbers of a video's tracks."""
    return set(session.scalars(select(TrackRow.number).where(TrackRow.video_id == video.id)))


def count(session: Session, video: Video) -> int:
    """How many tracks a video has."""
    return session.scalar(select(func.count()).select_from(TrackRow).where(TrackRow.video_id == video.id)) or 0


def show(track: TrackRow) -> TrackOut:
    """A track as the API shows it."""
    return TrackOut(id=track.number, name=track.name, created_at=track.created_at)
