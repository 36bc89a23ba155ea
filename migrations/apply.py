"""Bringing a database to the schema of this code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from app.database import Database
from app.tables import Table


class UnknownSchema(ValueError):
    """A schema that this version of the code does not have; the text is for people."""


def upgrade(database: Database, revision: str = "head") -> str:
    """Run the steps up to a revision that have not been run.

    Returns:
        The revision that the database has now.

    Raises:
        UnknownSchema: A newer version of the code upgraded the database.
    """
    with _changing(database) as connection:
        _check_known(connection, _current(connection), "the database has the schema {}: a newer version upgraded it")
        command.upgrade(_config(connection), revision)
        return _current(connection) or "base"


def downgrade(database: Database, revision: str) -> str:
    """Take steps back down to a revision; what its tables have no room for is lost.

    Returns:
        The revision that the database has now.

    Raises:
        UnknownSchema: There is no such revision, or it is not below that of the database.
    """
    with _changing(database) as connection:
        _check_known(connection, None if revision == "base" else revision, "there is no schema {}")
        _check_known(connection, _current(connection), "the database has the schema {}: a newer version upgraded it")
        try:
            command.downgrade(_config(connection), revision)
        except CommandError as error:
            raise UnknownSchema(f"the database cannot go back to the schema {revision}: {error}") from error
        return _current(connection) or "base"


def differences(database: Database) -> list[object]:
    """What the database's schema lacks, or has too much, beside the tables of this code."""
    with database.engine.begin() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), Table.metadata))


@contextmanager
def _changing(database: Database) -> Iterator[Connection]:
    """A transaction that may take tables apart, with rows in them and in those that refer to them.

    SQLite changes a column or a constraint by writing the table anew, and would take the old one's removal for the
    removal of its rows; so references are checked at the end and not on the way (https://www.sqlite.org/lang_altertable.html).
    """
    with database.engine.connect() as connection:
        if connection.dialect.name != "sqlite":
            with connection.begin():
                yield connection
            return
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
                    raise RuntimeError(f"rows of {broken[0][0]} would refer to rows of {broken[0][2]} that are gone")
        finally:
            driver.execute("PRAGMA foreign_keys=ON")


def schemas() -> list[str]:
    """The schemas that this version knows, oldest first."""
    script = ScriptDirectory(str(Path(__file__).parent))
    return [step.revision for step in script.walk_revisions()][::-1]


def _current(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _check_known(connection: Connection, revision: str | None, sentence: str) -> None:
    known = schemas()
    if revision is not None and revision not in known:
        raise UnknownSchema(f"{sentence.format(revision)}; this version has {known[0]} to {known[-1]}")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["connection"] = connection
    return config
