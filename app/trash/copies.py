"""Copies of the database that were made, and what they hold that was erased since."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from app.tables import BackupCopy, Erasure, Lab, Project, Video

KINDS: dict[str, type[Video | Project | Lab]] = {"video": Video, "project": Project, "lab": Lab}

_NAME = re.compile(r"(video|project|lab):([0-9]{1,15})")


class NoSuchThing(ValueError):
    """A name that is none, or of something that never was here; the text is for people."""


@dataclass(frozen=True)
class Held:
    """A copy, and what it holds that was erased after it was made.

    Attributes:
        path: Where it was written.
        made_at: When.
        erased: Names, as in ``video:7``.
    """

    path: str
    made_at: datetime
    erased: list[str]


def record(session: Session, target: Path, made_at: datetime) -> None:
    """Write down that a copy was made."""
    session.add(BackupCopy(path=str(target.absolute()), made_at=made_at))


def destroyed(session: Session, path: Path) -> int:
    """Write down that the copies that were written to a file are no more; tells how many."""
    rows = session.scalars(select(BackupCopy).where(_is_there(), BackupCopy.path == str(path.absolute()))).all()
    for row in rows:
        row.destroyed_at = datetime.now(UTC)
    return len(rows)


def all_of(session: Session, thing: str | None = None) -> list[Held]:
    """The copies that are not destroyed, oldest first, with what each holds that was erased since.

    Args:
        session: The transaction.
        thing: Only copies that hold this, erased or not, as in ``video:7``.

    Raises:
        NoSuchThing: There is none, nor was there one.
    """
    copies = session.scalars(select(BackupCopy).where(_is_there()).order_by(BackupCopy.made_at, BackupCopy.id)).all()
    gone = session.scalars(select(Erasure).order_by(Erasure.id)).all()
    since, until = _life(session, thing) if thing is not None else (None, None)
    return [
        Held(
            path=copy.path,
            made_at=copy.made_at,
            erased=[f"{one.kind}:{one.thing_id}" for one in gone if one.made_at <= copy.made_at < one.erased_at],
        )
        for copy in copies
        if (since is None or since <= copy.made_at) and (until is None or copy.made_at < until)
    ]


def _is_there() -> ColumnElement[bool]:
    return BackupCopy.destroyed_at.is_(None)


def _life(session: Session, thing: str) -> tuple[datetime, datetime | None]:
    """From when to when something was in the database."""
    match = _NAME.fullmatch(thing)
    if match is None:
        raise NoSuchThing(f"{thing!r} names nothing; write video:7, project:3 or lab:2")
    kind, number = match[1], int(match[2])
    row = session.scalar(select(Erasure).where(Erasure.kind == kind, Erasure.thing_id == number))
    if row is not None:
        return row.made_at, row.erased_at
    here = cast("Video | Project | Lab | None", session.get(KINDS[kind], number))
    if here is None:
        raise NoSuchThing(f"there is no {kind} {number}, and none was erased")
    return here.created_at, None
