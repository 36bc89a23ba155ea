"""The folder of a training: kept for the next attempt, removed at the end, never written to by two."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from app.database import connect
from app.jobs import ledger
from app.jobs.ledger import Fenced
from app.storage import open_storage
from app.tables import Job, Project
from app.trainings.service import TRAIN
from worker.context import Cancelled, Context, JobFailed, MissingFile, Stopping
from worker.kinds.training_folder import training_folder


@pytest.fixture
def attempt(service, walker):
    """Claim a training; gives what it sees."""
    service.project(walker.skeleton)
    database = connect(service.settings.database)
    with database.session() as session:
        job = ledger.enqueue(session, session.get_one(Project, 1), TRAIN, {}, max_attempts=9)
    with database.session() as session:
        held = ledger.claim(session, "me", 60, [TRAIN])
    assert held is not None
    assert held.job_id == job.id
    yield Context(service.settings, database, open_storage(service.settings), held, threading.Event())
    database.dispose()


def later(attempt):
    """The next attempt of the same job."""
    held = replace(attempt.held, attempt=attempt.held.attempt + 1)
    return Context(attempt.settings, attempt.database, attempt.storage, held, threading.Event())


def broken_off(attempt, error):
    """An attempt that leaves a state and breaks off; gives its folder."""
    folders = []

    def work():
        with training_folder(attempt) as folder:
            folders.append(folder)
            (folder / "state.safetensors").write_bytes(b"state")
            raise error("broke off")

    with pytest.raises(error):
        work()
    return folders[0]


def test_it_is_removed_when_all_is_done(attempt):
    with training_folder(attempt) as folder:
        (folder / "state.safetensors").write_bytes(b"state")
    assert not folder.exists()


@pytest.mark.parametrize("error", [Stopping, Fenced, MissingFile, RuntimeError, KeyboardInterrupt])
def test_the_next_attempt_goes_on_in_it(attempt, error):
    folder = broken_off(attempt, error)
    with training_folder(later(attempt)) as again:
        assert again == folder
        assert (again / "state.safetensors").read_bytes() == b"state"


@pytest.mark.parametrize("error", [Cancelled, JobFailed])
def test_nothing_of_it_stays_where_no_attempt_follows(attempt, error):
    assert not broken_off(attempt, error).exists()


def test_two_workers_never_write_into_the_same(attempt):
    """The first one was stopped beyond its lease and wakes up while the second one trains."""
    with training_folder(attempt) as folder:
        (folder / "state.safetensors").write_bytes(b"of the first")
        with training_folder(later(attempt)) as other:
            assert other != folder
            assert not (other / "state.safetensors").exists()
        assert (folder / "state.safetensors").read_bytes() == b"of the first"


def test_what_was_left_of_jobs_that_ended_elsewhere_is_removed(attempt):
    folder = broken_off(attempt, Stopping)
    beside = folder.parent / "notes"
    beside.mkdir()
    with attempt.database.session() as session:
        ledger.succeed(session, attempt.held, {})
        project = session.get_one(Project, 1)
        job = ledger.enqueue(session, project, TRAIN, {}, max_attempts=9)
    held = replace(attempt.held, job_id=job.id)
    other = Context(attempt.settings, attempt.database, attempt.storage, held, threading.Event())
    assert folder.exists()
    with training_folder(other) as mine:
        assert not folder.exists()
        assert mine.name == str(job.id)
    assert beside.exists()
    with attempt.database.session(readonly=True) as session:
        assert session.get_one(Job, attempt.held.job_id).state == "succeeded"
