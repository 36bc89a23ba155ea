"""Projects and the versions of their skeletons."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from app.projects.schemas import ProjectOut, SkeletonSchema
from app.tables import Project, SkeletonVersion
from pose.skeleton import Skeleton


def create(session: Session, lab_id: int, *, name: str, skeleton: SkeletonSchema) -> Project:
    """Make a project with the first version of its skeleton."""
    project = Project(lab_id=lab_id, name=name)
    session.add(project)
    session.flush()
    add_version(session, project, skeleton)
    return project


def show(session: Session, project: Project) -> ProjectOut:
    """A project as the API shows it."""
    (shown,) = show_all(session, [project])
    return shown


def show_all(session: Session, projects: Sequence[Project]) -> list[ProjectOut]:
    """Projects as the API shows them, with one question for all their skeletons."""
    present = and_(Project.id == SkeletonVersion.project_id, Project.skeleton_version == SkeletonVersion.version)
    query = select(Project.id, SkeletonVersion.definition).join(SkeletonVersion, present)
    rows = session.execute(query.where(Project.id.in_([project.id for project in projects])))
    definitions: dict[int, Any] = {number: definition for number, definition in rows}  # noqa: C416
    known: dict[str, SkeletonSchema] = {}  # most projects of a lab share theirs
    return [
        ProjectOut(
            id=project.id,
            name=project.name,
            skeleton=known.get(text := json.dumps(definitions[project.id]))
            or known.setdefault(text, SkeletonSchema.model_validate(definitions[project.id])),
            skeleton_version=project.skeleton_version,
            created_at=project.created_at,
            deleted_at=project.deleted_at,
            restore_until=project.restore_until,
        )
        for project in projects
    ]


def named(words: str) -> ColumnElement[bool]:
    """Of queries that have projects: those in whose name some text is, in large or small letters."""
    return Project.name.icontains(words, autoescape=True)


def is_there(session: Session, lab_id: int, project_id: int) -> bool:
    """Return whether a lab has a project, and has not deleted it."""
    project = session.get(Project, project_id)
    return project is not None and project.lab_id == lab_id and project.deleted_at is None


def skeleton(session: Session, project_id: int, version: int | None = None) -> Skeleton:
    """A project's skeleton, as it is or as it was."""
    wanted = Project.skeleton_version if version is None else version
    query = select(SkeletonVersion.definition).join(Project, Project.id == SkeletonVersion.project_id)
    definition = session.scalars(query.where(Project.id == project_id, SkeletonVersion.version == wanted)).one()
    return SkeletonSchema.model_validate(definition).skeleton()


def schema(session: Session, project_id: int, version: int) -> SkeletonSchema:
    """A project's skeleton as it was, as the API shows it."""
    row = session.get(SkeletonVersion, (project_id, version))
    assert row is not None
    return SkeletonSchema.model_validate(row.definition)


def add_version(session: Session, project: Project, skeleton: SkeletonSchema) -> None:
    """Write down the skeleton of the project's present version."""
    session.add(
        SkeletonVersion(
            project_id=project.id, version=project.skeleton_version, definition=skeleton.model_dump(mode="json")
        )
    )
    session.flush()
