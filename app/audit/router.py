"""``/audit``."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import select

from app.audit import service
from app.audit.schemas import EntryOut, Kind
from app.dependencies import MAX_ID, CallerDep, SessionDep, require
from app.keys.service import Role
from app.pagination import Page, PageDep
from app.tables import AuditEntry

router = APIRouter(tags=["audit"])

Wanted = Annotated[int | None, Query(ge=1, le=MAX_ID)]


@router.get("/audit", dependencies=[require(Role.LAB)])
def list_acts(
    session: SessionDep,
    caller: CallerDep,
    page: PageDep,
    kind: Kind | None = None,
    project_id: Wanted = None,
    video_id: Wanted = None,
    key_id: Wanted = None,
) -> Page[EntryOut]:
    """Who did what in the lab, newest first."""
    query = select(AuditEntry).where(AuditEntry.lab_id == caller.lab_id)
    for column, value in (
        (AuditEntry.kind, kind),
        (AuditEntry.project_id, project_id),
        (AuditEntry.video_id, video_id),
        (AuditEntry.key_id, key_id),
    ):
        if value is not None:
            query = query.where(column == value)
    return page.of(session, query, AuditEntry.id, partial(service.show_all, session), newest_first=True)
