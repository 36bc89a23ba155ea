"""Counting how much of videos is done, beside the requests that ask for it: reading stays reading."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from typing import Annotated

import anyio
from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import ServiceError
from app.reviews.survey import survey
from app.storage import Storage
from app.tables import Video, VideoShare
from app.turns import Turns
from app.videos import shares
from app.videos.schemas import VideoOut
from app.videos.service import READABLE

log = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
#: Videos that wait to be counted; those that are not among them are asked for again.
_MOST = 2000
# A video that took long rests for so many times as long: somebody may look on while it changes every second.
_REST = 9.0


class Counting:
    """Which videos are to be counted, and when each may be again.

    Args:
        database: Where the rows are.
        storage: Where poses are.
        turns: What counting waits for, as requests do.
    """

    def __init__(self, database: Database, storage: Storage, turns: Turns) -> None:
        self._database = database
        self._storage = storage
        self._turns = turns
        self._lock = threading.Lock()
        self._wanted: dict[int, int] = {}
        self._resting: dict[int, float] = {}

    def want(self, shown: Iterable[VideoOut], lab_id: int) -> None:
        """Have those counted of which somebody was shown old numbers, or none."""
        old = [video.id for video in shown if video.status in READABLE and not (video.share and video.share.current)]
        with self._lock:
            for video_id in old:
                if len(self._wanted) < _MOST:
                    self._wanted.setdefault(video_id, lab_id)

    async def keep_counting(self) -> None:
        """Count whenever there is something to count, one video at a time, taking turns with what requests read."""
        while True:
            place = self._next()
            if place is None:
                await anyio.sleep(_LOOK_SECONDS)
                continue
            video_id, lab_id = place
            try:
                async with self._turns.large.of(lab_id):
                    counted = await run_in_threadpool(self._count, video_id)
                if counted is not None:
                    async with self._turns.writing.of(None):
                        await run_in_threadpool(self._keep, counted)
            except (SQLAlchemyError, ServiceError, OSError):
                log.warning("video %d could not be counted this time", video_id, exc_info=True)

    def _next(self) -> tuple[int, int] | None:
        now = time.monotonic()
        with self._lock:
            self._resting = {video_id: until for video_id, until in self._resting.items() if until > now}
            for video_id, lab_id in self._wanted.items():
                if video_id not in self._resting:
                    del self._wanted[video_id]
                    return video_id, lab_id
        return None

    def _count(self, video_id: int) -> VideoShare | None:
        began = time.monotonic()
        with self._database.session(readonly=True) as session:
            video = session.get(Video, video_id)
            if video is None or video.deleted_at is not None or video.status not in READABLE:
                return None
            # Before the rest: what changes meanwhile is counted again.
            state = shares.states(session, [video_id])[video_id]
            counted = count(session, self._storage, video, state)
        with self._lock:
            ended = time.monotonic()
            self._resting[video_id] = ended + _REST * (ended - began)
        return counted

    def _keep(self, counted: VideoShare) -> None:
        with self._database.session() as session:
            video = session.get(Video, counted.video_id)
            if video is not None and video.deleted_at is None:
                session.merge(counted)


def count(session: Session, storage: Storage, video: Video, state: str) -> VideoShare:
    """Count a video's poses, one for each frame and track.

    Where people said that a subject is absent there is nothing to do, so it counts as labelled.
    """
    assert video.num_frames is not None
    found = survey(session, storage, video, start=0, stop=video.num_frames)
    labelled = reviewed = propagated = 0
    for one in found.values():
        said = one.labelled | one.absent
        accepted = one.accepted & ~said
        labelled += int(said.sum())
        reviewed += int(accepted.sum())
        propagated += int((one.seen & ~said & ~accepted & ~one.rejected).sum())
    return VideoShare(
        video_id=video.id,
        state=state,
        poses=video.num_frames * len(found),
        labelled=labelled,
        reviewed=reviewed,
        propagated=propagated,
    )


async def _counting(request: Request) -> Counting:
    found: Counting = request.app.state.counting
    return found


CountingDep = Annotated[Counting, Depends(_counting)]
