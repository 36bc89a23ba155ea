"""``/me`` and ``/keys``."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import select

from app.audit import service as audit
from app.dependencies import CallerDep, Id, SessionDep, require
from app.errors import problem_responses
from app.keys import service
from app.keys.once import OnceWithKeyDep
from app.keys.schemas import KeyIn, KeyOut, Me, NewKeyOut
from app.keys.service import Role
from app.labs import service as labs
from app.pagination import Page, PageDep, each
from app.tables import ApiKey, BrowserSession, Lab

router = APIRouter(tags=["keys"])


@router.get("/me")
def who_am_i(session: SessionDep, caller: CallerDep) -> Me:
    """Whose key or session this is and what it may do."""
    key = session.get_one(ApiKey, caller.key_id) if caller.key_id is not None else None
    browser = session.get(BrowserSession, caller.session_id) if caller.session_id is not None else None
    return Me(
        lab_id=caller.lab_id,
        lab_name=session.get_one(Lab, caller.lab_id).name,
        key_id=caller.key_id,
        key_name=key.name if key else None,
        role=caller.role,
        operator=labs.is_operator(session, caller),
        session_expires_at=browser.expires_at if browser else None,
    )


@router.get("/keys", dependencies=[require(Role.ADMIN)])
def list_keys(session: SessionDep, caller: CallerDep, page: PageDep) -> Page[KeyOut]:
    """The lab's keys, without their secrets."""
    return page.of(
        session, select(ApiKey).where(ApiKey.lab_id == caller.lab_id), ApiKey.id, each(KeyOut.model_validate)
    )


@router.post(
    "/keys",
    status_code=201,
    dependencies=[require(Role.ADMIN)],
    response_model=NewKeyOut,
    responses=problem_responses(409),
)
def create_key(body: KeyIn, session: SessionDep, caller: CallerDep, once: OnceWithKeyDep) -> NewKeyOut | JSONResponse:
    """Make a key. Its text is in this answer and kept nowhere.

    It comes again where the request is repeated with its ``Idempotency-Key`` by whoever sent it first.
    """

    def make(secret: str | None) -> NewKeyOut:
        row, key = service.create(
            session, caller.lab_id, name=body.name, role=body.role, expires_at=body.expires_at, secret=secret
        )
        audit.record(session, caller, "key.create", id=row.id, name=row.name, role=row.role)
        return NewKeyOut(**KeyOut.model_validate(row).model_dump(), key=key)

    return once(make, status=201)


@router.delete("/keys/{key_id}", status_code=204, dependencies=[require(Role.ADMIN)], responses=problem_responses(409))
def revoke_key(key_id: Id, session: SessionDep, caller: CallerDep) -> None:
    """End a key at once."""
    if service.revoke(session, caller.lab_id, key_id):
        audit.record(session, caller, "key.revoke", id=key_id)
