"""Copies of the database: made while it is in use, and put back into an empty one.

Objects are not part of a copy. They are never changed and only ever added, so a copy of the storage that is made after
the copy of the database has everything that it refers to; ``app.blobs.check`` tells.

Beside a copy lies its digest, as ``sha256sum`` writes it: SQLite has no checksums of its own, and would give back a
label of which a bit was flipped.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, inspect, make_url

from app.database import connect
from app.database_lock import DatabaseLock
from app.private_files import make_file

# What SQLite keeps beside a database, and would take for a part of any that is put there.
_BESIDE = ("-wal", "-shm", "-journal")


class BackupError(Exception):
    """A copy that cannot be made or put back; the text is for people."""


class DamagedCopy(BackupError):
    """A copy, or the database that is to be copied, is not whole."""


def backup(url: str, target: Path) -> None:
    """Write a copy of a database as it is at one moment: a SQLite file, or what ``pg_dump`` calls a custom archive.

    Raises:
        BackupError: There is a file already, no database, or no ``pg_dump``.
        DamagedCopy: The database is damaged.
    """
    if target.exists():
        raise BackupError(f"{target} is there already; name another file")
    address = make_url(url)
    with _unfinished(target) as unfinished:
        if address.get_backend_name() == "sqlite":
            source = _file(address)
            if not source.exists():
                raise BackupError(f"there is no database at {source}")
            with _telling(source), closing(sqlite3.connect(source)) as live:
                _copy(live, unfinished)
            _check(unfinished, f"the database {source}")
        else:
            _run("pg_dump", address, "--format=custom", "--no-owner", f"--file={unfinished}")
            _sync(unfinished)
        written = digest_file(target)
        written.unlink(missing_ok=True)
        make_file(written)
        written.write_text(f"{_digest(unfinished)}  {target.name}\n")
        _sync(written)


def restore(url: str, source: Path, schemas: Collection[str] | None = None) -> None:
    """Put a copy back; the database must be empty, so that nothing is ever overwritten. Nothing stays of a failure.

    Args:
        url: Where to.
        source: The copy.
        schemas: The schemas that this version can work with; any where None.

    Raises:
        BackupError: There is no such copy, it is of another kind or a newer version, the database is not empty, or a
            service is running on it.
        DamagedCopy: The copy is not whole.
    """
    if not source.is_file():
        raise BackupError(f"there is no file {source}")
    _check_digest(source)
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        _restore_file(_file(address), source, schemas)
        return
    database = connect(url)
    tables = inspect(database.engine).get_table_names()
    database.dispose()
    if tables:
        raise BackupError(f"the database {address.database} is not empty; make a new one for the copy")
    _run("pg_restore", address, "--no-owner", "--exit-on-error", "--single-transaction", str(source), database=True)


def digest_file(copy: Path) -> Path:
    """Where the digest of a copy is."""
    return copy.with_name(f"{copy.name}.sha256")


def _restore_file(target: Path, source: Path, schemas: Collection[str] | None) -> None:
    with source.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            raise BackupError(f"{source} is no copy of a SQLite database")
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = DatabaseLock(target)
    if not lock.take_alone():
        raise BackupError(f"something is at work on a database in {target.parent}; stop the service and its workers")
    try:
        _check_free(target)
        schema = _check(source, f"the copy {source}")
        if schemas is not None and schema not in schemas:
            raise BackupError(f"{source} has the schema {schema}, which this version does not know")
        with _unfinished(target) as unfinished:
            with _telling(source), closing(_open(source)) as given:
                _copy(given, unfinished)
            _check(unfinished, f"what was read of {source}")
    finally:
        lock.close()


def _check_free(target: Path) -> None:
    there = [path for path in (target, *_beside(target)) if path.exists()]
    if not there:
        return
    names = ", ".join(path.name for path in there)
    raise BackupError(
        f"there is a database at {target.parent}: {names}; move it away first, all of {target.name}*,"
        " since SQLite would take what is left of it for a part of the copy"
    )


def _beside(file: Path) -> list[Path]:
    return [file.with_name(f"{file.name}{end}") for end in _BESIDE]


@contextmanager
def _unfinished(target: Path) -> Iterator[Path]:
    """A file that takes the target's place when the block ends, and is removed when it raises."""
    part = target.with_name(f"{target.name}.part")
    for left in (part, *_beside(part)):
        left.unlink(missing_ok=True)
    make_file(part)
    try:
        yield part
        part.replace(target)
        _sync(target.parent)
    finally:
        for left in (part, *_beside(part)):
            left.unlink(missing_ok=True)
        if not target.exists():
            digest_file(target).unlink(missing_ok=True)


def _open(file: Path) -> sqlite3.Connection:
    # Nobody changes a copy. Where somebody copied a database with its log beside it, the log is a part of it.
    log = file.with_name(f"{file.name}-wal")
    immutable = "" if log.exists() and log.stat().st_size else "&immutable=1"
    return sqlite3.connect(f"file:{quote(str(file.absolute()))}?mode=ro{immutable}", uri=True)


def _copy(source: sqlite3.Connection, target: Path) -> None:
    with closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # leaves nothing beside the file
    _sync(target)


def _check(file: Path, name: str) -> str:
    """Read all of a SQLite file; gives its schema.

    Raises:
        DamagedCopy: It is not whole.
        BackupError: It is no database of ours.
    """
    if file.stat().st_size < _declared_size(file):
        raise DamagedCopy(f"{name} is damaged: its end is missing")
    with _telling(file, name), closing(_open(file)) as connection:
        (found,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise DamagedCopy(f"{name} is damaged: {' '.join(found.split())}")
        if broken := connection.execute("PRAGMA foreign_key_check").fetchone():
            raise DamagedCopy(f"{name} is damaged: rows of {broken[0]} refer to rows of {broken[2]} that are missing")
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone():
            raise BackupError(f"{name} holds no database of Posetween")
        schema = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return str(schema[0]) if schema else "base"


def _declared_size(file: Path) -> int:
    """Bytes that a SQLite file says it has; SQLite takes a last page that is cut off for whole."""
    with file.open("rb") as stream:
        head = stream.read(32)
    page = int.from_bytes(head[16:18], "big")
    return (65536 if page == 1 else page) * int.from_bytes(head[28:32], "big")


@contextmanager
def _telling(file: Path, name: str | None = None) -> Iterator[None]:
    """Say what SQLite says of a file in a sentence."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise DamagedCopy(f"{name or file} is damaged or cannot be read: {error}") from error


def _check_digest(source: Path) -> None:
    written = digest_file(source)
    if not written.exists():
        return
    words = written.read_text(errors="replace").split()
    if not words or words[0] != _digest(source):
        raise DamagedCopy(f"{source} has another digest than {written} says: it is damaged")


def _digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _file(address: URL) -> Path:
    if not address.database:
        raise BackupError("a database in memory cannot be copied")
    return Path(address.database)


def _run(program: str, address: URL, *arguments: str, database: bool = False) -> None:
    # The password goes by the environment: other users of the machine can read a command line.
    plain = address._replace(drivername="postgresql", password=None).render_as_string()
    secret = {"PGPASSWORD": str(address.password)} if address.password else {}
    command = [program, f"--dbname={plain}", *arguments] if database else [program, plain, *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **secret})
    except FileNotFoundError as error:
        raise BackupError(f"this needs {program}, which comes with PostgreSQL's client programs") from error
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise BackupError(f"{program} failed: {last}")
