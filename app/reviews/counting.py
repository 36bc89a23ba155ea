"""Counting how much of videos is done, beside the requests that ask for it: reading stays reading."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from functools import partial
from typing import Annotated

import anyio
from fastapi import Depends, Request
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.orm import Session

from app.apart import Act, Apart
from app.database import Database
from app.reviews.reading import MANY, of_video
from app.reviews.survey import survey
from app.storage import Storage
from app.tables import Video, VideoShare
from app.tracks import service as tracks
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
# One that could not be counted rests for so long: what is the matter with it does not pass in a moment.
_REST_SECONDS = 60.0


class Counting:
    """Which videos are to be counted, and when each may be again.

    Args:
        database: Where the rows are.
        storage: Where poses are.
        turns: What counting waits for, as requests do.
        apart: Where long videos are counted.
    """

    def __init__(self, database: Database, storage: Storage, turns: Turns, apart: Apart) -> None:
        self._database = database
        self._storage = storage
        self._turns = turns
        self._apart = apart
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
            began = time.monotonic()
            try:
                counted = await self._counted(video_id, lab_id)
                rest = _REST * (time.monotonic() - began)
                if counted is not None:
                    async with self._turns.writing.of(None):
                        await run_in_threadpool(self._keep, counted)
            except Exception:  # whatever is wrong with one video, the others are counted
                log.warning("video %d could not be counted this time", video_id, exc_info=True)
                rest = _REST_SECONDS
            with self._lock:
                self._resting[video_id] = time.monotonic() + rest

    async def _counted(self, video_id: int, lab_id: int) -> VideoShare | None:
        act = partial(look, video_id)
        poses = await run_in_threadpool(self._uncounted, video_id)
        if poses is None:
            return None
        if poses > MANY:
            return await self._apart(act, lab_id)
        async with self._turns.large.of(lab_id):
            return await run_in_threadpool(self._here, act)

    def _uncounted(self, video_id: int) -> int | None:
        """How many poses to look at; None where it was counted as it is, while somebody still saw old numbers."""
        with self._database.session(readonly=True) as session:
            kept = shares.known(session, [video_id]).get(video_id)
            return None if kept is not None and kept.current else session.scalar(of_video(video_id)) or 0

    def _here(self, act: Act[VideoShare | None]) -> VideoShare | None:
        with self._database.session(readonly=True) as session:
            return act(session, self._storage)

    def _next(self) -> tuple[int, int] | None:
        now = time.monotonic()
        with self._lock:
            self._resting = {video_id: until for video_id, until in self._resting.items() if until > now}
            for video_id, lab_id in self._wanted.items():
                if video_id not in self._resting:
                    del self._wanted[video_id]
                    return video_id, lab_id
        return None

    def _keep(self, counted: VideoShare) -> None:
        with self._database.session() as session:
            video = session.get(Video, counted.video_id)
            if video is not None and video.deleted_at is None:
                session.merge(counted)


def look(video_id: int, session: Session, storage: Storage) -> VideoShare | None:
    """Count a video as it is now; None where there is none that can be read."""
    video = session.get(Video, video_id)
    if video is None or video.deleted_at is not None or video.status not in READABLE:
        return None
    # Before the rest: what changes meanwhile is counted again.
    state = shares.states(session, [video_id])[video_id]
    return count(session, storage, video, state)


def count(session: Session, storage: Storage, video: Video, state: str) -> VideoShare:
    """Count a video's poses, one for each frame and track.

    Where people said that a subject is absent there is nothing to do, so it counts as labelled. Some tracks are looked
    at at a time: a look takes some tens of bytes for each pose.
    """
    assert video.num_frames is not None
    numbers = sorted(tracks.numbers(session, video))
    labelled = reviewed = propagated = 0
    at_once = max(1, MANY // max(1, video.num_frames))
    for first in range(0, len(numbers), at_once):
        some = numbers[first : first + at_once]
        found = survey(session, storage, video, start=0, stop=video.num_frames, only=some)
        for one in found.values():
            said = one.labelled | one.absent
            accepted = one.accepted & ~said
            labelled += int(said.sum())
            reviewed += int(accepted.sum())
            propagated += int((one.seen & ~said & ~accepted & ~one.rejected).sum())
    return VideoShare(
        video_id=video.id,
        state=state,
        poses=video.num_frames * len(numbers),
        labelled=labelled,
        reviewed=reviewed,
        propagated=propagated,
    )


async def _counting(request: Request) -> Counting:
    found: Counting = request.app.state.counting
    return found


CountingDep = Annotated[Counting, Depends(_counting)]
