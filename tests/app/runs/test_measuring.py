"""What is known of an engine on a video: the last run counts, and what nobody refers to goes."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from app.database import connect
from app.jobs import ledger
from app.runs import measuring
from app.settings import QUEUES
from app.tables import Blob, Discard, Project, Run


@pytest.fixture
def runs(house):
    """A transaction that is rolled back, with two runs and some objects on record."""
    made = []
    for _ in range(2):
        job = house.service.finished(house.http.post(f"{house.url}/propagations", json={"engine": "linear"}).json())
        made.append(job["result"]["run_id"])
    database = connect(house.service.settings.database)
    with database.session(readonly=True) as session:
        objects = session.scalars(select(Blob.sha256).limit(3)).all()
    session = database.session().__enter__()
    yield session, [session.get_one(Run, number) for number in made], objects
    session.rollback()
    session.close()
    database.dispose()


def test_the_last_run_that_was_measured_counts(runs):
    session, (first, second), (a, b, c) = runs
    measuring.keep(session, second, "flow", 7, a)
    measuring.keep(session, first, "flow", 9, b)  # which was slower
    row = measuring.find(session, first.video_id, "flow")
    assert (row.run_id, row.keyframes, row.sha256) == (second.id, 7, a)
    measuring.keep(session, second, "flow", 8, c)
    session.flush()
    row = measuring.find(session, first.video_id, "flow")
    assert (row.run_id, row.keyframes, row.sha256) == (second.id, 8, c)
    # Of each object that was put and is not referred to it is said that it may go; not of the one that stays.
    assert {*session.scalars(select(Discard.sha256))} == {a, b}
    measuring.keep(session, second, "flow", 8, c)
    assert c not in {*session.scalars(select(Discard.sha256))}


def test_a_measurement_waits_behind_everything_else(runs, house):
    session, (run, _), _ = runs
    job = measuring.queue(session, house.service.settings, run)
    assert job.params["seconds"] >= measuring.LEAST_SECONDS
    assert not measuring.gives_way(session, QUEUES)
    project = session.get_one(Project, house.project["id"])
    ledger.enqueue(session, project, "pack", {"run_id": run.id}, max_attempts=1, priority=-1, queue="cpu-quick")
    assert measuring.gives_way(session, QUEUES)
    assert not measuring.gives_way(session, ["gpu"])
