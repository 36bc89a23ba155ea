"""Migrations with rows in every table, up and down, on both kinds of database; and on the databases of old versions."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from sqlalchemy import select

from app.database import connect
from app.labels import history
from app.tables import Table, Video
from migrations import apply as migrate
from tests.migrations.rows import RECORDED, RELEASED, ROWS, contents, filled

#: What a step down may remove rows of, and must of no other table.
LOSE = {"job", "job_segment", "audit"}


@pytest.fixture
def disposed():
    opened = []
    yield opened.append
    for database in opened:
        database.dispose()


def test_every_table_has_rows():
    given = {table for rows in ROWS.values() for table in rows}
    assert given >= {table.name for table in Table.metadata.sorted_tables} - {"duty"}, (
        "add rows to tests/migrations/rows"
    )
    assert {*ROWS} <= {*migrate.schemas()}


def test_every_step_up_with_rows(database_url, disposed):
    database = filled(database_url, migrate.schemas()[-1])
    disposed(database)
    assert migrate.differences(database) == []
    whole = contents(database)
    for name in {table for rows in ROWS.values() for table in rows}:
        assert len(whole[name]) >= sum(len(rows.get(name, ())) for rows in ROWS.values()), name
    with database.session(readonly=True) as session:
        labels = history.read(session, 1, 2)
        assert session.scalars(select(Video.id).order_by(Video.id)).all() == [1, 2]
    assert labels.keypoints.tolist() == [[[1, 1, 2], [1, 1, 2]]]
    assert labels.revisions.tolist() == [2]


def test_every_step_down_with_rows_and_up_again(database_url, disposed):
    *below, newest = migrate.schemas()
    database = filled(database_url, newest)
    disposed(database)
    for schema in reversed(below):
        before = contents(database)
        migrate.downgrade(database, schema)
        after = contents(database)
        for name in after.keys() - LOSE:
            assert len(after[name]) == len(before[name]), (schema, name)
        assert len(after["label"]) == 2
        assert {row[0] for row in after["job"]} >= {1, 2, 3, 4}
    for schema in (*below, newest):
        migrate.upgrade(database, schema)
    assert migrate.differences(database) == []
    assert len(contents(database)["label"]) == 2
    migrate.downgrade(database, "base")


def test_the_databases_of_all_released_schemas_are_recorded():
    assert {path.stem for path in RECORDED.iterdir()} == {*RELEASED}


@pytest.mark.parametrize("schema", RELEASED)
def test_a_recorded_database_is_upgraded(schema, tmp_path, disposed):
    file = tmp_path / "posetween.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript((RECORDED / f"{schema}.sql").read_text())
    database = connect(f"sqlite:///{file}")
    disposed(database)
    before = contents(database)
    migrate.upgrade(database)
    assert migrate.differences(database) == []
    after = contents(database)
    assert {name: len(after[name]) for name in before} == {name: len(rows) for name, rows in before.items()}
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    with database.session(readonly=True) as session:
        assert history.read(session, 1, 2).keypoints.tolist() == [[[1, 1, 2], [1, 1, 2]]]
