"""``Idempotency-Key``: repeating a POST gives its first answer instead of doing the thing twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import ColumnElement, and_, delete, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.dependencies import CallerDep, SessionDep
from app.errors import Conflict, invalid
from app.tables import Idempotency, Lab, Project, Upload, Video

Answer = TypeVar("Answer", bound=BaseModel)


@dataclass(frozen=True)
class Once:
    """Runs a piece of work once for an idempotency key, in the transaction of the request."""

    session: Session
    lab_id: int
    key: str | None
    request: str

    def __call__(self, make: Callable[[], Answer], *, status: int) -> Answer | JSONResponse:
        """Do the work and remember its answer, or give the answer remembered.

        Raises:
            Invalid: The key was used for another request.
            Conflict: The first request with this key is still under way.
        """
        if self.key is None:
            return make()
        first = self.session.get(Idempotency, (self.lab_id, self.key))
        if first is not None:
            if first.request != self.request:
                raise invalid("/idempotency-key", "this key was used for another request", "header")
            return JSONResponse(first.body, status_code=first.status)
        row = Idempotency(lab_id=self.lab_id, key=self.key, request=self.request, status=status, body={})
        self.session.add(row)
        try:
            self.session.flush()
        except IntegrityError as error:
            raise Conflict("the first request with this idempotency key is still under way") from error
        answer = make()
        row.body = answer.model_dump(mode="json")
        return answer


IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=200, description="Repeating a request with the same key gives its first answer"),
]


# The body is here: ``SessionDep`` waits for it before it opens a transaction.
async def _once(
    request: Request, session: SessionDep, caller: CallerDep, idempotency_key: IdempotencyKey = None
) -> Once:
    digest = hashlib.sha256(await request.body()).hexdigest()
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Once(session, caller.lab_id, idempotency_key, f"{request.method} {asked} {digest}")


OnceDep = Annotated[Once, Depends(_once)]


def forget(session: Session, thing: Video | Project | Lab) -> None:
    """Forget the answers that told of something: they must not be given again, nor be kept."""
    if isinstance(thing, Lab):
        session.execute(delete(Idempotency).where(Idempotency.lab_id == thing.id))
        return
    body = Idempotency.body
    told: list[ColumnElement[bool]]
    if isinstance(thing, Project):
        lab_id, kind = thing.lab_id, "projects"
        told = [
            and_(
                or_(*(Idempotency.request.startswith(f"POST /api/v1/projects{end}") for end in " ?")),
                body["id"].as_string() == str(thing.id),
            ),
            body["project_id"].as_string() == str(thing.id),
            Idempotency.request.startswith(f"POST videos of {thing.id} "),
        ]
        videos = select(Video.id).where(Video.project_id == thing.id)
        told += [Idempotency.request.startswith(f"POST /api/v1/videos/{number}/") for number in session.scalars(videos)]
    else:
        lab_id, kind = session.get_one(Project, thing.project_id).lab_id, "videos"
        uploads = [*session.scalars(select(Upload.id).where(Upload.video_id == thing.id))]
        told = [
            body["video_id"].as_string() == str(thing.id),
            and_(Idempotency.request.startswith("POST videos of "), body["id"].as_string() == str(thing.id)),
            and_(Idempotency.request.startswith("POST uploads "), body["id"].as_string().in_(uploads)),
        ]
    told.append(Idempotency.request.startswith(f"POST /api/v1/{kind}/{thing.id}/"))
    session.execute(
        delete(Idempotency).where(Idempotency.lab_id == lab_id, or_(*told)),
        execution_options={"synchronize_session": False},
    )
