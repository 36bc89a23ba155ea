"""Acts that read much before they write: the reading is done first, in a transaction that keeps nobody from writing.

What was read may not stand any more when it is the act's turn to write. Then it is read again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, TypeVar

from fastapi import Depends
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy.orm import Session

from app.dependencies import ReadingDep, WritingDep
from app.errors import Busy, ServiceError
from app.idempotency import AskedDep, Once
from app.labels.revision import Moved

Thing = TypeVar("Thing")
Plan = TypeVar("Plan")
Answer = TypeVar("Answer", bound=BaseModel)

_TRIES = 5


@dataclass(frozen=True)
class Prepared:
    """Runs such an act, once for an idempotency key."""

    reading: ReadingDep
    writing: WritingDep
    asked: AskedDep

    async def __call__(
        self,
        find: Callable[[Session], Thing],
        read: Callable[[Session, Thing], Plan],
        write: Callable[[Session, Thing, Plan], Answer],
        *,
        status: int,
    ) -> Answer | JSONResponse:
        """Do it.

        Args:
            find: Gives what the act is about, where the caller may see it.
            read: Gives what has to be known of it, and raises what is wrong.
            write: Does the act, and raises ``Moved`` where what was read does not stand any more.
            status: Of the answer.

        Raises:
            ServiceError: As the three.
            Busy: Others went on changing what was read.
        """
        lab_id = self.writing.caller.lab_id
        for _ in range(_TRIES):
            found = await self.reading(partial(_attempt, find, read), lab_id, large=True)
            try:
                return await self.writing(partial(self._write, find, write, found, status))
            except Moved:
                continue
        raise Busy("others are changing the labels that this is about; send this again")

    def _write(
        self,
        find: Callable[[Session], Thing],
        write: Callable[[Session, Thing, Plan], Answer],
        found: Plan | ServiceError,
        status: int,
        session: Session,
    ) -> Answer | JSONResponse:
        thing = find(session)

        def make() -> Answer:
            if isinstance(found, ServiceError):
                raise found
            return write(session, thing, found)

        once = Once(session, self.writing.caller.lab_id, self.asked.key, self.asked.request)
        return once(make, status=status)


async def _prepared(reading: ReadingDep, writing: WritingDep, asked: AskedDep) -> Prepared:
    return Prepared(reading, writing, asked)


PreparedDep = Annotated[Prepared, Depends(_prepared)]


def _attempt(
    find: Callable[[Session], Thing], read: Callable[[Session, Thing], Plan], session: Session
) -> Plan | ServiceError:
    # Not raised yet: where this was asked before, the first answer is given, whatever has become of it since.
    try:
        return read(session, find(session))
    except ServiceError as error:
        return error
