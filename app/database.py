"""Connections and transactions: one request or one piece of work is one transaction, committed once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, Float, create_engine, event, make_url
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import InterfaceError, InternalError, InvalidatePoolError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker
from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app.database_lock import DatabaseLock
from app.write_turn import WriteTurn

_BUSY_SECONDS = 10

# All who write wait while a checkpoint does.
_CHECKPOINT_MILLISECONDS = 100

# A process that is stopped in the middle of a transaction holds its locks no longer than this.
_IDLE_SECONDS = 30

# More than requests use at a time. None is closed while others wait: opening one costs more than most requests. Those
# used last are used next; the others may rest.
_CONNECTIONS = {"pool_size": 50, "max_overflow": 0, "pool_use_lifo": True}

_READERS = 20
# Postgres would let more write; but in one process they only take turns computing, while others wait for the rows that
# they hold.
_WRITERS = 3

# A connection that lay idle for so long is asked whether it still leads anywhere.
_REST_SECONDS = 1.0
_RESTS_SINCE = "rests since"

_PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "foreign_keys=ON",
    f"busy_timeout={_BUSY_SECONDS}000",
    "secure_delete=ON",  # what was deleted or overwritten does not stay in the file
)

# Of a connection that writes to SQLite.
_TURN = "its turn to write"

_AFTER_COMMIT = "acts after the commit"

# What is written stands in no error message, and so in no log and in no job's sentence.
_DISCREET = {"hide_parameters": True}


class clock(FunctionElement[float]):
    """The database's own clock in seconds since the epoch: leases must not depend on a worker's."""

    type = Float()
    inherit_cache = True


@compiles(clock, "sqlite")
def _sqlite_clock(element: clock, compiler: SQLCompiler, **options: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(clock)
def _clock(element: clock, compiler: SQLCompiler, **options: Any) -> str:
    return "extract(epoch from clock_timestamp())"


#: What may be over a moment later: the database is away, or has no room or no time.
TROUBLE = (OperationalError, InterfaceError, InternalError, PoolTimeout)


@dataclass(frozen=True)
class Database:
    """An engine with two kinds of sessions: one that may write and one that only reads.

    On SQLite a writing transaction takes the write lock when it begins: taking it later can fail in the middle. Whose
    turn that is among all processes, ``turn`` says.
    """

    engine: Engine
    write: sessionmaker[Session]
    read: sessionmaker[Session]
    turn: WriteTurn | None = None

    @property
    def readers(self) -> int:
        """Reading transactions that requests may hold at a time."""
        return _READERS

    @property
    def writers(self) -> int:
        """Writing transactions that requests may hold at a time."""
        return 1 if self.engine.dialect.name == "sqlite" else _WRITERS

    @contextmanager
    def session(self, *, readonly: bool = False) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises."""
        with (self.read if readonly else self.write).begin() as session:
            yield session

    def forget_overwritten(self) -> bool:
        """Have SQLite drop its log of what was written, with what has been deleted since; False while others read it.

        SQLite lets nobody write while it waits for those who read, so it waits for a moment only. Postgres does
        likewise in its own time (autovacuum).
        """
        if self.engine.dialect.name != "sqlite":
            return True
        connection = self.engine.raw_connection()
        cursor = connection.cursor()
        try:
            cursor.execute(f"PRAGMA busy_timeout={_CHECKPOINT_MILLISECONDS}")
            (busy, *_), *_ = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            cursor.execute(f"PRAGMA busy_timeout={_BUSY_SECONDS}000")
            connection.close()
        return not busy

    def dispose(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def connect(url: str) -> Database:
    """Open a database; nothing is created but the folder of a SQLite file."""
    address = make_url(url)
    turn = None
    if address.get_backend_name() == "sqlite":
        turn = WriteTurn(Path(f"{address.database}-turn")) if address.database else None
        engine = _sqlite(url, address.database, turn)
    else:
        engine = _postgres(url)
    read = engine.execution_options(readonly=True, **_reading(engine))
    write = sessionmaker(engine, expire_on_commit=False)
    event.listen(write, "after_commit", _act)
    return Database(engine=engine, write=write, read=sessionmaker(read, expire_on_commit=False), turn=turn)


def after_commit(session: Session, act: Callable[[], object]) -> None:
    """Have something done once the transaction is committed, and only then; it must not raise."""
    session.info.setdefault(_AFTER_COMMIT, []).append(act)


def insert_missing(session: Session, table: type[DeclarativeBase], **values: Any) -> None:
    """Insert a row unless its key is there already, also when somebody inserts the same at the same time."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    session.execute(dialect.insert(table).values(**values).on_conflict_do_nothing())


def _act(session: Session) -> None:
    for act in session.info.pop(_AFTER_COMMIT, []):
        act()


def _reading(engine: Engine) -> dict[str, Any]:
    # What one statement of Postgres sees says nothing of what the next one sees, in a transaction or not, so readers
    # are spared the two messages that make one. SQLite's readers need theirs: within it all see the same.
    return {} if engine.dialect.name == "sqlite" else {"isolation_level": "AUTOCOMMIT"}


def _postgres(url: str) -> Engine:
    engine = create_engine(url, **_DISCREET, **_CONNECTIONS)

    @event.listens_for(engine, "checkin")
    def rest(connection: DBAPIConnection | None, record: ConnectionPoolEntry) -> None:
        record.info[_RESTS_SINCE] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def wake(connection: DBAPIConnection, record: ConnectionPoolEntry, proxy: PoolProxiedConnection) -> None:
        # To ask each time whether the server is still there would be one more message for every request.
        since = record.info.get(_RESTS_SINCE)
        if since is None or time.monotonic() - since < _REST_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise InvalidatePoolError from error  # the pool tries once more, with a new connection

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        connection.cursor().execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'")
        connection.commit()

    return engine


def _sqlite(url: str, file: str | None, turn: WriteTurn | None) -> Engine:
    if file:
        Path(file).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": _BUSY_SECONDS}, **_DISCREET, **_CONNECTIONS)

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # BEGIN is ours, below
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    if file:
        lock = DatabaseLock(Path(file))
        lock.share()
        event.listen(engine, "engine_disposed", lambda _: lock.close())

    @event.listens_for(engine, "begin")
    def begin(connection: Any) -> None:
        readonly = connection.get_execution_options().get("readonly", False)
        if turn is not None and not readonly and connection.info.get(_TURN) is None:
            connection.info[_TURN] = turn.take(_BUSY_SECONDS)
        connection.exec_driver_sql("BEGIN" if readonly else "BEGIN IMMEDIATE")

    @event.listens_for(engine, "checkin")
    @event.listens_for(engine, "invalidate")
    def end(connection: DBAPIConnection | None, record: ConnectionPoolEntry, *_: object) -> None:
        descriptor = record.info.pop(_TURN, None)
        if descriptor is not None:
            os.close(descriptor)

    return engine
