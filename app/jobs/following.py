"""Following jobs: all event streams of a process look at the database together, however many there are."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from fastapi.concurrency import run_in_threadpool
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Database
from app.errors import Unauthorized
from app.jobs.schemas import JobOut
from app.keys.service import Caller
from app.sessions import service as sessions
from app.tables import Job
from app.trash import visible

log = logging.getLogger(__name__)

#: Seconds between two looks.
LOOK_SECONDS = 0.1

# Seconds after which it is asked again whether a caller may still listen; a stream ends within three of a revocation.
_CONFIRMED_SECONDS = 1.0


@dataclass(frozen=True)
class News:
    """A job as it was seen last."""

    version: int
    state: str
    job: JobOut


@dataclass
class _Looked:
    """The result of one look."""

    versions: dict[int, int]
    news: dict[int, News]
    ended: set[Caller]


class Followers:
    """The followers of jobs, and the last known states of these.

    Args:
        database: Where jobs are.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs: Counter[int] = Counter()
        self._callers: Counter[Caller] = Counter()
        self._known: dict[int, News | None] = {}
        self._confirmed: dict[Caller, float] = {}
        self._ended: set[Caller] = set()
        self._wanted = asyncio.Event()
        self._looked = asyncio.Event()

    @contextmanager
    def following(self, job_id: int, caller: Caller) -> Iterator[Following]:
        """Follow a job for the length of a block."""
        self._jobs[job_id] += 1
        self._callers[caller] += 1
        self._wanted.set()
        try:
            yield Following(self, job_id, caller)
        finally:
            self._jobs[job_id] -= 1
            if not self._jobs[job_id]:
                del self._jobs[job_id]
                self._known.pop(job_id, None)
            self._callers[caller] -= 1
            if not self._callers[caller]:
                del self._callers[caller]
                self._confirmed.pop(caller, None)
                self._ended.discard(caller)

    async def keep_looking(self) -> None:
        """Look as long as somebody follows something, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._jobs:
                await self._look()
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await self._wanted.wait()  # somebody new need not wait for the next round
                    self._wanted.clear()
                except TimeoutError:
                    continue

    async def _look(self) -> None:
        now = time.monotonic()
        versions = {job_id: news.version if (news := self._known.get(job_id)) else -1 for job_id in self._jobs}
        unsure = [
            one for one in self._callers if now - self._confirmed.get(one, -_CONFIRMED_SECONDS) >= _CONFIRMED_SECONDS
        ]
        try:
            found = await run_in_threadpool(_read, self._database, versions, unsure)
        except Exception:  # whatever is the matter, the next look may tell more
            # Their clients come again, and are told what is the matter.
            log.warning("jobs could not be looked at; those who follow them are sent away", exc_info=True)
            found = _Looked({}, {}, set())
        self._confirmed |= {caller: now for caller in unsure if caller in self._callers}
        self._ended |= found.ended & self._callers.keys()
        for job_id in versions.keys() & self._jobs.keys():
            if job_id not in found.versions:
                self._known[job_id] = None
            elif job_id in found.news:
                self._known[job_id] = found.news[job_id]
        looked, self._looked = self._looked, asyncio.Event()
        looked.set()

    def known(self, job_id: int, caller: Caller) -> News | None:
        """A job as it was seen last.

        Raises:
            KeyError: Nobody has looked yet.
        """
        if caller in self._ended:
            return None
        return self._known[job_id]

    async def next_look(self) -> None:
        """Wait for the next look."""
        await self._looked.wait()


@dataclass
class Following:
    """One stream that follows a job."""

    followers: Followers
    job_id: int
    caller: Caller
    _fresh: bool = field(default=True)

    async def look(self) -> News | None:
        """The job as it is, a moment later than the last time; None where there is nothing to tell any more.

        It is not there, or its follower may not listen any longer.
        """
        if not self._fresh:
            await self.followers.next_look()
        self._fresh = False
        while True:
            try:
                return self.followers.known(self.job_id, self.caller)
            except KeyError:
                await self.followers.next_look()


def _read(database: Database, versions: dict[int, int], unsure: list[Caller]) -> _Looked:
    """See which jobs have changed, and which callers may not listen any more."""
    with database.session(readonly=True) as session:
        query = select(Job.id, Job.version).where(Job.id.in_(versions), visible.JOB)
        present: dict[int, int] = {number: version for number, version in session.execute(query)}  # noqa: C416
        changed = [job_id for job_id, version in present.items() if version > versions[job_id]]
        rows = session.scalars(select(Job).where(Job.id.in_(changed))) if changed else ()
        news = {}
        for job in rows:
            try:
                news[job.id] = News(job.version, job.state, JobOut.model_validate(job))
            except ValueError:  # who follows others hears of them nevertheless
                log.warning("job %d cannot be shown; those who follow it are sent away", job.id, exc_info=True)
                del present[job.id]
        return _Looked(present, news, {caller for caller in unsure if not _may(session, caller)})


def _may(session: Session, caller: Caller) -> bool:
    try:
        sessions.confirm(session, caller)
    except Unauthorized:
        return False
    return True
