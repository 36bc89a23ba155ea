"""Segments of one job spread over several workers: each computed once, none lost, the job ended once."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest
from sqlalchemy import insert

from app.jobs import segments
from app.jobs.ledger import Fenced
from app.tables import Job, JobSegment
from worker.loop import work


@contextmanager
def workers(plant, count):
    """Workers in threads of this process, each with connections and a name of its own."""
    stopping = threading.Event()
    threads = [threading.Thread(target=work, args=(plant.settings, stopping)) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield
    stopping.set()
    for thread in threads:
        thread.join()


def pid(owner):
    return int(owner.split(":")[1])


def test_several_workers_make_what_one_makes(planted, alone, database_url):
    plant = planted(database_url=database_url, lease_seconds=20.0)
    with workers(plant, 3):
        ended = plant.ended()
    assert (ended["state"], ended["attempt"], ended["progress"]) == ("succeeded", 1, 1.0)
    assert plant.segments() == alone
    rows = plant.rows()
    assert {row.attempt for row in rows} == {1}
    shares = Counter(row.owner for row in rows)
    assert len(shares) > 1
    assert sum(shares.values()) == plant.count


def test_a_database_without_time_costs_no_attempt(planted, alone, monkeypatch, wait):
    """Who waits ten seconds for SQLite, as on a machine that does much else, is told that the database is locked."""
    plant = planted(lease_seconds=20.0)
    monkeypatch.setattr("app.database._BUSY_SECONDS", 0.1)
    monkeypatch.setattr("app.database._PRAGMAS", ("journal_mode=WAL", "busy_timeout=100"))
    with workers(plant, 2):
        wait(plant.segments, pause=0.03)
        for _ in range(3):
            with plant.database.session() as session:
                session.get_one(Job, plant.job)  # and with it the turn to write
                time.sleep(1.0)
            time.sleep(0.2)
        ended = plant.ended()
    assert (ended["state"], ended["attempt"]) == ("succeeded", 1), ended["error"]
    assert plant.segments() == alone
    assert {row.attempt for row in plant.rows()} == {1}


def test_what_a_killed_helper_held_goes_to_others(planted, new_postgres, alone, wait):
    plant = planted(database_url=new_postgres(), lease_seconds=1.5)
    plant.start()
    plant.start()

    def helper():
        holder = plant.row().owner
        taken = [row.owner for row in plant.rows() if row.owner and row.sha256 is None]
        return next((owner for owner in taken if holder and owner != holder), None)

    killed = wait(helper, pause=0.03)
    os.kill(pid(killed), signal.SIGKILL)
    ended = plant.ended()
    assert (ended["state"], ended["attempt"]) == ("succeeded", 1)
    assert plant.segments() == alone
    again = [row for row in plant.rows() if row.attempt > 1]
    assert again
    assert all(row.owner != killed for row in again)


def test_a_worker_that_was_stopped_beyond_its_lease_writes_nothing_more(planted, new_postgres, alone, wait):
    plant = planted(database_url=new_postgres(), lease_seconds=1.5)
    first = plant.start()
    wait(lambda: len(plant.segments()) > 3, pause=0.03)
    first.send_signal(signal.SIGSTOP)
    stopped = plant.row().owner
    assert plant.state()["state"] == "running"
    plant.start()
    ended = plant.ended()
    before = [(row.start, row.sha256, row.owner, row.attempt) for row in plant.rows()]
    first.send_signal(signal.SIGCONT)
    first.send_signal(signal.SIGTERM)
    assert first.wait(timeout=30) == 0
    assert (ended["state"], ended["attempt"]) == ("succeeded", 2)
    assert plant.row().owner != stopped
    assert plant.state() == ended
    assert [(row.start, row.sha256, row.owner, row.attempt) for row in plant.rows()] == before
    assert plant.segments() == alone


def test_a_segment_belongs_to_who_took_it_last(plant):
    def do(what, *arguments):
        with plant.database.session() as session:
            return what(session, *arguments)

    with plant.database.session() as session:
        rows = [{"job_id": plant.job, "track_number": 1, "start": start, "stop": start + 9} for start in (0, 9, 18)]
        session.execute(insert(JobSegment), [{**row, "input_sha256": "of all it depends on"} for row in rows])
    zombie = do(segments.take, plant.job, "zombie", -1.0, 2)
    heir = do(segments.take, plant.job, "heir", 60.0, 2)
    assert [(one.start, one.attempt) for one in zombie] == [(0, 1), (9, 1)]
    assert [(one.start, one.attempt) for one in heir] == [(0, 2), (9, 2)]
    with pytest.raises(Fenced):
        do(segments.record, zombie[0], "0" * 64)
    do(segments.give_back, plant.job, "zombie")
    assert [row.owner for row in plant.rows()] == ["heir", "heir", None]
    do(segments.give_back, plant.job, "heir")
    assert [(row.owner, row.attempt) for row in plant.rows()] == [(None, 1), (None, 1), (None, 0)]
    assert [one.start for one in do(segments.take, plant.job, "third", 60.0, 9)] == [0, 9, 18]
