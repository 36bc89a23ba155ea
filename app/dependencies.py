"""Dependencies of handlers: a transaction, the caller, and rows already checked against the caller's lab."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Depends, Path, Query, Request, Security
from fastapi.concurrency import contextmanager_in_threadpool, run_in_threadpool
from fastapi.params import Depends as DependsParam
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import select
from sqlalchemy.orm import Session

from app import origin, request_log, security_headers
from app.apart import Apart
from app.database import Database
from app.errors import Forbidden, NotFound
from app.faces import SESSION_COOKIE, Faces
from app.keys import service as keys
from app.keys.service import Caller, Role
from app.keys.usage import Usage
from app.labs import service as labs
from app.metrics import ApiMetrics
from app.presence import Presence
from app.rate_limit import RateLimit
from app.sessions import service as sessions
from app.settings import Settings
from app.storage import Storage
from app.tables import Checkpoint, Export, Job, Project, Run, Video
from app.trash import visible
from app.turns import FairThreads, Turns

_BEARER = HTTPBearer(auto_error=False, description="An API key")
#: Where a request keeps whose it is.
_CALLER = "posetween.caller"

_COOKIE = APIKeyCookie(name=SESSION_COOKIE, auto_error=False, description="A session opened with an API key")


# These only look something up; were they plain functions, each would be sent to a thread and back. What every request
# needs does without them: each dependency of a dependency is one more step.


async def _settings(request: Request) -> Settings:
    return request.app.state.settings  # type: ignore[no-any-return]


async def _storage(request: Request) -> Storage:
    return request.app.state.storage  # type: ignore[no-any-return]


async def _database(request: Request) -> Database:
    return request.app.state.database  # type: ignore[no-any-return]


async def _turns(request: Request) -> Turns:
    return request.app.state.turns  # type: ignore[no-any-return]


async def _metrics(request: Request) -> ApiMetrics:
    return request.app.state.metrics  # type: ignore[no-any-return]


SettingsDep = Annotated[Settings, Depends(_settings)]
StorageDep = Annotated[Storage, Depends(_storage)]
DatabaseDep = Annotated[Database, Depends(_database)]
TurnsDep = Annotated[Turns, Depends(_turns)]
MetricsDep = Annotated[ApiMetrics, Depends(_metrics)]


Answer = TypeVar("Answer")


def _read(database: Database, act: Callable[[Session], Answer]) -> Answer:
    with database.session(readonly=True) as session:
        return act(session)


def _write(database: Database, caller: Caller, act: Callable[[Session], Answer]) -> Answer:
    with sessions.writing_as(database, caller) as session:
        return act(session)


@dataclass(frozen=True)
class Glancing:
    """Reading transactions that look up a thing or two, in threads that wait for nothing else.

    ``lab_id`` takes turns with others: the lab that last showed what this request shows, which proves nothing yet.
    """

    database: Database
    threads: FairThreads
    lab_id: int | None

    async def __call__(self, act: Callable[[Session], Answer]) -> Answer:
        """Do something in a transaction."""
        return await self.threads.run(partial(_read, self.database, act), self.lab_id)


async def _checking(request: Request) -> Glancing:
    state = request.app.state
    return Glancing(state.database, state.turns.checking, state.request_limits.faces.lab_of(request))


async def _glancing(request: Request) -> Glancing:
    state = request.app.state
    return Glancing(state.database, state.turns.glancing, state.request_limits.faces.lab_of(request))


GlancingDep = Annotated[Glancing, Depends(_glancing)]


@dataclass(frozen=True)
class RequestLimits:
    """The state that is kept of callers from one request to the next."""

    usage: Usage
    rates: RateLimit
    presence: Presence
    faces: Faces


@dataclass(frozen=True)
class Visitor:
    """A request before anybody knows whose it is, with what it shows of its sender."""

    request: Request
    request_limits: RequestLimits
    auth: bool
    key: str | None
    cookie: str | None

    def caller(self, session: Session) -> Caller:
        """Find out whose request it is, and count it.

        Raises:
            Unauthorized: It shows nothing that counts, or no longer.
            Forbidden: It comes from another site's page.
            TooMany: The key sent too many.
        """
        if not self.auth:
            caller = keys.local_admin(session)
        elif self.key is None and self.cookie is not None:
            caller = sessions.authenticate(session, self.cookie)
        else:
            caller = keys.authenticate(session, self.key)
        self.let_in(caller)
        return caller

    def let_in(self, caller: Caller) -> None:
        """Count one more request of somebody who is known.

        Raises:
            Forbidden: It comes from another site's page.
            TooMany: The key sent too many, or too many of the lab are under way.
        """
        if not self.auth:
            origin.check_loopback(self.request)
        elif caller.session_id is not None:
            origin.check_session(self.request)
        request_log.note_caller(self.request, caller.lab_id, caller.key_id)
        self.request_limits.presence.enter(self.request.scope, caller.lab_id)
        self.request_limits.faces.note(self.request, caller.lab_id)
        self.request.scope[_CALLER] = caller
        if caller.key_id is not None:
            self.request_limits.usage.note(caller.key_id)
            security_headers.add(self.request, self.request_limits.rates.take(caller.key_id))


async def _visitor(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    cookie: Annotated[str | None, Security(_COOKIE)],
) -> Visitor:
    state = request.app.state
    key = credentials.credentials if credentials else None
    return Visitor(request, state.request_limits, state.settings.auth, key, cookie)


#: For handlers that look up everything they need in one transaction.
VisitorDep = Annotated[Visitor, Depends(_visitor)]


async def _caller(visitor: VisitorDep, checking: Annotated[Glancing, Depends(_checking)]) -> Caller:
    known: Caller | None = visitor.request.scope.get(_CALLER)
    return known if known is not None else await checking(visitor.caller)


CallerDep = Annotated[Caller, Depends(_caller)]


async def caller_of(request: Request) -> Caller:
    """Whose request it is, asked by somebody who has no dependencies yet.

    Raises:
        ServiceError: As ``Visitor.caller``.
    """
    visitor = await _visitor(request, await _BEARER(request), await _COOKIE(request))
    return await _caller(visitor, await _checking(request))


async def _session(request: Request, caller: CallerDep) -> AsyncIterator[Session]:
    database: Database = request.app.state.database
    turns: Turns = request.app.state.turns
    readonly = request.method in origin.SAFE
    if not readonly:
        # All of it is here before anybody can wait for us: a client may take as long as it likes, or never end.
        await request.body()
    turn = (turns.reading if readonly else turns.writing).of(caller.lab_id)
    transaction = database.session(readonly=True) if readonly else sessions.writing_as(database, caller)
    async with turn, contextmanager_in_threadpool(transaction) as session:
        yield session


# Scope "function" commits before the answer goes out; by default it would go out first and hide a failed commit.
SessionDep = Annotated[Session, Depends(_session, scope="function")]


@dataclass(frozen=True)
class Reading:
    """Reading transactions for handlers that are called often, see ``Writing``; ``apart`` is for what is large."""

    database: Database
    turns: Turns
    apart: Apart

    async def __call__(self, act: Callable[[Session], Answer], lab_id: int, *, large: bool = False) -> Answer:
        """Do something in a transaction when it is the lab's turn; what computes for long waits for others like it."""
        async with (self.turns.large if large else self.turns.reading).of(lab_id):
            return await run_in_threadpool(_read, self.database, act)


