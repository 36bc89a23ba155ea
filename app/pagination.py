"""Pages of a list: ``limit`` and an opaque ``cursor`` in, ``items`` and ``next_cursor`` out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Query
from pydantic import BaseModel
from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from app.errors import invalid

Row = TypeVar("Row")
Item = TypeVar("Item")


class Page(BaseModel, Generic[Item]):
    """One page of a list."""

    items: list[Item]
    next_cursor: str | None


@dataclass(frozen=True)
class PageRequest:
    """Which page is wanted."""

    limit: int
    after: int | None

    def of(
        self,
        session: Session,
        query: Select[Row],
        key: InstrumentedAttribute[int],
        show: Callable[[Any], Item],
        *,
        newest_first: bool = False,
    ) -> Page[Item]:
        """Run a query for this page, in order of ``key`` or from its end backwards."""
        if self.after is not None:
            query = query.where(key < self.after if newest_first else key > self.after)
        rows = session.scalars(query.order_by(key.desc() if newest_first else key).limit(self.limit + 1)).all()
        shown = rows[: self.limit]
        more = len(rows) > self.limit
        return Page(
            items=[show(row) for row in shown], next_cursor=_encode(getattr(shown[-1], key.key)) if more else None
        )


def _page(
    limit: Annotated[int, Query(ge=1, le=200)] = 50, cursor: Annotated[str | None, Query(max_length=64)] = None
) -> PageRequest:
    return PageRequest(limit=limit, after=_decode(cursor) if cursor is not None else None)


PageDep = Annotated[PageRequest, Depends(_page)]


def _encode(after: int) -> str:
    return base64.urlsafe_b64encode(str(after).encode()).decode()


def _decode(cursor: str) -> int:
    try:
        after = int(base64.b64decode(cursor.encode("ascii"), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        after = -1
    if not 0 <= after <= 2**53:
        raise invalid("/cursor", "this is not a cursor that an earlier page gave", "query")
    return after
