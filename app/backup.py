"""Copies of the database: made while it is in use, and put back into an empty one.

Objects are not part of a copy. They are never changed and only ever added, so a copy of the storage that is made after
the copy of the database has everything that it refers to; ``app.blobs.check`` tells.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, inspect, make_url

from app.database import connect


class BackupError(Exception):
    """A copy that cannot be made or put back; the text is for people."""


def backup(url: str, target: Path) -> None:
    """Write a copy of a database as it is at one moment: a SQLite file, or what ``pg_dump`` calls a custom archive.

    Raises:
        BackupError: There is a file already, no database, or no ``pg_dump``.
    """
    if target.exists():
        raise BackupError(f"{target} is there already; name another file")
    address = make_url(url)
    unfinished = target.with_name(f"{target.name}.part")
    if address.get_backend_name() == "sqlite":
        source = _file(address)
        if not source.exists():
            raise BackupError(f"there is no database at {source}")
        with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(unfinished)) as copy:
            live.backup(copy)
    else:
        _run("pg_dump", address, "--format=custom", "--no-owner", f"--file={unfinished}")
    unfinished.replace(target)


def restore(url: str, source: Path) -> None:
    """Put a copy back; the database must be empty, so that nothing is ever overwritten.

    Raises:
        BackupError: There is no such copy, it is of another kind, or the database is not empty.
    """
    if not source.exists():
        raise BackupError(f"there is no file {source}")
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        target = _file(address)
        if target.exists():
            raise BackupError(f"there is a database at {target}; move it away first")
        if source.read_bytes()[:16] != b"SQLite format 3\0":
            raise BackupError(f"{source} is no copy of a SQLite database")
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f"{target.name}.part")
        shutil.copyfile(source, unfinished)
        unfinished.replace(target)
        return
    database = connect(url)
    tables = inspect(database.engine).get_table_names()
    database.dispose()
    if tables:
        raise BackupError(f"the database {address.database} is not empty; make a new one for the copy")
    _run("pg_restore", address, "--no-owner", "--exit-on-error", "--single-transaction", str(source), database=True)


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
