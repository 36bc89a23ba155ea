"""``Idempotency-Key``: repeating a POST gives its first answer instead of doing the thing twice."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, TypeVar

from fastapi import Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from app.database import Database
from app.dependencies import CallerDep, SessionDep
from app.errors import Conflict, invalid
from app.tables import Idempotency
from app.turns import FairTurns

log = logging.getLogger(__name__)

Answer = TypeVar("Answer", bound=BaseModel)

#: How long an answer is remembered.
REMEMBERED = timedelta(days=7)

_AT_ONCE = 200
_FORGET_SECONDS = 3600


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
        if (first := self.first()) is not None:
            return JSONResponse(first.body, status_code=first.status)
        row = self.begin(status)
        answer = make()
        row.body = answer.model_dump(mode="json")
        return answer

    def first(self) -> Idempotency | None:
        """The answer to the first request with this key; None where there was none.

        Raises:
            Invalid: The key was used for another request.
        """
        first = self.session.get(Idempotency, (self.lab_id, self.key))
        if first is not None and first.request != self.request:
            raise invalid("/idempotency-key", "this key was used for another request", "header")
        return first

    def begin(self, status: int) -> Idempotency:
        """Keep the key for this request; whoever does the work writes its answer there.

        Raises:
            Conflict: The first request with this key is still under way.
        """
        row = Idempotency(lab_id=self.lab_id, key=self.key, request=self.request, status=status, body={})
        self.session.add(row)
        try:
            self.session.flush()
        except IntegrityError as error:
            raise Conflict("the first request with this idempotency key is still under way") from error
        return row


IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=200, description="Repeating a request with the same key gives its first answer"),
]


@dataclass(frozen=True)
class Asked:
    """A request in a line, and its idempotency key."""

    key: str | None
    request: str


async def _asked(request: Request, caller: CallerDep, idempotency_key: IdempotencyKey = None) -> Asked:
    digest = hashlib.sha256(await request.body()).hexdigest()
    asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return Asked(idempotency_key, f"{request.method} {asked} {digest}")


#: For handlers that open transactions of their own.
AskedDep = Annotated[Asked, Depends(_asked)]


async def _once(asked: AskedDep, session: SessionDep, caller: CallerDep) -> Once:
    return Once(session, caller.lab_id, asked.key, asked.request)


OnceDep = Annotated[Once, Depends(_once)]


def forget_old(database: Database) -> bool:
    """Forget some answers that nobody asks for any more: whoever repeats a request does so soon.

    Returns:
        Whether there may be more of them.
    """
    old = Idempotency.created_at < datetime.now(UTC) - REMEMBERED
    with database.session(readonly=True) as session:
        rows = session.execute(select(Idempotency.lab_id, Idempotency.key).where(old).limit(_AT_ONCE)).all()
    if rows:
        with database.session() as session:
            for row in rows:
                session.execute(delete(Idempotency).where(Idempotency.lab_id == row.lab_id, Idempotency.key == row.key))
    return len(rows) == _AT_ONCE


async def keep_forgetting(database: Database, turn: FairTurns) -> None:
    """Forget now and then, for ever, taking turns with the requests that write, a turn for a few answers."""
    while True:
        try:
            more = True
            while more:
                async with turn.of(None):
                    more = await run_in_threadpool(forget_old, database)
        except SQLAlchemyError:
            log.warning("answers of long ago could not be forgotten this time", exc_info=True)
        await asyncio.sleep(_FORGET_SECONDS)
