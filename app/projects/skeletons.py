"""Changing a project's skeleton. Labels and poses say points by place, so places stay once anything is labelled."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError
from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session

from app.errors import FieldProblem, Invalid, invalid
from app.projects import service
from app.projects.schemas import SkeletonSchema
from app.tables import Job, Label, Project, Run, SkeletonVersion, Video

#: Kinds of jobs whose poses of a keypoint come from its labels alone: where nothing is labelled there are none.
_FROM_LABELS = ("propagate",)

_POINT = 12  # bytes: x, y and visibility as float32


def change(
    session: Session, project: Project, wanted: SkeletonSchema | None, retired: Sequence[str] | None = None
) -> None:
    """Make a new version of the skeleton; earlier labels keep theirs.

    Args:
        session: The transaction.
        project: Whose skeleton.
        wanted: The skeleton; where left out as it is.
        retired: Names of keypoints that are retired, in place of those of ``wanted``.

    Raises:
        Invalid: A keypoint that has labels is missing or changed its place, or a name to be retired is none.
    """
    # Nobody shall label meanwhile what is about to be removed, see ``app.labels.history.begin``.
    mine = select(Video.id).where(Video.project_id == project.id).order_by(Video.id)
    session.scalars(mine.with_for_update()).all()
    present = service.schema(session, project.id, project.skeleton_version)
    wanted = _complete(present, wanted, retired)
    if wanted == present:
        return
    _check(session, project, present, wanted)
    project.skeleton_version += 1
    service.add_version(session, project, wanted)


def _complete(present: SkeletonSchema, wanted: SkeletonSchema | None, retired: Sequence[str] | None) -> SkeletonSchema:
    given = wanted or present
    if retired is None and wanted is not None and "retired" not in wanted.model_fields_set:
        retired = [name for name in _renamed(present, wanted) if name in wanted.keypoints]
    if retired is None:
        return given
    try:
        return SkeletonSchema.model_validate({**given.model_dump(), "retired": list(retired)})
    except ValidationError as error:
        (found, *_) = error.errors()
        pointer = found.get("ctx", {}).get("pointer", "/retired")
        raise Invalid(found["msg"], [FieldProblem(pointer=pointer, detail=found["msg"])]) from error


def _renamed(present: SkeletonSchema, wanted: SkeletonSchema) -> list[str]:
    """The retired keypoints by the names that they have in a skeleton that renames some in place."""
    places = [present.keypoints.index(name) for name in present.retired]
    return [wanted.keypoints[place] for place in places if place < len(wanted.keypoints)]


def _check(session: Session, project: Project, present: SkeletonSchema, wanted: SkeletonSchema) -> None:
    """Refuse what would take labels their meaning."""
    before, after = present.keypoints, wanted.keypoints
    moved = [name for place, name in enumerate(before) if name in after and after.index(name) != place]
    gone = range(len(after), len(before))
    if not moved and not gone:
        return
    if [name for name in before if name in after] == after and not _is_used(session, project):
        return
    if moved:
        raise invalid(
            "/skeleton/keypoints",
            f"{moved[0]!r} changed its place: labels would change their meaning. A keypoint in the middle can be"
            f' retired instead: {{"retired": ["{_left_out(before, after)}"]}}',
        )
    for place in gone:
        if (why := _use_of(session, project, place)) is not None:
            raise invalid(
                "/skeleton/keypoints",
                f"{before[place]!r} cannot be removed: {why}. Retire it instead, then it is in no export and no"
                f' training, and its labels are kept: {{"retired": ["{before[place]}"]}}',
            )


def _left_out(before: Sequence[str], after: Sequence[str]) -> str:
    return next((name for name in before if name not in after), before[-1])


def _is_used(session: Session, project: Project) -> bool:
    """Return whether anything was ever labelled in the project, or a machine made poses."""
    inside = select(Video.id).where(Video.project_id == project.id)
    return any(
        session.scalar(select(table.video_id).where(table.video_id.in_(inside)).limit(1)) is not None
        for table in (Label, Run)
    )


def _use_of(session: Session, project: Project, place: int) -> str | None:
    """The use of a keypoint at any time, in a sentence; None where nothing uses it."""
    inside = select(Video.id).where(Video.project_id == project.id)
    labelled = session.scalar(select(Label.video_id).where(Label.video_id.in_(inside), _says(place)).limit(1))
    if labelled is None:
        labelled = _called_absent(session, inside, place)
    if labelled is not None:
        return f"it was labelled, in video {labelled}"
    sizes = {
        version: len(definition["keypoints"])
        for version, definition in session.execute(
            select(SkeletonVersion.version, SkeletonVersion.definition).where(SkeletonVersion.project_id == project.id)
        )
    }
    having = [version for version, size in sizes.items() if size > place]
    made = (
        select(Run.id)
        .join(Job, Job.id == Run.job_id)
        .where(Run.video_id.in_(inside), Run.skeleton_version.in_(having), Job.kind.not_in(_FROM_LABELS))
    )
    run = session.scalar(made.limit(1))
    return f"run {run} may have poses of it" if run is not None else None


def _called_absent(session: Session, inside: Select[int], place: int) -> int | None:
    """A video in which somebody said of a keypoint, and not of the whole subject, that it is absent."""
    rows = session.execute(
        select(Label.video_id, Label.absent).where(Label.video_id.in_(inside), Label.absent.is_not(None))
    )
    return next(
        (video for video, row in rows if row is not None and row[place : place + 1] == b"\1" and 0 in row), None
    )


def _says(place: int) -> ColumnElement[bool]:
    """Return whether a label has something at the place of a keypoint: SQL counts bytes from 1."""
    point = func.substr(Label.keypoints, place * _POINT + 1, _POINT)
    return and_(func.length(point) == _POINT, point != bytes(_POINT))
