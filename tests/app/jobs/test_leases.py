"""A clock that is set back leaves no job with a worker that is gone."""

from __future__ import annotations

import time

import pytest

from app.database import connect
from app.jobs import leases, ledger, segments
from app.tables import Job, JobSegment, Lab, Project
from migrations import apply as migrate

HOUR = 3600.0


@pytest.fixture
def running(database):
    """A job and a segment of it that a worker took while the clock showed an hour more."""
    with database.session() as session:
        number = ledger.enqueue(session, session.get_one(Project, 1), "work", {}, max_attempts=3).id
    with database.session() as session:
        ledger.claim(session, "gone", HOUR, ["work"])
        session.add(JobSegment(job_id=number, track_number=1, start=0, stop=9, input_sha256="x"))
        session.flush()
        segments.take(session, number, "gone", HOUR, 1)
    return number


def ends(database, number):
    with database.session(readonly=True) as session:
        segment = session.get_one(JobSegment, (number, 1, 0))
        return [session.get_one(Job, number).lease_until - time.time(), segment.lease_until - time.time()]


def test_a_lease_from_before_ends_as_soon_as_one_that_begins_now(database, running):
    assert min(ends(database, running)) > HOUR - 60
    with database.session() as session:
        leases.shorten(session, 30.0)
    left = ends(database, running)
    assert 0 < min(left) <= max(left) <= 30


def test_other_leases_stay_as_they_are(database, running):
    before = ends(database, running)
    with database.session() as session:
        leases.shorten(session, HOUR)
    assert ends(database, running) == pytest.approx(before, abs=30)


def test_a_pause_from_before_ends_too(database, running):
    with database.session() as session:
        job = session.get_one(Job, running)
        job.state, job.lease_until = "queued", time.time() + HOUR
    with database.session() as session:
        leases.shorten(session, 30.0)
    assert ends(database, running)[0] <= ledger.LONGEST_PAUSE


def test_the_row_of_a_stopped_process_is_passed_over(new_postgres):
    database = connect(new_postgres())
    migrate.upgrade(database)
    with database.session() as session:
        session.add(Lab(id=1, name="lab"))
        session.flush()
        session.add(Project(id=1, lab_id=1, name="project"))
        number = ledger.enqueue(session, session.get_one(Project, 1), "work", {}, max_attempts=3).id
    with database.session() as session:
        held = ledger.claim(session, "stopped", HOUR, ["work"])
    with database.session() as stopped:
        ledger.fence(stopped, held)
        with database.session() as session:
            leases.shorten(session, 30.0)
    with database.session(readonly=True) as session:
        assert session.get_one(Job, number).lease_until - time.time() > 30
    database.dispose()
