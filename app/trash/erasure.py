"""Erasing what was deleted and is not to be restored: its rows, its objects, and what is said of it elsewhere.

First nobody can restore it any more and its jobs are called off. Once no worker has one, objects are removed that a
worker put and was killed before any row referred to them: nobody can tell whose they are. They may be those of a job of
something else that goes on and is about to refer to them, so while there is one it has a while to do so. Then it goes
in small transactions that can each be done again: objects are noted (``Discard``), names leave the audit trail, rows
go, last its own. A crash in between leaves something that is hidden and is erased further at the next look.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, Table, and_, delete, exists, func, or_, select, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app import blobs
from app.audit import service as audit
from app.database import Database
from app.jobs.states import RUNNING
from app.keys import service as keys
from app.keys.service import Caller, Role
from app.storage import Step, Storage, go_on
from app.tables import Checkpoint, Erasure, Export, ExportVideo, Job, Lab, Project, Video
from app.trash import mentions, rows, service
from app.trash.service import Thing
from app.videos.access_cache import SECONDS

log = logging.getLogger(__name__)

#: Requests that were under way when something was hidden have ended, and who looked at its frames has looked away.
GRACE = timedelta(seconds=SECONDS)

#: An object that was put within this time may be about to be referred to.
FRESH = timedelta(seconds=5)

#: A job that goes on may take so long between putting an object and referring to it.
UNTOLD = timedelta(minutes=15)

_BATCH = 2000  # rows deleted at a time


class Eraser:
    """Erases what is due.

    Args:
        database: Whose rows.
        storage: Whose objects.
        step: Called before each transaction; what it raises breaks off, and is gone on from the next time.
        grace: How long something must have been hidden.
        fresh: How long its jobs must have ended, so that none of their objects is fresh any more.
    """

    def __init__(
        self,
        database: Database,
        storage: Storage,
        step: Step = go_on,
        *,
        grace: timedelta = GRACE,
        fresh: timedelta = FRESH,
    ) -> None:
        self._database = database
        self._storage = storage
        self._step = step
        self._grace = grace
        self._fresh = fresh
        self._untold = False  # whether the database's log may hold what was deleted

    def run(self) -> int:
        """Erase what is due, as far as no worker has to do with it; tells how many things are gone."""
        gone = 0
        asked = datetime.now(UTC)
        spared = self._spared(asked)
        begun = [thing for thing in self._due() if self._begin(*thing, asked, spared)]
        if begun:
            older_than = max(FRESH, spared) + max(datetime.now(UTC) - asked, timedelta(0))
            blobs.collect(self._database, self._storage, older_than=older_than, step=self._step)
        for kind, number in begun:
            try:
                gone += self._erase(kind, number)
            except IntegrityError:
                # A request that was slower than the grace wrote something that refers to it: that goes the next time.
                log.info("something was still written", extra={"kind": kind.__name__.lower(), "id": number})
        self._step()
        removed = blobs.discard(self._database, self._storage, older_than=FRESH)
        self._untold |= bool(gone or removed.objects)
        if self._untold:
            self._untold = not self._database.forget_overwritten()
        return gone

    @contextmanager
    def _writing(self) -> Iterator[Session]:
        self._step()
        with self._database.session() as session:
            yield session

    def _due(self) -> list[tuple[type[Thing], int]]:
        with self._database.session(readonly=True) as session:
            found: list[tuple[type[Thing], int]] = []
            for kind in (Lab, Project, Video):
                query = select(kind.id).where(self._is_due(kind))
                found += [(kind, number) for number in session.scalars(query.order_by(kind.id))]
        return found

    def _is_due(self, kind: type[Thing]) -> ColumnElement[bool]:
        now = datetime.now(UTC)
        over = or_(kind.restore_until.is_(None), kind.restore_until <= now)
        # What seems to have been deleted in the future was so before a clock was set back.
        rested = or_(kind.deleted_at <= now - self._grace, kind.deleted_at > now + self._grace)
        due = and_(kind.deleted_at.is_not(None), rested, over)
        return and_(due, Lab.erased_at.is_(None)) if kind is Lab else due

    def _erase(self, kind: type[Thing], number: int) -> bool:
        if kind is Video:
            return self._video(number)
        if kind is Project:
            return self._project(number)
        return self._lab(number)

    def _spared(self, now: datetime) -> timedelta:
        """The age of an object that no job which goes on can be about to refer to; none has put one before it began."""
        with self._database.session(readonly=True) as session:
            begun = session.scalar(select(func.min(Job.started_at)).where(Job.state == RUNNING))
        if begun is None:
            return timedelta(0)
        return min(UNTOLD, max(now - begun, timedelta(0)) + FRESH)

    def _begin(self, kind: type[Thing], number: int, asked: datetime, spared: timedelta) -> bool:
        """Let nobody restore it, and call off its jobs; tells whether all of them ended a while ago.

        Whatever they put is older than what is spared then, and goes.
        """
        with self._writing() as session:
            query: Select[Any] = select(kind).where(kind.id == number, self._is_due(kind))
            thing: Thing | None = session.scalar(query.with_for_update())
            if thing is None:
                return False
            thing.restore_until = None
            session.flush()
            service.end_work(session, thing)
            jobs, now = service.jobs_of(session, thing), datetime.now(UTC)
            # What seems to have ended in the future did so before a clock was set back.
            while_ago = max(self._fresh, spared + FRESH) if spared else self._fresh
            just_now = Job.finished_at.between(asked - while_ago, now + while_ago)
            return not session.scalar(select(exists().where(jobs, or_(Job.state == RUNNING, just_now))))

    def _video(self, number: int) -> bool:
        for export in self._some(select(ExportVideo.export_id).where(ExportVideo.video_id == number)):
            self._export(export)
        with self._writing() as session:
            video = session.get(Video, number)
            if video is None:
                return False
            mentions.of_video(session, video)
        self._delete(Video, number)
        with self._writing() as session:
            video = session.get(Video, number, with_for_update=True)
            if video is None:
                return False
            lab_id = session.get_one(Project, video.project_id).lab_id
            audit.record(session, _machine(lab_id), "video.erase", video=video)
            session.add(Erasure(kind="video", thing_id=number, lab_id=lab_id, made_at=video.created_at))
            session.delete(video)
        log.info("a video was erased", extra={"video_id": number})
        return True

    def _project(self, number: int) -> bool:
        for video in self._some(select(Video.id).where(Video.project_id == number)):
            self._video(video)
        with self._writing() as session:
            project = session.get(Project, number)
            if project is None:
                return False
            mentions.of_project(session, project)
            own = select(Checkpoint.id).where(Checkpoint.project_id == number)
            session.execute(update(Checkpoint).where(Checkpoint.parent_id.in_(own)).values(parent_id=None))
        self._delete(Project, number)
        with self._writing() as session:
            project = session.get(Project, number, with_for_update=True)
            if project is None:
                return False
            audit.record(session, _machine(project.lab_id), "project.erase", project=project)
            kept = {"thing_id": number, "lab_id": project.lab_id, "made_at": project.created_at}
            session.add(Erasure(kind="project", **kept))
            session.delete(project)
        log.info("a project was erased", extra={"project_id": number})
        return True

    def _lab(self, number: int) -> bool:
        for project in self._some(select(Project.id).where(Project.lab_id == number)):
            self._project(project)
        with self._writing() as session:
            lab = session.get_one(Lab, number, with_for_update=True)
            if lab.erased_at is not None:
                return False
            mentions.of_lab(session, lab)
            lab.name, lab.erased_at = "", datetime.now(UTC)
            for where in (number, keys.first_lab(session)):
                audit.record(session, _machine(where), "lab.erase", lab_id=number)
            session.add(Erasure(kind="lab", thing_id=number, lab_id=number, made_at=lab.created_at))
        log.info("a lab was erased", extra={"lab_id": number})
        return True

    def _export(self, number: int) -> None:
        with self._database.session(readonly=True) as session:
            job = session.scalar(select(Export.job_id).where(Export.id == number))
        if job is not None:
            self._delete(Job, job)
            with self._writing() as session:
                session.execute(delete(Job).where(Job.id == job))

    def _delete(self, kind: type[Video | Project | Job], number: int) -> None:
        """Note the objects of a row and of all that refers to it, and delete what refers to it."""
        root, videos = cast("Table", kind.__table__), cast("Table", Video.__table__)
        found = rows.rows_of(root, number, without=frozenset({videos} if kind is Project else ()))
        with self._writing() as session:
            for table, which in [*found, (root, root.c.id == number)]:
                mentions.note_objects(session, table, which)
        for table, which in found:
            self._delete_rows(table, which)

    def _delete_rows(self, table: Table, which: ColumnElement[bool]) -> None:
        """Delete rows a few thousand at a time: others write in between."""
        key = list(table.primary_key.columns)
        while True:
            with self._writing() as session:
                some = [tuple(row) for row in session.execute(select(*key).where(which).limit(_BATCH))]
                if some:
                    here = tuple_(*key).in_(some) if len(key) > 1 else key[0].in_([one for (one,) in some])
                    session.execute(table.delete().where(here))
            if len(some) < _BATCH:
                return

    def _some(self, query: Select[int]) -> list[int]:
        with self._database.session(readonly=True) as session:
            return list(session.scalars(query))


def _machine(lab_id: int) -> Caller:
    """The service itself, which ends what somebody began."""
    return Caller(lab_id=lab_id, key_id=None, role=Role.ADMIN)
