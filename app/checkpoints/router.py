"""``/projects/{id}/checkpoints`` and ``/checkpoints``."""

from __future__ import annotations

from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Response
from sqlalchemy import select

from app.audit import service as audit
from app.audit.downloads import DownloadDep, elsewhere
from app.checkpoints import service
from app.checkpoints.schemas import FILES, CheckpointOut, FileName
from app.content import DOWNLOADED, Content
from app.dependencies import CallerDep, CheckpointDep, ProjectDep, SessionDep, StorageDep, require
from app.errors import problem_responses
from app.keys.service import Role
from app.pagination import Page, PageDep
from app.storage import Storage
from app.tables import Checkpoint, Project

router = APIRouter(tags=["checkpoints"])

_FOR_EVER = "private, max-age=31536000, immutable"
_MOVED: dict[int | str, dict[str, Any]] = {
    307: {"description": "Storage is S3: a presigned address there, for five minutes"}
}
_WEIGHTS = "application/octet-stream"


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


async def _note_weights(checkpoint: CheckpointDep, download: DownloadDep, session: SessionDep) -> None:
    project = session.get_one(Project, checkpoint.project_id)
    await download.note("checkpoint.download", project=project, checkpoint_id=checkpoint.id)


async def _note_file(checkpoint: CheckpointDep, name: FileName, download: DownloadDep, session: SessionDep) -> None:
    project = session.get_one(Project, checkpoint.project_id)
    await download.note("checkpoint.download", project=project, checkpoint_id=checkpoint.id, file=name)


@router.get(
    "/checkpoints/{checkpoint_id}/content",
    dependencies=[Depends(_note_weights)],
    response_class=Content,
    responses={
        200: {"content": {_WEIGHTS: {}}},
        206: {"content": {_WEIGHTS: {}}, "description": "A range"},
        **_MOVED,
        **problem_responses(416),
    },
)
def get_checkpoint_content(checkpoint: CheckpointDep, storage: StorageDep) -> Response:
    """The weights, a safetensors file whose metadata hold the recipe; where storage is S3, a redirect to it there."""
    name = f"checkpoint-{checkpoint.id}-{checkpoint.estimator}-{checkpoint.preset}.safetensors"
    return _stored(storage, checkpoint.weights_sha256, _WEIGHTS, name)


@router.get(
    "/checkpoints/{checkpoint_id}/files/{name}",
    dependencies=[Depends(_note_file)],
    response_class=Content,
    responses={
        200: {"content": {media.partition(";")[0]: {} for media in FILES.values()}},
        206: {"content": {media.partition(";")[0]: {} for media in FILES.values()}, "description": "A range"},
        **_MOVED,
        **problem_responses(416),
    },
)
def get_checkpoint_file(
    checkpoint: CheckpointDep, name: FileName, session: SessionDep, storage: StorageDep
) -> Response:
    """What the training left beside the weights: recipe, report in three forms, loss curve as a picture."""
    return _stored(storage, service.file(session, checkpoint, name), FILES[name], f"checkpoint-{checkpoint.id}-{name}")


def _stored(storage: Storage, sha256: str, media: str, filename: str) -> Response:
    if (moved := elsewhere(storage, sha256)) is not None:
        return moved
    headers = {"ETag": f'"{sha256}"', "Cache-Control": _FOR_EVER}
    return Content(storage.file(sha256, within=DOWNLOADED), media_type=media, filename=filename, headers=headers)
