"""``/session``."""

from __future__ import annotations

from datetime import datetime

from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.dependencies import (
    CallerDep,
    DatabaseDep,
    GlancingDep,
    SessionDep,
    SettingsDep,
    TurnsDep,
    VisitorDep,
)
from app.errors import Conflict, NotFound, problem_responses
from app.faces import SESSION_COOKIE
from app.keys.service import Caller
from app.sessions import service
from app.sessions.schemas import SessionOut

router = APIRouter(prefix="/session", tags=["session"])

#: The cookie goes along with calls of the API and with nothing else.
_PATH = "/api/v1"


@router.post("", status_code=201, responses=problem_responses(409))
async def open_session(
    request: Request,
    response: Response,
    visitor: VisitorDep,
    glancing: GlancingDep,
    database: DatabaseDep,
    turns: TurnsDep,
    settings: SettingsDep,
) -> SessionOut:
    """Open a session for a browser: shows an API key once, or a token that `posetween up` made for one use, and gets a
    cookie that stands for the key.
    """
    token = visitor.key if settings.auth and service.is_offer(visitor.key) else None

    def whose(session: Session) -> Caller:
        if token is None:
            return visitor.caller(session)
        caller = service.bearer(session, token)
        visitor.let_in(caller)
        return caller

    def write(caller: Caller) -> tuple[datetime, str]:
        with database.session() as session:
            if token is not None:
                service.redeem(session, token)
            else:
                service.confirm(session, caller)
            row, text = service.open_session(session, caller, settings.session_hours)
            audit.record(session, caller, "session.open", expires_at=row.expires_at.isoformat())
            return row.expires_at, text

    caller = await glancing(whose)
    if not settings.auth:
        raise Conflict("this service asks for no key, so there is no need for a session")
    async with turns.writing.of(caller.lab_id):
        expires_at, text = await run_in_threadpool(write, caller)
    response.set_cookie(
        SESSION_COOKIE,
        text,
        expires=expires_at,
        path=_PATH,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return SessionOut(expires_at=expires_at)


@router.delete("", status_code=204)
def close_session(request: Request, response: Response, session: SessionDep, caller: CallerDep) -> None:
    """End the session of this browser, here and in its cookie."""
    if caller.session_id is None:
        raise NotFound("this request came with a key, not with a session")
    service.close(session, caller.session_id)
    audit.record(session, caller, "session.close")
    secure = request.url.scheme == "https"
    response.delete_cookie(SESSION_COOKIE, path=_PATH, secure=secure, httponly=True, samesite="strict")
