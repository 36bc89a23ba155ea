"""``Idempotency-Key``: repeating a POST gives its first answer instead of doing the thing twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.dependencies import CallerDep, SessionDep
from app.errors import Conflict, invalid
from app.tables import Idempotency

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
