"""Reading all of a video, or of many: in another process where that is much."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from app.apart import Act
from app.dependencies import Reading
from app.keys.service import Caller
from app.storage import Storage
from app.tables import TrackRow, Video

#: Poses that there may be, frames times tracks, up to which it takes some tenths of a second.
MANY = 1_000_000

Answer = TypeVar("Answer")
#: A query that counts poses.
Sized = Select[int]


def of_video(video_id: int) -> Sized:
    """How many poses there may be of a video."""
    return _poses().where(Video.id == video_id)


def of_project(project_id: int) -> Sized:
    """How many poses there may be of a project's videos."""
    return _poses().where(Video.project_id == project_id, Video.deleted_at.is_(None))


def _poses() -> Sized:
    tracks = select(func.count()).where(TrackRow.video_id == Video.id).correlate(Video).scalar_subquery()
    return select(func.coalesce(func.sum(Video.num_frames * tracks), 0))


async def read(reading: Reading, storage: Storage, caller: Caller, poses: Sized, act: Act[Answer]) -> Answer:
    """Do something in a reading transaction, which finds out itself what the caller may see.

    Args:
        reading: How requests read.
        storage: For what is read in this process.
        caller: Who asks.
        poses: How many poses there may be, see ``of_video``.
        act: What to do; it is pickled.
    """
    count: Callable[[Session], int | None] = partial(_count, poses)
    if (await reading(count, caller.lab_id) or 0) > MANY:
        return await reading.apart(act, caller.lab_id)
    return await reading(lambda session: act(session, storage), caller.lab_id, large=True)


def _count(poses: Sized, session: Session) -> int | None:
    return session.scalar(poses)
