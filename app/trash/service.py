"""Hiding what is deleted, with all that is under way for it, and showing it again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.audit.schemas import Kind as Act
from app.errors import Conflict, NotFound
from app.jobs import ledger
from app.jobs.params import TrainingParams
from app.jobs.states import FINISHED
from app.keys import service as keys
from app.keys.service import Caller
from app.runs import packing
from app.settings import Settings
from app.tables import Checkpoint, Export, ExportVideo, Job, Lab, Project, Upload, Video
from app.trainings.service import TRAIN
from app.trash import answers, dependants
from app.trash.schemas import Deletion, Kind, Rests
from app.videos import service as videos

Thing = Video | Project | Lab
Find = Callable[[Session], Thing]
_Thing = TypeVar("_Thing", Video, Project, Lab)

_CALLED_OFF = "what this was about was deleted"


def find_video(session: Session, caller: Caller, video_id: int) -> Video:
    """The caller's video, deleted or not.

    Raises:
        NotFound: There is none, or it is another lab's.
    """
    mine = Video.id == video_id, Project.lab_id == caller.lab_id
    return _found(session.scalar(select(Video).join(Project).where(*mine)), f"there is no video {video_id}")


def find_project(session: Session, caller: Caller, project_id: int) -> Project:
    """The caller's project, deleted or not.

    Raises:
        NotFound: There is none, or it is another lab's.
    """
    mine = Project.id == project_id, Project.lab_id == caller.lab_id
    return _found(session.scalar(select(Project).where(*mine)), f"there is no project {project_id}")


def find_lab(session: Session, caller: Caller, lab_id: int, *, operator: bool) -> Lab:
    """The caller's lab; for the operator any, deleted or not.

    Raises:
        NotFound: There is none, or it is not the caller's.
    """
    lab = session.get(Lab, lab_id) if operator or lab_id == caller.lab_id else None
    return _found(lab if lab is None or lab.erased_at is None else None, f"there is no lab {lab_id}")


def delete(
    session: Session, settings: Settings, thing: Thing, caller: Caller | None, *, purge: bool
) -> tuple[Deletion, list[str]]:
    """Hide something at once, and have it erased: when it can no longer be restored, or now.

    Doing it again changes nothing, unless it shall be erased now.

    Args:
        session: The transaction.
        settings: How long it can be restored.
        thing: What.
        caller: Who wants it; None at the machine itself.
        purge: Whether to erase it without waiting.

    Returns:
        What was done, and the ids of the uploads that ended.

    Raises:
        Conflict: It is the operator's lab.
    """
    _lock(session, thing)
    if isinstance(thing, Lab) and thing.id == keys.first_lab(session):
        raise Conflict("this is the operator's lab: the installation cannot be without it")
    new, now = thing.deleted_at is None, datetime.now(UTC)
    rests = dependants_of(session, thing)
    if new:
        thing.deleted_at, thing.restore_until = now, now + timedelta(days=settings.trash_days)
    sooner = purge and thing.restore_until is not None
    if purge:
        thing.restore_until = None
    session.flush()
    cancelled, ended = end_work(session, thing)
    if new or sooner:
        note = {"purge": purge, "exports": rests.exports, "checkpoints": rests.checkpoints, "runs": rests.runs}
        _note(session, thing, caller, "delete", **note)
    assert thing.deleted_at is not None
    shown = Deletion(
        kind=kind_of(thing),
        id=thing.id,
        deleted_at=thing.deleted_at,
        restore_until=thing.restore_until,
        cancelled_jobs=cancelled,
        ended_uploads=len(ended),
        **rests.model_dump(),
    )
    return shown, ended


def restore(session: Session, settings: Settings, thing: Thing, caller: Caller | None) -> None:
    """Show something again that was deleted; nothing happens where it was not.

    Jobs that were cancelled stay so, but for ingest and packing, which nobody asks for.

    Raises:
        Conflict: It is being erased, what it is in is deleted, or something else has its place.
    """
    _lock(session, thing)
    if isinstance(thing, Video):
        _check_parent(session, thing)
    if thing.deleted_at is None:
        return
    if thing.restore_until is None:
        raise Conflict(f"the {kind_of(thing)} is being erased; nothing brings it back")
    if isinstance(thing, Video):
        _check_free(session, thing)
    elif isinstance(thing, Lab) and session.scalar(
        select(Lab.id).where(Lab.name == thing.name, Lab.deleted_at.is_(None)).limit(1)
    ):
        raise Conflict(f"there is another lab named {thing.name!r} by now")
    thing.deleted_at = thing.restore_until = None
    session.flush()
    for video in _inside(session, thing):
        if video.deleted_at is None and session.get_one(Project, video.project_id).deleted_at is None:
            _work_again(session, settings, video)
    _note(session, thing, caller, "restore")


def end_work(session: Session, thing: Thing) -> tuple[list[int], list[str]]:
    """Have the jobs and uploads of something end; gives their ids. What answered earlier requests is forgotten."""
    answers.forget(session, thing)
    cancelled = ledger.cancel_all(session, jobs_of(session, thing), _CALLED_OFF)
    if isinstance(thing, Video):
        return cancelled, []
    mine = Upload.project_id == thing.id if isinstance(thing, Project) else Upload.lab_id == thing.id
    ended = session.scalars(
        update(Upload)
        .where(mine, Upload.state == "open")
        .values(state="terminated", reason=f"the {kind_of(thing)} that this upload was for was deleted")
        .returning(Upload.id)
        .execution_options(synchronize_session=False)
    )
    return cancelled, sorted(ended)


def jobs_of(session: Session, thing: Thing) -> ColumnElement[bool]:
    """Which jobs are about something: its own, and those that read it."""
    if isinstance(thing, Lab):
        return Job.lab_id == thing.id
    if isinstance(thing, Project):
        made = list(session.scalars(select(Checkpoint.id).where(Checkpoint.project_id == thing.id)))
        used = [Job.params[name].as_integer().in_(made) for name in ("checkpoint_id", "base_checkpoint_id")]
        return or_(Job.project_id == thing.id, and_(Job.lab_id == thing.lab_id, Job.state.not_in(FINISHED), or_(*used)))
    exports = select(Export.job_id).join(ExportVideo, ExportVideo.export_id == Export.id)
    mine = Job.project_id == thing.project_id, Job.kind == TRAIN, Job.state.not_in(FINISHED)
    trainings = [
        number
        for number, params in session.execute(select(Job.id, Job.params).where(*mine))
        if thing.id in {part.id for part in TrainingParams.of(params).snapshot.videos}
    ]
    return or_(
        Job.video_id == thing.id, Job.id.in_(exports.where(ExportVideo.video_id == thing.id)), Job.id.in_(trainings)
    )


def dependants_of(session: Session, thing: Thing) -> Rests:
    """The dependants of something, beside what is in it."""
    if isinstance(thing, Lab):
        return Rests(exports=[], checkpoints=[], runs=[])
    if isinstance(thing, Video):
        return dependants.of_videos(session, session.get_one(Project, thing.project_id).lab_id, [thing.id])
    inside = [video.id for video in _inside(session, thing)]
    return dependants.of_videos(session, thing.lab_id, inside, without=thing.id)


def kind_of(thing: Thing) -> Kind:
    """Its kind, for people and programs."""
    return "video" if isinstance(thing, Video) else "project" if isinstance(thing, Project) else "lab"


def _found(thing: _Thing | None, sentence: str) -> _Thing:
    if thing is None:
        raise NotFound(sentence)
    return thing


def _lock(session: Session, thing: Thing) -> None:
    """Wait for whoever changes it just now; rows may refer to it meanwhile."""
    try:
        session.refresh(thing, with_for_update={"key_share": True})
    except InvalidRequestError as error:
        raise NotFound(f"there is no such {kind_of(thing)}") from error


def _inside(session: Session, thing: Thing) -> list[Video]:
    """A thing's videos, those too that were deleted on their own."""
    if isinstance(thing, Video):
        return [thing]
    mine = Project.id == thing.id if isinstance(thing, Project) else Project.lab_id == thing.id
    return list(session.scalars(select(Video).join(Project).where(mine).order_by(Video.id)))


