"""Pages of a list: ``limit`` and an opaque ``cursor`` in, ``items`` and ``next_cursor`` out.

A cursor of a list that goes either way says which way it goes: one that was given before lists began with what is
newest goes on as it began.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.errors import invalid

Row = TypeVar("Row")
Item = TypeVar("Item")

#: What comes first.
Order = Literal["newest", "oldest"]

#: Shows all rows of a page at once, so that what they need can be asked for together.
Show = Callable[[Sequence[Any]], list[Item]]

_CURSOR = re.compile(r"(<?)([0-9]{1,16})")


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True)
class PageRequest:
    """Which page is wanted."""

    limit: int
    after: int | None
    backwards: bool | None = None

    def of(
        self,
        session: Session,
        query: Select[Row],
        key: InstrumentedAttribute[int],
        show: Show[Item],
        *,
        newest_first: bool = False,
    ) -> Page[Item]:
        """Run a query for this page, in order of ``key`` or from its end backwards."""
        rows, last = self._rows(session, query, key, backwards=newest_first)
        return Page(items=show(rows), next_cursor=None if last is None else _encode(str(last)))

    def either_way(
        self,
        session: Session,
        query: Select[Row],
        key: InstrumentedAttribute[int],
        show: Show[Item],
        order: Order | None,
        *,
        few: bool = False,
    ) -> Page[Item]:
        """Run a query for this page of a list that begins with what is newest, unless its reader wants otherwise.

        Args:
            session: The transaction.
            query: Of rows.
            key: What grows with age.
            show: Shows all rows of a page at once.
            order: What the reader wants to come first.
            few: Whether few rows are asked for out of many: an index that finds them is better than one in order.

        Raises:
            Invalid: The cursor is of the list in the other order.
        """
        backwards = order != "oldest" if self.backwards is None else self.backwards
        if order is not None and backwards != (order == "newest"):
            raise invalid("/cursor", "this cursor is of the list in the other order", "query")
        rows, last = self._rows(session, query, key, backwards=backwards, few=few)
        sign = "<" if backwards else ""
        return Page(items=show(rows), next_cursor=None if last is None else _encode(f"{sign}{last}"))

    def _rows(
        self,
        session: Session,
        query: Select[Row],
        key: InstrumentedAttribute[int],
        *,
        backwards: bool,
        few: bool = False,
    ) -> tuple[Sequence[Row], int | None]:
        """The rows of the page, and the key of the last one where there are more."""
        if self.after is not None:
            query = query.where(key < self.after if backwards else key > self.after)
        # Of a sum no database knows that an index has it in order.
        place = key + 0 if few else key
        rows = session.scalars(query.order_by(place.desc() if backwards else place).limit(self.limit + 1)).all()
        shown = rows[: self.limit]
        return shown, getattr(shown[-1], key.key) if len(rows) > self.limit else None


def each(show: Callable[[Any], Item]) -> Show[Item]:
    """Show each row of a page on its own."""
    return lambda rows: [show(row) for row in rows]


def _page(
    limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: Annotated[str | None, Query(max_length=64)] = None
) -> PageRequest:
    if cursor is None:
        return PageRequest(limit=limit, after=None)
    after, backwards = _decode(cursor)
    return PageRequest(limit=limit, after=after, backwards=backwards)


PageDep = Annotated[PageRequest, Depends(_page)]


def encode_place(*place: float) -> str:
    """A cursor that stands for a place of several numbers, for lists that are no query's."""
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def decode_place(cursor: str | None, count: int) -> tuple[float, ...] | None:
    """The ``count`` numbers of ``encode_place``; None where there is no cursor.

    Raises:
        Invalid: It is no such cursor.
    """
    if cursor is None:
        return None
    try:
        place = json.loads(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error, RecursionError):
        place = None
    numbers = isinstance(place, list) and all(type(one) in (int, float) for one in place)
    if not numbers or len(place) != count or not all(abs(one) <= 2**53 for one in place):
        raise invalid("/cursor", "this is not a cursor that an earlier page gave", "query")
    return tuple(place)


def _encode(after: str) -> str:
    return base64.urlsafe_b64encode(after.encode()).decode()


def _decode(cursor: str) -> tuple[int, bool]:
    """A key, and whether the list goes backwards from there."""
    try:
        text = base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        text = ""
    found = _CURSOR.fullmatch(text)
    if found is None or int(found[2]) > 2**53:
        raise invalid("/cursor", "this is not a cursor that an earlier page gave", "query")
    return int(found[2]), bool(found[1])
