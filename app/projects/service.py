"""Projects and the versions of their skeletons."""

from __future__ import annotations

from sqlalchemy import select
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
    return ProjectOut(
        id=project.id,
        name=project.name,
        skeleton=schema(session, project.id, project.skeleton_version),
        skeleton_version=project.skeleton_version,
        created_at=project.created_at,
        deleted_at=project.deleted_at,
        restore_until=project.restore_until,
    )


def is_there(session: Session, lab_id: int, project_id: int) -> bool:
    """Whether a lab has a project, and has not deleted it."""
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
