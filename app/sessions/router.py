"""``/session``."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from app.audit import service as audit
from app.dependencies import SESSION_COOKIE, CallerDep, SessionDep, SettingsDep
from app.errors import Conflict, NotFound, problem_responses
from app.sessions import service
from app.sessions.schemas import SessionOut

router = APIRouter(prefix="/session", tags=["session"])

#: The cookie goes along with calls of the API and with nothing else.
_PATH = "/api/v1"


@router.post("", status_code=201, responses=problem_responses(409))
def open_session(
    request: Request, response: Response, session: SessionDep, settings: SettingsDep, caller: CallerDep
) -> SessionOut:
    """Open a session for a browser: shows an API key once and gets a cookie that stands for it."""
    if not settings.auth:
        raise Conflict("this service asks for no key, so there is no need for a session")
    row, text = service.open_session(session, caller, settings.session_hours)
    audit.record(session, caller, "session.open", expires_at=row.expires_at.isoformat())
    response.set_cookie(
        SESSION_COOKIE,
        text,
        expires=row.expires_at,
        path=_PATH,
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )
    return SessionOut(expires_at=row.expires_at)


@router.delete("", status_code=204)
def close_session(request: Request, response: Response, session: SessionDep, caller: CallerDep) -> None:
    """End the session of this browser, here and in its cookie."""
    if caller.session_id is None:
        raise NotFound("this request came with a key, not with a session")
    service.close(session, caller.session_id)
    audit.record(session, caller, "session.close")
    secure = request.url.scheme == "https"
    response.delete_cookie(SESSION_COOKIE, path=_PATH, secure=secure, httponly=True, samesite="strict")