@dataclass(frozen=True)
class Writing:
    """Writing transactions for handlers that are called often: each takes one thread, once.

    With ``SessionDep`` every dependency and the commit wait for a thread of their own, and on SQLite nobody else may
    write meanwhile.
    """

    database: Database
    turns: Turns
    caller: Caller

    async def __call__(self, act: Callable[[Session], Answer]) -> Answer:
        """Do something in a transaction, when it is the caller's lab's turn."""
        async with self.turns.writing.of(self.caller.lab_id):
            return await run_in_threadpool(_write, self.database, self.caller, act)


async def _reading(request: Request) -> Reading:
    return Reading(request.app.state.database, request.app.state.turns, request.app.state.apart)


async def _writing(request: Request, caller: CallerDep) -> Writing:
    return Writing(request.app.state.database, request.app.state.turns, caller)


ReadingDep = Annotated[Reading, Depends(_reading)]
WritingDep = Annotated[Writing, Depends(_writing)]


def require(role: Role) -> DependsParam:
    """A dependency that lets a caller in only with ``role`` or a higher one."""

    async def check(caller: CallerDep) -> None:
        if not caller.role.includes(role):
            raise Forbidden(f"this needs the role {role.value!r}, the key has {caller.role.value!r}")

    return DependsParam(check)


