"""What the ledger tells a scraper, and that asking costs nothing however much it has done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, text
from sqlalchemy.dialects import postgresql, sqlite

from app.jobs import backlog, ledger
from app.jobs.backlog import BacklogCollector
from app.settings import QUEUES
from app.tables import Job, Project, Upload

FINISHED = 20_000


def enqueue(session, **options):
    return ledger.enqueue(session, session.get_one(Project, 1), "work", {}, max_attempts=3, **options)


def values(database):
    """Each sample of a scrape."""
    families = BacklogCollector(database).collect()
    return {(sample.name, *sample.labels.values()): sample.value for each in families for sample in each.samples}


def test_an_empty_ledger_has_nothing_waiting(database):
    found = values(database)
    assert found.pop(("posetween_ledger_up",)) == 1
    assert set(found.values()) == {0}
    assert len(found) == 1 + 4 * len(QUEUES)


def test_what_waits_and_what_is_held_is_counted(database):
    with database.session() as session:
        old = enqueue(session, queue="gpu")
        old.created_at = datetime.now(UTC) - timedelta(hours=1)
        enqueue(session, queue="gpu", priority=5)
        for _ in range(4):
            enqueue(session)
        upload = {"lab_id": 1, "project_id": 1, "filename": "x", "description": "", "expires_at": datetime.now(UTC)}
        session.add_all([Upload(id=name, state=name, **upload) for name in ("open", "finished")])
    with database.session() as session:
        ended = ledger.claim(session, "a", 60, ["work"], ["cpu"])
        ledger.claim(session, "a", 60, ["work"], ["cpu"])
        ledger.claim(session, "a", -1, ["work"], ["cpu"])
        ledger.succeed(session, ended, {})
    found = values(database)
    assert found["posetween_jobs", "gpu", "queued"] == 2
    assert found["posetween_jobs", "cpu", "queued"] == 1
    assert found["posetween_jobs", "cpu", "running"] == 2
    assert found["posetween_expired_leases", "cpu"] == 1
    assert found["posetween_expired_leases", "gpu"] == 0
    assert 3600 <= found["posetween_oldest_waiting_job_seconds", "gpu"] < 3900
    assert found["posetween_oldest_waiting_job_seconds", "cpu"] < 300
    assert found["posetween_uploads_open",] == 1


def test_answers_are_good_for_a_moment(database):
    collector = BacklogCollector(database)
    assert list(collector.collect())
    with database.session() as session:
        enqueue(session)
    (jobs,) = [each for each in collector.collect() if each.name == "posetween_jobs"]
    assert {sample.value for sample in jobs.samples} == {0}


def test_a_database_that_is_gone_costs_no_scrape(database):
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE job RENAME TO gone"))
    assert values(database) == {("posetween_ledger_up",): 0}


@pytest.mark.parametrize("question", [backlog.unfinished, backlog.lapsed, backlog.open_uploads])
def test_indexes_answer_it_among_many_that_ended(database, question):
    lite = database.engine.dialect.name == "sqlite"
    with database.session() as session:
        states = ("succeeded", "failed", "cancelled")
        rows = [
            {"lab_id": 1, "project_id": 1, "kind": "work", "queue": ("cpu", "gpu")[n % 2], "state": states[n % 3]}
            for n in range(FINISHED)
        ]
        session.execute(insert(Job), [{**row, "params": {}} for row in rows])
        moment = datetime.now(UTC)
        upload = {"lab_id": 1, "project_id": 1, "filename": "x", "description": "", "expires_at": moment}
        session.execute(insert(Upload), [{"id": str(n), "state": "finished", **upload} for n in range(FINISHED)])
        for _ in range(10):
            enqueue(session)
    with database.engine.begin() as connection:
        connection.execute(text("ANALYZE"))
        dialect = sqlite.dialect() if lite else postgresql.dialect()
        asked = question().compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        explain = "EXPLAIN QUERY PLAN" if lite else "EXPLAIN"
        plan = "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {asked}"))
    assert "ix_" in plan, plan
    assert not {"SCAN job", "SCAN upload"} & {line.strip() for line in plan.splitlines()}, plan
    assert "Seq Scan" not in plan, plan