def _check_parent(session: Session, video: Video) -> None:
    project = session.get_one(Project, video.project_id, populate_existing=True)
    if project.deleted_at is not None:
        raise Conflict(f"project {project.id}, which the video is in, is deleted; restore that first")


def _check_free(session: Session, video: Video) -> None:
    same = Video.project_id == video.project_id, Video.sha256 == video.sha256, Video.deleted_at.is_(None)
    other = session.scalar(select(Video.id).where(*same))
    if other is not None:
        raise Conflict(f"the same bytes were uploaded again since, as video {other}; delete that one first")


def _work_again(session: Session, settings: Settings, video: Video) -> None:
    """Queue again what was cancelled of the work that nobody asks for."""
    project = session.get_one(Project, video.project_id)
    if videos.is_given_up(session, video):
        videos.ingest_again(session, settings, project, video)
    for run in packing.unpacked(session, video.id):
        packing.queue(session, settings, run)


def _note(session: Session, thing: Thing, caller: Caller | None, act: str, **details: Any) -> None:
    kind = cast("Act", f"{kind_of(thing)}.{act}")
    if isinstance(thing, Video):
        if caller is not None:
            audit.record(session, caller, kind, video=thing, **details)
    elif isinstance(thing, Project):
        if caller is not None:
            audit.record(session, caller, kind, project=thing, **details)
    else:
        ours = caller if caller is not None and caller.lab_id == thing.id else None
        # In its own trail the operator has no key: what is another lab's is not for its eyes.
        inside = ours or Caller(lab_id=thing.id, key_id=None, role=keys.Role.ADMIN)
        for actor in (inside, None if ours else caller):
            if actor is not None:
                audit.record(session, actor, kind, lab_id=thing.id, **details)