async def _deleted(
    caller: CallerDep, deleted: Annotated[bool, Query(description="List the trash; needs the role lab")] = False
) -> bool:
    if deleted and not caller.role.includes(Role.LAB):
        raise Forbidden(f"the trash is for the role 'lab', the key has {caller.role.value!r}")
    return deleted


#: Whether a list is of what was deleted.
DeletedDep = Annotated[bool, Depends(_deleted)]


def _operator(caller: CallerDep, database: DatabaseDep) -> None:
    with database.session(readonly=True) as session:
        if not labs.is_operator(session, caller):
            raise Forbidden("this is for the operator of the installation: an admin of its first lab")


#: Lets in only who looks after the installation.
OPERATOR = DependsParam(_operator)

#: Integers up to here survive JSON and every database.
MAX_ID = 2**53

Id = Annotated[int, Path(ge=1, le=MAX_ID)]


def find_project(project_id: Id, session: SessionDep, caller: CallerDep) -> Project:
    """The caller's project with this id.

    Raises:
        NotFound: There is none, it is another lab's, or it was deleted.
    """
    project = session.get(Project, project_id)
    if project is None or project.lab_id != caller.lab_id or project.deleted_at is not None:
        raise NotFound(f"there is no project {project_id}")
    return project


def find_video(video_id: Id, session: SessionDep, caller: CallerDep) -> Video:
    """The caller's video with this id.

    Raises:
        NotFound: There is none, it is another lab's, or it was deleted.
    """
    mine = Video.id == video_id, Project.lab_id == caller.lab_id, visible.VIDEO
    video = session.scalar(select(Video).join(Project).where(*mine))
    if video is None:
        raise NotFound(f"there is no video {video_id}")
    return video


def _job(job_id: Id, session: SessionDep, caller: CallerDep) -> Job:
    job = session.scalar(select(Job).where(Job.id == job_id, Job.lab_id == caller.lab_id, visible.JOB))
    if job is None:
        raise NotFound(f"there is no job {job_id}")
    return job


def find_run(run_id: Id, session: SessionDep, caller: CallerDep) -> Run:
    """The caller's run with this id.

    Raises:
        NotFound: There is none, it is another lab's, or what it is of was deleted.
    """
    mine = Run.id == run_id, Project.lab_id == caller.lab_id, visible.VIDEO
    run = session.scalar(select(Run).join(Video).join(Project).where(*mine))
    if run is None:
        raise NotFound(f"there is no run {run_id}")
    return run


def find_export(export_id: Id, session: SessionDep, caller: CallerDep) -> Export:
    """The caller's export with this id.

    Raises:
        NotFound: There is none, it is another lab's, or what it is of was deleted.
    """
    mine = Export.id == export_id, Project.lab_id == caller.lab_id, visible.PROJECT, visible.EXPORT
    export = session.scalar(select(Export).join(Project).where(*mine))
    if export is None:
        raise NotFound(f"there is no export {export_id}")
    return export


def find_checkpoint(checkpoint_id: Id, session: SessionDep, caller: CallerDep) -> Checkpoint:
    """The caller's checkpoint with this id.

    Raises:
        NotFound: There is none, it is another lab's, or what it is of was deleted.
    """
    mine = Checkpoint.id == checkpoint_id, Project.lab_id == caller.lab_id, visible.PROJECT
    checkpoint = session.scalar(select(Checkpoint).join(Project).where(*mine))
    if checkpoint is None:
        raise NotFound(f"there is no checkpoint {checkpoint_id}")
    return checkpoint


ProjectDep = Annotated[Project, Depends(find_project)]
VideoDep = Annotated[Video, Depends(find_video)]
JobDep = Annotated[Job, Depends(_job)]
RunDep = Annotated[Run, Depends(find_run)]
ExportDep = Annotated[Export, Depends(find_export)]
CheckpointDep = Annotated[Checkpoint, Depends(find_checkpoint)]
