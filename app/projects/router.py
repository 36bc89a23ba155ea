"""``/projects``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse
from sqlalchemy import select

from app.audit import service as audit
from app.dependencies import CallerDep, DeletedDep, ProjectDep, SessionDep, require
from app.idempotency import OnceDep
from app.keys.service import Role
from app.names import MAX_NAME, PLAIN_SCHEMA, Plain
from app.pagination import Order, Page, PageDep
from app.projects import service, skeletons
from app.projects.schemas import ProjectIn, ProjectOut, ProjectPatch
from app.tables import Project

router = APIRouter(prefix="/projects", tags=["projects"])


@router.post("", status_code=201, response_model=ProjectOut, dependencies=[require(Role.LAB)])
def create_project(body: ProjectIn, session: SessionDep, caller: CallerDep, once: OnceDep) -> ProjectOut | JSONResponse:
    """Make a project with its skeleton."""

    def make() -> ProjectOut:
        project = service.create(session, caller.lab_id, name=body.name, skeleton=body.skeleton)
        audit.record(session, caller, "project.create", project=project, name=project.name)
        return service.show(session, project)

    return once(make, status=201)


@router.get("")
def list_projects(
    session: SessionDep,
    caller: CallerDep,
    page: PageDep,
    name: Annotated[
        str | None,
        Query(min_length=1, max_length=MAX_NAME, json_schema_extra=PLAIN_SCHEMA, description="What is in the name"),
        Plain,
    ] = None,
    order: Annotated[Order | None, Query(description="What comes first; the newest where left out")] = None,
    deleted: DeletedDep = False,
) -> Page[ProjectOut]:
    """The lab's projects, newest first; with ``deleted`` those that were deleted and are not erased yet."""
    query = select(Project).where(Project.lab_id == caller.lab_id, Project.deleted_at.is_not(None) == deleted)
    if name is not None:
        query = query.where(service.named(name))
    return page.either_way(session, query, Project.id, partial(service.show_all, session), order)


@router.get("/{project_id}")
def get_project(project: ProjectDep, session: SessionDep) -> ProjectOut:
    """One project."""
    return service.show(session, project)


@router.patch("/{project_id}", dependencies=[require(Role.LAB)])
def change_project(body: ProjectPatch, project: ProjectDep, session: SessionDep, caller: CallerDep) -> ProjectOut:
    """Rename a project, or change its skeleton: add or rename keypoints, retire them, or remove unlabelled ones."""
    before = project.name, project.skeleton_version
    if body.name is not None:
        project.name = body.name
    if body.skeleton is not None or body.retired is not None:
        skeletons.change(session, project, body.skeleton, body.retired)
    if (project.name, project.skeleton_version) != before:
        audit.record(
            session,
            caller,
            "project.change",
            project=project,
            name=project.name,
            skeleton_version=project.skeleton_version,
        )
    return service.show(session, project)
