"""Objects and the rows that refer to them: recording one, checking all, and removing those that nobody refers to.

Removal and recording exclude each other: recording inserts into the table, also where the row turns out to be there,
and removal holds all of it. Who records an object that was removed a moment before is told so and puts it again.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from sqlalchemy import Column, Select, delete, select, text, union
from sqlalchemy.orm import Session

from app.database import TROUBLE, Database, insert_missing
from app.errors import Busy, DamagedObject, MissingObject
from app.storage import Step, Storage, Stored, go_on
from app.tables import Blob, Discard, Table, Upload

log = logging.getLogger(__name__)

_LISTED = 500  # objects looked at at a time
_REMOVED = 20  # and removed at a time: so long nobody can record one


@dataclass(frozen=True)
class Removed:
    """The objects and bytes that a collection removed.

    Attributes:
        objects: How many.
        bytes: What they took.
    """

    objects: int
    bytes: int


def record(session: Session, storage: Storage, stored: Stored) -> None:
    """Write down that an object is in storage, once, before a row of this transaction refers to it.

    Raises:
        Busy: It was removed since it was put; put it again.
    """
    insert_missing(session, Blob, sha256=stored.sha256, size=stored.size)
    if not storage.has(stored.sha256):
        raise Busy("the stored file was just cleared away as unused; send this again")


def drop_unused(database: Database, storage: Storage, sha256: str) -> None:
    """Remove an object that was stored for a row which then was not written.

    With one writer at a time nobody else can be about to refer to it; otherwise it goes a moment later.
    """
    if database.writers > 1:
        set_aside(database, [sha256])
        return
    with database.session(readonly=True) as session:
        unused = session.get(Blob, sha256) is None and session.scalar(_awaited([sha256])) is None
    if unused:
        storage.discard(sha256)


def references() -> list[Column[str]]:
    """Every column that refers to an object."""
    columns = (column for table in Table.metadata.sorted_tables for column in table.columns)
    return [column for column in columns if any(key.column.table is Blob.__table__ for key in column.foreign_keys)]


def check(database: Database, storage: Storage) -> Iterator[str]:
    """Read every object that a row refers to; gives a sentence for each that is missing or damaged."""
    with database.session(readonly=True) as session:
        wanted = session.scalars(_referred()).all()
    for sha256 in sorted(wanted):
        try:
            storage.verify(sha256)
        except MissingObject:
            yield f"{sha256} is missing"
        except DamagedObject as error:
            yield error.detail


def set_aside(database: Database, digests: Collection[str]) -> None:
    """Have objects removed that were put for rows which then were not written, unless others refer to them.

    They go a moment later: somebody else may have put the same and be about to refer to it. Where the database has no
    time or room for it they stay until something is erased, or they are collected.
    """
    try:
        with database.session() as session:
            for sha256 in sorted(digests):
                insert_missing(session, Discard, sha256=sha256)
    except TROUBLE:
        log.warning("%d unused objects stay", len(digests), exc_info=True)


def collect(
    database: Database, storage: Storage, *, older_than: timedelta, dry: bool = False, step: Step = go_on
) -> Removed:
    """Remove objects that no row refers to and that were put some time ago.

    Args:
        database: Whose rows.
        storage: Whose objects.
        older_than: Younger objects stay: who put them may be about to refer to them.
        dry: Only count.
        step: Called now and then; what it raises ends this.
    """
    before = datetime.now(UTC) - older_than
    objects = size = 0
    for found in storage.objects(_LISTED):
        step()
        old = {sha256: length for sha256, length, put_at in found if put_at < before}
        with database.session(readonly=True) as session:
            unused = sorted(_unused(session, old))
        if not dry:
            batches = (unused[start : start + _REMOVED] for start in range(0, len(unused), _REMOVED))
            unused = [sha256 for batch in batches for sha256 in _remove(database, storage, batch, before)]
        objects += len(unused)
        size += sum(old[sha256] for sha256 in unused)
    return Removed(objects, size)


def discard(database: Database, storage: Storage, *, older_than: timedelta) -> Removed:
    """Remove the objects of what was erased, unless somebody else refers to them, and take them off the list.

    Objects that were put a moment ago stay on it: who put them may be about to refer to them.
    """
    before = datetime.now(UTC) - older_than
    removed: list[tuple[str, int]] = []
    last = ""
    while True:
        with database.session(readonly=True) as session:
            query = select(Discard.sha256).where(Discard.sha256 > last).order_by(Discard.sha256).limit(_REMOVED)
            listed = session.scalars(query).all()
            sizes = dict(session.execute(select(Blob.sha256, Blob.size).where(Blob.sha256.in_(listed))).all())
        if not listed:
            return Removed(len(removed), sum(size for _, size in removed))
        last = listed[-1]
        gone = _remove(database, storage, listed, before)
        removed += [(sha256, sizes.get(sha256, 0)) for sha256 in gone]
        with database.session() as session:
            used = {*listed} - _unused(session, listed)
            done = used | {sha256 for sha256 in {*listed} - used if not storage.has(sha256)}
            session.execute(delete(Discard).where(Discard.sha256.in_(done)))


def _remove(database: Database, storage: Storage, digests: Collection[str], before: datetime) -> list[str]:
    """Remove those of some objects that nobody began to refer to meanwhile; gives them."""
    with database.session() as session:
        if session.get_bind().dialect.name == "postgresql":
            # Waits for transactions that record objects, and lets none begin; readers go on.
            session.execute(text("LOCK TABLE blob IN EXCLUSIVE MODE"))
            # A store far away takes its time, and the database must not take this transaction for a stopped one.
            session.execute(text("SET LOCAL idle_in_transaction_session_timeout = '10min'"))
        unused = _unused(session, digests)
        session.execute(delete(Blob).where(Blob.sha256.in_(unused)))
        removed = [sha256 for sha256 in unused if _put_before(storage, sha256, before)]
        for sha256 in removed:
            storage.discard(sha256)
    return removed


def _put_before(storage: Storage, sha256: str, moment: datetime) -> bool:
    try:
        return storage.put_at(sha256) < moment
    except FileNotFoundError:  # somebody else removed it
        return False


def _unused(session: Session, digests: Collection[str]) -> set[str]:
    """Those of some objects that no row refers to."""
    used = session.scalars(_referred().where(Blob.sha256.in_(digests)))
    return {*digests} - {*used} - {*session.scalars(_awaited(digests))}


def _referred() -> Select[str]:
    used = union(*(select(column) for column in references())).subquery()
    return select(Blob.sha256).where(Blob.sha256.in_(select(used.c[0])))


def _awaited(digests: Collection[str]) -> Select[str]:
    """Those of some objects that uploads are about to refer to."""
    waiting = select(Upload.sha256).where(Upload.sha256.in_(digests), Upload.state == "open")
    return cast("Select[str]", waiting)
