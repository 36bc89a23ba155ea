"""Transactions, and what SQLite does beside them."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import text

from app.database import connect


@pytest.fixture
def database(tmp_path):
    database = connect(f"sqlite:///{tmp_path / 'test.db'}")
    with database.session() as session:
        session.execute(text("CREATE TABLE one (number INTEGER)"))
    yield database
    database.dispose()


def test_who_reads_for_long_and_a_checkpoint_keep_nobody_from_writing(database):
    """A checkpoint lets nobody write while it waits for readers: it took all of the ten seconds that writers wait."""
    waited = []

    def write():
        began = time.monotonic()
        with database.session() as session:
            session.execute(text("INSERT INTO one VALUES (2)"))
        waited.append(time.monotonic() - began)

    with database.session(readonly=True) as reader:
        assert reader.scalar(text("SELECT count(*) FROM one")) == 0
        with database.session() as session:
            session.execute(text("INSERT INTO one VALUES (1)"))
        writer = threading.Timer(0.05, write)
        writer.start()
        assert not database.forget_overwritten()
        writer.join()
    assert waited[0] < 5
    assert database.forget_overwritten()


def test_waiting_for_the_lock_is_as_long_as_before_after_a_checkpoint(database):
    before = busy_timeout(database)
    database.forget_overwritten()
    assert busy_timeout(database) == before > 1000


def busy_timeout(database):
    with database.engine.connect() as connection:
        return connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
