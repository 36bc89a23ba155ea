"""``/projects/{id}/checkpoints`` and ``/checkpoints``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.audit.downloads import DownloadDep
from app.checkpoints import service
from app.checkpoints.schemas import FILES, CheckpointOut, FileName
from app.dependencies import (
    CallerDep,
    CheckpointDep,
    Id,
    ProjectDep,
    ReadingDep,
    SessionDep,
    StorageDep,
    TurnsDep,
    find_checkpoint,
    require,
)
from app.errors import problem_responses
from app.file_response import DOWNLOADED, StoredFileResponse, elsewhere, fetched
from app.keys.service import Role
from app.pagination import Page, PageDep
from app.tables import Checkpoint, Project

router = APIRouter(tags=["checkpoints"])

_FOR_EVER = "private, max-age=31536000, immutable"
_MOVED: dict[int | str, dict[str, Any]] = {
    307: {"description": "Storage is S3: a presigned address there, for five minutes"}
}
_WEIGHTS = "application/octet-stream"


@dataclass(frozen=True)
class _Sent:
    """A file of a checkpoint that somebody takes: its digest, its kind and its name."""

    sha256: str
    media: str
    filename: str


@dataclass(frozen=True)
class _Sending:
    """How a file is sent: it is found, then written down who takes it, then read without holding a transaction."""

    caller: CallerDep
    reading: ReadingDep
    download: DownloadDep
    turns: TurnsDep
    storage: StorageDep

    async def __call__(
        self, checkpoint_id: int, find: Callable[[Session, Checkpoint], _Sent], **details: Any
    ) -> Response:
        def look(session: Session) -> tuple[Project, _Sent]:
            checkpoint = find_checkpoint(checkpoint_id, session, self.caller)
            return session.get_one(Project, checkpoint.project_id), find(session, checkpoint)

        project, sent = await self.reading(look, self.caller.lab_id)
        await self.download.note("checkpoint.download", project=project, checkpoint_id=checkpoint_id, **details)
        if (moved := await run_in_threadpool(elsewhere, self.storage, sent.sha256)) is not None:
            return moved
        file = await fetched(self.turns, self.caller.lab_id, self.storage, sent.sha256, within=DOWNLOADED)
        headers = {"ETag": f'"{sent.sha256}"', "Cache-Control": _FOR_EVER}
        return StoredFileResponse(file, media_type=sent.media, filename=sent.filename, headers=headers)


async def _sending(
    caller: CallerDep, reading: ReadingDep, download: DownloadDep, turns: TurnsDep, storage: StorageDep
) -> _Sending:
    return _Sending(caller, reading, download, turns, storage)


SendingDep = Annotated[_Sending, Depends(_sending)]


@router.get("/projects/{project_id}/checkpoints")
def list_checkpoints(project: ProjectDep, session: SessionDep, page: PageDep) -> Page[CheckpointOut]:
    """The project's checkpoints."""
    query = select(Checkpoint).where(Checkpoint.project_id == project.id)
    return page.of(session, query, Checkpoint.id, partial(service.show_all, session))


@router.get("/checkpoints/{checkpoint_id}")
def get_checkpoint(checkpoint: CheckpointDep, session: SessionDep) -> CheckpointOut:
    """One checkpoint: how good it is on held-out labels, how it was trained, what it was made from."""
    return service.show(session, checkpoint)


@router.post("/checkpoints/{checkpoint_id}/promote", dependencies=[require(Role.LAB)])
def promote_checkpoint(checkpoint: CheckpointDep, session: SessionDep, caller: CallerDep) -> CheckpointOut:
    """Have the project use this checkpoint, whatever the promotion gate said of it."""
    if service.promote(session, checkpoint):
        project = session.get_one(Project, checkpoint.project_id)
        audit.record(session, caller, "checkpoint.promote", project=project, checkpoint_id=checkpoint.id, gate=False)
    return service.show(session, checkpoint)


@router.get(
    "/checkpoints/{checkpoint_id}/content",
    response_class=StoredFileResponse,
    responses={
        200: {"content": {_WEIGHTS: {}}},
        206: {"content": {_WEIGHTS: {}}, "description": "A range"},
        **_MOVED,
        **problem_responses(416),
    },
)
async def get_checkpoint_content(checkpoint_id: Id, sending: SendingDep) -> Response:
    """The weights, a safetensors file whose metadata hold the recipe; where storage is S3, a redirect to it there."""

    def find(session: Session, checkpoint: Checkpoint) -> _Sent:
        name = f"checkpoint-{checkpoint.id}-{checkpoint.estimator}-{checkpoint.preset}.safetensors"
        return _Sent(checkpoint.weights_sha256, _WEIGHTS, name)

    return await sending(checkpoint_id, find)


@router.get(
    "/checkpoints/{checkpoint_id}/files/{name}",
    response_class=StoredFileResponse,
    responses={
        200: {"content": {media.partition(";")[0]: {} for media in FILES.values()}},
        206: {"content": {media.partition(";")[0]: {} for media in FILES.values()}, "description": "A range"},
        **_MOVED,
        **problem_responses(416),
    },
)
async def get_checkpoint_file(checkpoint_id: Id, name: FileName, sending: SendingDep) -> Response:
    """What the training left beside the weights: recipe, report in three forms, loss curve as a picture."""

    def find(session: Session, checkpoint: Checkpoint) -> _Sent:
        sha256 = service.file(session, checkpoint, name)
        return _Sent(sha256, FILES[name], f"checkpoint-{checkpoint.id}-{name}")

    return await sending(checkpoint_id, find, file=name)
