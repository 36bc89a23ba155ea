"""Projects and the versions of their skeletons."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.errors import invalid
from app.projects.schemas import ProjectOut, SkeletonSchema
from app.tables import Project, SkeletonVersion
from pose.skeleton import Skeleton


def create(session: Session, lab_id: int, *, name: str, skeleton: SkeletonSchema) -> Project:
    """Make a project with the first version of its skeleton."""
    project = Project(lab_id=lab_id, name=name)
    session.add(project)
    session.flush()
    _add_version(session, project, skeleton)
    return project


def show(session: Session, project: Project) -> ProjectOut:
    """A project as the API shows it."""
    return ProjectOut(
        id=project.id,
        name=project.name,
        skeleton=_schema(session, project.id, project.skeleton_version),
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


def change_skeleton(session: Session, project: Project, wanted: SkeletonSchema) -> None:
    """Make a new version of the skeleton; earlier labels keep theirs.

    Raises:
        Invalid: Keypoints are missing. They can be renamed in place or added at the end.
    """
    present = _schema(session, project.id, project.skeleton_version)
    if wanted == present:
        return
    if len(wanted.keypoints) < len(present.keypoints):
        raise invalid(
            "/skeleton/keypoints",
            f"{len(wanted.keypoints)} keypoints for {len(present.keypoints)}: keypoints can be renamed or added"
            " at the end, never removed",
        )
    moved = [
        name
        for index, name in enumerate(present.keypoints)
        if name in wanted.keypoints and wanted.keypoints.index(name) != index
    ]
    if moved:
        raise invalid("/skeleton/keypoints", f"{moved[0]!r} changed its place: labels would change their meaning")
    project.skeleton_version += 1
    _add_version(session, project, wanted)


def _schema(session: Session, project_id: int, version: int) -> SkeletonSchema:
    row = session.get(SkeletonVersion, (project_id, version))
    assert row is not None
    return SkeletonSchema.model_validate(row.definition)


def _add_version(session: Session, project: Project, skeleton: SkeletonSchema) -> None:
    session.add(
        SkeletonVersion(
            project_id=project.id, version=project.skeleton_version, definition=skeleton.model_dump(mode="json")
        )
    )
    session.flush()
