"""The log of a job: what it did and when, in few lines, without addresses of the server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from app.jobs import ledger
from app.jobs import log as lines
from app.jobs.log import KEPT, plain
from app.tables import Job, JobLine, Project

OWNER = "machine.example.org:4711:0a1b2c3d"


@pytest.fixture
def add(database):
    def add(count=1):
        with database.session() as session:
            project = session.get_one(Project, 1)
            return [ledger.enqueue(session, project, "work", {}, max_attempts=2).id for _ in range(count)]

    return add


@pytest.fixture
def claim(database):
    def claim():
        with database.session() as session:
            session.execute(update(Job).values(lease_until=None))  # no pause between attempts
            return ledger.claim(session, OWNER, 60, ["work"])

    return claim


@pytest.fixture
def told(database):
    """The log of a job: what happened, at which attempt, to which worker, and the text."""

    def told(job):
        with database.session(readonly=True) as session:
            rows = session.scalars(select(JobLine).where(JobLine.job_id == job).order_by(JobLine.number)).all()
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        now = datetime.now(UTC)
        assert all(timedelta() <= now - row.at < timedelta(minutes=1) for row in rows)
        return [(row.what, row.attempt, row.worker, row.text) for row in rows]

    return told


def do(database, what, *arguments, **options):
    with database.session() as session:
        return what(session, *arguments, **options)


def test_each_attempt_stands_in_the_log_with_its_worker(database, add, claim, told):
    (job,) = add()
    do(database, ledger.release, claim(), "the disk is full")
    do(database, ledger.release, claim(), None)
    do(database, ledger.pass_on, claim(), "gpu")
    do(database, ledger.release, claim(), "the disk is full still")
    assert told(job) == [
        ("queued", 0, None, None),
        ("begun", 1, "0a1b2c3d", None),
        ("retried", 1, "0a1b2c3d", "the disk is full"),
        ("begun", 2, "0a1b2c3d", None),
        ("returned", 2, "0a1b2c3d", None),
        ("begun", 3, "0a1b2c3d", None),
        ("passed_on", 3, "0a1b2c3d", None),
        ("begun", 4, "0a1b2c3d", None),
        ("failed", 4, "0a1b2c3d", "the disk is full still"),
    ]


def test_a_worker_that_went_away_stands_in_the_log(database, add, claim, told):
    (job,) = add()
    for _ in range(2):
        claim()
        do(database, lambda session: session.execute(update(Job).values(lease_until=0.0)))
        assert do(database, ledger.reap) == 1
    said = "the worker stopped answering while it worked on this"
    assert [line for line in told(job) if line[0] != "begun"] == [
        ("queued", 0, None, None),
        ("retried", 1, None, said),
        ("failed", 2, None, said),
    ]


@pytest.mark.parametrize("end", ["succeed", "cancelled", "fail"])
def test_the_end_of_a_job_stands_in_its_log(database, add, claim, told, end):
    (job,) = add()
    more = {"succeed": [{}], "fail": ["this cannot be"], "cancelled": []}[end]
    do(database, getattr(ledger, end), claim(), *more)
    what = {"succeed": "succeeded", "fail": "failed", "cancelled": "cancelled"}[end]
    assert told(job)[-1] == (what, 1, "0a1b2c3d", "this cannot be" if end == "fail" else None)


def test_what_is_not_committed_is_not_told(database, add, claim, told):
    (job,) = add()
    held = claim()

    def break_off(session):
        ledger.succeed(session, held, {})
        raise RuntimeError

    with pytest.raises(RuntimeError):
        do(database, break_off)
    assert told(job)[-1] == ("begun", 1, "0a1b2c3d", None)


def test_asking_for_an_end_is_told_once(database, add, claim, told):
    running, waiting = add(2)
    assert claim().job_id == running
    for open_ in ([running, waiting], [running]):
        assert do(database, ledger.cancel_all, Job.project_id == 1, "it was deleted") == open_
    assert told(running)[2:] == [("cancelling", 1, None, "it was deleted")]
    assert told(waiting)[1:] == [("cancelled", 0, None, "it was deleted")]


def test_very_many_jobs_are_called_off_at_once(database, add, told):
    jobs = add(1200)
    assert do(database, ledger.cancel_all, Job.project_id == 1) == jobs
    assert told(jobs[-1])[1:] == [("cancelled", 0, None, None)]


def test_a_long_log_keeps_its_beginning_and_its_end(database, add, claim, told):
    (job,) = add()
    held, most = claim(), 5 * KEPT
    for number in range(3, most + 1):
        do(database, ledger.tell, held, lines.STAGE, f"step {number}")
        if number % KEPT:
            continue
        with database.session(readonly=True) as session:
            assert session.scalar(select(func.count()).where(JobLine.job_id == job)) <= 2 * KEPT
    with database.session(readonly=True) as session:
        kept = session.execute(select(JobLine.number, JobLine.text).where(JobLine.job_id == job)).all()
    assert [row.number for row in kept] == [*range(1, KEPT + 1), *range(most - KEPT + 1, most + 1)]
    assert all(row.text == f"step {row.number}" for row in kept if row.number > 2)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("no such file: /srv/posetween/storage/ab/cd", "no such file: …"),
        ("'file:///srv/x y' is gone", "'… y' is gone"),
        ("cannot reach postgresql://posetween:secret@db:5432/posetween", "cannot reach …"),
        ("cannot reach s3+https://key:secret@store.example.org/bucket now", "cannot reach … now"),
        ("reading frames 12/30 of video 3", "reading frames 12/30 of video 3"),
        ("long" * 1000, ("long" * 1000)[:500]),
        (None, None),
    ],
)
def test_a_line_names_no_address_of_the_server(text, shown):
    assert plain(text) == shown
