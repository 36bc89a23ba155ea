"""``DELETE`` and ``restore`` of videos, projects and labs."""

from __future__ import annotations

from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session

from app.dependencies import CallerDep, Id, SettingsDep, WritingDep, require
from app.errors import Forbidden, problem_responses
from app.keys.service import Caller, Role
from app.labs import service as labs
from app.labs.schemas import LabOut
from app.projects import service as projects
from app.projects.schemas import ProjectOut
from app.settings import Settings
from app.trash import service
from app.trash.schemas import Deletion
from app.trash.service import Thing
from app.uploads.receive import UploadServices
from app.videos import service as videos
from app.videos.schemas import VideoOut

router = APIRouter(tags=["trash"])

Purge = Annotated[bool, Query(description="Erase it at once instead of after the days of the trash; for admins")]


@router.delete("/videos/{video_id}", status_code=202, dependencies=[require(Role.LAB)])
async def delete_video(
    video_id: Id, request: Request, caller: CallerDep, settings: SettingsDep, writing: WritingDep, purge: Purge = False
) -> Deletion:
    """Delete a video: hidden at once with all that holds it, and erased later. The same bytes sent again are a new one.

    Estimators that learnt from it are named in the answer and stay, marked.
    """
    _check_may_purge(caller, purge)
    return await _delete(request, writing, settings, caller, lambda s: service.find_video(s, caller, video_id), purge)


@router.post("/videos/{video_id}/restore", dependencies=[require(Role.LAB)], responses=problem_responses(409))
async def restore_video(video_id: Id, caller: CallerDep, settings: SettingsDep, writing: WritingDep) -> VideoOut:
    """Show a deleted video again, with its labels, runs and exports. Jobs that were cancelled stay so."""

    def act(session: Session) -> VideoOut:
        video = service.find_video(session, caller, video_id)
        service.restore(session, settings, video, caller)
        return videos.show(session, video)

    return await writing(act)


@router.delete("/projects/{project_id}", status_code=202, dependencies=[require(Role.LAB)])
async def delete_project(
    project_id: Id,
    request: Request,
    caller: CallerDep,
    settings: SettingsDep,
    writing: WritingDep,
    purge: Purge = False,
) -> Deletion:
    """Delete a project with its videos, exports and checkpoints: hidden at once, and erased later."""
    _check_may_purge(caller, purge)
    return await _delete(
        request, writing, settings, caller, lambda s: service.find_project(s, caller, project_id), purge
    )


@router.post("/projects/{project_id}/restore", dependencies=[require(Role.LAB)], responses=problem_responses(409))
async def restore_project(project_id: Id, caller: CallerDep, settings: SettingsDep, writing: WritingDep) -> ProjectOut:
    """Show a deleted project again. Videos that were deleted on their own stay deleted."""

    def act(session: Session) -> ProjectOut:
        project = service.find_project(session, caller, project_id)
        service.restore(session, settings, project, caller)
        return projects.show(session, project)

    return await writing(act)


@router.delete("/labs/{lab_id}", status_code=202, dependencies=[require(Role.ADMIN)], responses=problem_responses(409))
async def delete_lab(
    lab_id: Id, request: Request, caller: CallerDep, settings: SettingsDep, writing: WritingDep, purge: Purge = False
) -> Deletion:
    """Delete a lab with all that it owns: its keys end at once. For its own admins, and for the operator.

    Only the operator can restore it: nobody of the lab comes in any more.
    """

    def find(session: Session) -> Thing:
        return service.find_lab(session, caller, lab_id, operator=labs.is_operator(session, caller))

    return await _delete(request, writing, settings, caller, find, purge)


@router.post("/labs/{lab_id}/restore", dependencies=[require(Role.ADMIN)], responses=problem_responses(409))
async def restore_lab(lab_id: Id, caller: CallerDep, settings: SettingsDep, writing: WritingDep) -> LabOut:
    """Show a deleted lab again, and let its keys in. For the operator."""

    def act(session: Session) -> LabOut:
        operator = labs.is_operator(session, caller)
        lab = service.find_lab(session, caller, lab_id, operator=operator)
        if not operator:
            raise Forbidden("this is for the operator of the installation: an admin of its first lab")
        service.restore(session, settings, lab, caller)
        return labs.show(session, lab)

    return await writing(act)


async def _delete(
    request: Request,
    writing: WritingDep,
    settings: Settings,
    caller: Caller,
    find: service.Find,
    purge: bool,
) -> Deletion:
    deletion, uploads = await writing(lambda s: service.delete(s, settings, find(s), caller, purge=purge))
    request.app.state.access_cache.clear()
    upload_services: UploadServices = request.app.state.upload_services
    # What another request is writing to, or lies on another machine, is removed when uploads are swept.
    await to_thread.run_sync(upload_services.parts.remove_idle, uploads)
    return deletion


def _check_may_purge(caller: Caller, purge: bool) -> None:
    if purge and not caller.role.includes(Role.ADMIN):
        raise Forbidden(f"erasing at once needs the role 'admin', the key has {caller.role.value!r}; leave purge out")
