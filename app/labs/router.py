"""``/lab`` and ``/labs``."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import select

from app.dependencies import OPERATOR, CallerDep, DeletedDep, SessionDep, SettingsDep
from app.errors import problem_responses
from app.keys.once import OnceWithKeyDep
from app.keys.schemas import KeyOut, NewKeyOut
from app.labs import service
from app.labs.schemas import LabIn, LabOut, LabUsage, NewLabOut
from app.pagination import Page, PageDep
from app.tables import Lab

router = APIRouter(tags=["labs"])


@router.get("/lab")
def get_lab(session: SessionDep, caller: CallerDep, settings: SettingsDep) -> LabUsage:
    """The caller's lab, how much it has and how much it may have."""
    return service.usage(session, settings, session.get_one(Lab, caller.lab_id))


@router.get("/labs", dependencies=[OPERATOR])
def list_labs(session: SessionDep, page: PageDep, deleted: DeletedDep = False) -> Page[LabOut]:
    """The labs of the installation, for its operator: their names, and nothing of theirs.

    With ``deleted`` those that were deleted and are not erased yet.
    """
    query = select(Lab).where(Lab.deleted_at.is_not(None) == deleted, Lab.erased_at.is_(None))
    return page.of(session, query, Lab.id, partial(service.show_all, session))


@router.post(
    "/labs", status_code=201, dependencies=[OPERATOR], response_model=NewLabOut, responses=problem_responses(409)
)
def create_lab(body: LabIn, session: SessionDep, caller: CallerDep, once: OnceWithKeyDep) -> NewLabOut | JSONResponse:
    """Make a lab. The text of its first key is in this answer and kept nowhere.

    It comes again where the request is repeated with its ``Idempotency-Key`` by whoever sent it first.
    """

    def make(secret: str | None) -> NewLabOut:
        lab, row, text = service.create(session, caller, body.name, secret)
        key = NewKeyOut(**KeyOut.model_validate(row).model_dump(), key=text)
        return NewLabOut(**service.show(session, lab).model_dump(), key=key)

    return once(make, status=201)
