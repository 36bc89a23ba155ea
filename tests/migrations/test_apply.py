"""The migrations lead to exactly the tables of the code, and back."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from app.database import connect
from app.tables import Table
from migrations import apply as migrate


@pytest.fixture
def database(database_url):
    database = connect(database_url)
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


def test_each_step_back_and_up_again(database):
    script = ScriptDirectory(str(Path(migrate.__file__).parent))
    migrate.upgrade(database)
    for step in script.walk_revisions():
        migrate.downgrade(database, step.down_revision or "base")
        migrate.upgrade(database, step.revision)
        migrate.downgrade(database, step.down_revision or "base")
    migrate.upgrade(database)
    assert migrate.differences(database) == []


def test_what_a_newer_version_upgraded_is_left_alone(database):
    migrate.upgrade(database)
    with database.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for step in (migrate.upgrade, lambda database: migrate.downgrade(database, "0001")):
        with pytest.raises(migrate.UnknownSchema, match="9999: a newer version upgraded it"):
            step(database)


def test_going_back_to_what_is_not_below_is_refused(database):
    assert migrate.upgrade(database, "0003") == "0003"
    for schema in ("nonsense", "0004"):
        with pytest.raises(migrate.UnknownSchema, match=schema):
            migrate.downgrade(database, schema)
    assert migrate.downgrade(database, "0002") == "0002"


def test_the_folder_of_a_database_is_made(tmp_path):
    database = connect(f"sqlite:///{tmp_path}/folder/empty.db")
    migrate.upgrade(database)
    assert migrate.differences(database) == []
    database.dispose()
