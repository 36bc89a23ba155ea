"""SQLite gives no number twice, whether its tables are new or were written anew with rows in them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, text

from app.database import connect
from app.tables import Erasure, Lab, Table
from app.tables.numbers import numbered
from migrations import apply as migrate

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def database(tmp_path):
    database = connect(f"sqlite:///{tmp_path}/numbers.db")
    yield database
    database.dispose()


def without_autoincrement(database):
    """Tables that the database numbers and may number again; a step that writes one anew has to say it again."""
    with database.engine.connect() as connection:
        made = dict(connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all())
    return {table.name for table in numbered(Table.metadata) if "AUTOINCREMENT" not in made[table.name]}


def test_every_number_is_given_once(database):
    migrate.upgrade(database)
    assert without_autoincrement(database) == set()
    migrate.downgrade(database, "0014")
    assert without_autoincrement(database) == {table.name for table in numbered(Table.metadata)}
    migrate.upgrade(database)
    assert without_autoincrement(database) == set()


def test_tables_of_a_session_without_migrations_too(database):
    Table.metadata.create_all(database.engine)
    assert without_autoincrement(database) == set()


def test_numbers_go_on_after_those_that_were_erased_before(database):
    migrate.upgrade(database, "0014")
    with database.engine.begin() as connection:
        connection.execute(insert(Lab), [{"id": 1, "name": "a"}, {"id": 9, "name": "b"}])
        connection.execute(text("DELETE FROM lab WHERE id = 9"))
        connection.execute(insert(Erasure).values(kind="video", thing_id=7, lab_id=9, made_at=NOW))
    migrate.upgrade(database)
    with database.engine.begin() as connection:
        assert connection.scalar(text("SELECT seq FROM sqlite_sequence WHERE name = 'video'")) == 7
        assert connection.execute(insert(Lab).values(name="c")).inserted_primary_key == (2,)
        connection.execute(text("DELETE FROM lab WHERE id = 2"))
        assert connection.execute(insert(Lab).values(name="d")).inserted_primary_key == (3,)
