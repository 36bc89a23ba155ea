"""The migrations lead to exactly the tables of the code, and back."""

from __future__ import annotations

import pytest
from sqlalchemy import inspect

from app.database import connect
from app.tables import Table
from migrations import apply as migrate


@pytest.fixture
def database(tmp_path):
    database = connect(f"sqlite:///{tmp_path}/folder/empty.db")
    yield database
    database.dispose()


def tables(database):
    return {*inspect(database.engine).get_table_names()} - {"alembic_version"}


def test_an_empty_database_becomes_that_of_the_code(database):
    assert migrate.differences(database)
    migrate.upgrade(database)
    assert migrate.differences(database) == []
    assert tables(database) == {table.name for table in Table.metadata.sorted_tables}


def test_upgrading_again_changes_nothing(database):
    migrate.upgrade(database)
    migrate.upgrade(database)
    assert migrate.differences(database) == []


def test_the_way_back_and_up_again(database):
    migrate.upgrade(database)
    migrate.downgrade(database, "base")
    assert tables(database) == set()
    migrate.upgrade(database)
    assert migrate.differences(database) == []
