"""What a running job hears, and what it may write."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from sqlalchemy import select

from app import blobs
from app.database import connect
from app.jobs import ledger
from app.jobs.ledger import Fenced
from app.settings import Settings
from app.storage import Storage
from app.tables import Discard, Job, JobLine, Lab, Project
from migrations import apply as migrate
from worker.context import Cancelled, Context, Stopping

LEASE = 2.0


@pytest.fixture
def database(tmp_path):
    database = connect(f"sqlite:///{tmp_path}/ledger.db")
    migrate.upgrade(database)
    with database.session() as session:
        session.add(Lab(id=1, name="lab"))
        session.flush()
        project = Project(id=1, lab_id=1, name="project")
        session.add(project)
        session.flush()
        ledger.enqueue(session, project, "work", {}, max_attempts=3)
    yield database
    database.dispose()


@pytest.fixture
def context(database, tmp_path):
    settings = Settings(data_dir=tmp_path, lease_seconds=LEASE)
    storage = Storage(settings.storage, settings.scratch_dir)
    with database.session() as session:
        held = ledger.claim(session, "worker", LEASE, ["work"])
    context = Context(settings, database, storage, held, threading.Event())
    context.stopping = context._stopping
    return context


def reap(database):
    with database.session() as session:
        return ledger.reap(session)


def job(database):
    with database.session(readonly=True) as session:
        return session.get_one(Job, 1)


def test_the_heartbeat_holds_the_lease_as_long_as_the_job_takes(database, context):
    until = time.monotonic() + 2 * LEASE
    with context.heartbeat():
        while time.monotonic() < until:
            assert reap(database) == 0
            time.sleep(0.05)
        context.step(0.5, "half")
    assert (job(database).progress, job(database).stage) == (0.5, "half")
    time.sleep(LEASE + 0.1)
    assert reap(database) == 1


def test_each_stage_is_told_once_however_far_it_counts(database, context):
    for share, stage in (
        (0.1, "opening"),
        (0.2, "reading: 1"),
        (0.3, "reading: 2"),
        (0.3001, "reading: 3"),
        (0.9, "end"),
    ):
        context.step(share, stage)
    context.warn("the file /srv/secret is odd")
    with database.session(readonly=True) as session:
        rows = session.execute(select(JobLine.what, JobLine.text, JobLine.worker).order_by(JobLine.number)).all()
    assert [row[:2] for row in rows] == [
        ("queued", None),
        ("begun", None),
        ("stage", "opening"),
        ("stage", "reading"),
        ("stage", "end"),
        ("warning", "the file … is odd"),
    ]
    assert {row.worker for row in rows[1:]} == {"worker"}


def test_progress_is_written_when_it_shows(database, context):
    for share in (0.1, 0.1001, 0.1002, 0.2):
        context.step(share, "working")
    assert job(database).progress == 0.2
    assert job(database).version == 3
    context.step(1.5, "working")
    assert job(database).progress == 1.0


def test_small_parts_of_progress_are_written_once_a_second(database, context, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("worker.context.time.monotonic", lambda: now[0])
    shown = []
    for _ in range(40):
        now[0] += 0.1
        context.step(0.5 + (now[0] - 100) / 1000, "fitting to the video", remaining=100.04 - now[0] + 60)
        shown.append(job(database).progress)
    assert 4 <= len(set(shown)) <= 5
    assert shown == sorted(shown)
    assert job(database).remaining_seconds == pytest.approx(56, abs=1.1)


def test_what_remains_is_not_said_of_a_job_that_waits_or_has_ended(database, context):
    context.step(0.5, "working", remaining=30.0)
    assert job(database).remaining_seconds == 30.0
    with database.session() as session:
        ledger.release(session, context.held)
    assert (job(database).state, job(database).remaining_seconds) == ("queued", None)


def test_progress_that_cannot_be_told_is_told_the_next_time(database, context, monkeypatch):
    monkeypatch.setattr("app.database._BUSY_SECONDS", 0.1)
    monkeypatch.setattr("app.database._PRAGMAS", ("busy_timeout=100",))
    context.database = connect(context.settings.database.replace("posetween.db", "ledger.db"))
    with database.session() as session:
        session.get_one(Job, 1)
        context.step(0.3, "working")
    assert job(database).progress == 0
    context.step(0.3, "working")
    assert job(database).progress == 0.3
    context.database.dispose()


def test_a_cancellation_is_heard_through_the_heartbeat(database, context):
    with context.heartbeat():
        with database.session() as session:
            ledger.request_cancel(session, session.get_one(Job, 1))
        with pytest.raises(Cancelled):
            work_on(context)


def test_a_lost_lease_is_heard_through_the_heartbeat(database, context):
    with context.heartbeat():
        with database.session() as session:
            session.get_one(Job, 1).owner = "somebody else"
        with pytest.raises(Fenced):
            work_on(context)


def test_a_shutdown_is_heard_at_the_next_step(context):
    context.stopping.set()
    with pytest.raises(Stopping):
        context.step(0.1, "working")


def test_nothing_is_written_without_the_lease(database, context):
    with database.session() as session:
        session.get_one(Job, 1).owner = "somebody else"

    def write():
        with context.writing() as session:
            session.get_one(Project, 1).name = "changed"

    with pytest.raises(Fenced):
        write()
    with database.session(readonly=True) as session:
        assert session.get_one(Project, 1).name == "project"


def test_what_was_put_for_rows_that_were_not_written_goes(database, context):
    mine = context.storage.put(b"poses that somebody else computes by now")
    with context.keeping([mine]):
        pass
    with database.session() as session:
        session.get_one(Job, 1).owner = "somebody else"
    with pytest.raises(Fenced), context.keeping([context.storage.put(b"others"), mine]):
        pass
    with database.session(readonly=True) as session:
        assert len(session.scalars(select(Discard)).all()) == 2
    assert blobs.discard(database, context.storage, older_than=timedelta(minutes=1)).objects == 0  # just put
    assert blobs.discard(database, context.storage, older_than=-timedelta(minutes=1)).objects == 2
    assert [found for found in context.storage.objects(10) if found] == []


def work_on(context):
    until = time.monotonic() + 30
    while time.monotonic() < until:
        context.step(0.5, "working")
        time.sleep(0.02)
