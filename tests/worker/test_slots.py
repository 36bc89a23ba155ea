"""Which jobs a worker takes, and that what is quick never waits for what is long."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import select, update

from app.jobs import lanes, ledger
from app.settings import Settings
from app.tables import Job, Project
from models.registry import resolve
from pose.frames import no_step
from worker.loop import work
from worker.slots import Slot, main_slot, side_slots


def settings(**chosen):
    return Settings(_env_file=None, **chosen)


@pytest.mark.parametrize(
    ("chosen", "queues", "helps", "besides"),
    [
        ({}, ["gpu-quick", "cpu-quick", "gpu", "cpu"], True, []),
        ({"queue": "gpu"}, ["gpu-quick", "gpu"], True, []),
        ({"queue": "cpu"}, ["cpu-quick", "cpu"], True, []),
        ({"lane": "quick"}, ["gpu-quick", "cpu-quick"], False, [["cpu-quick", "cpu"], ["cpu-quick"]]),
        ({"lane": "quick", "queue": "gpu"}, ["gpu-quick"], False, []),
        ({"lane": "quick", "queue": "cpu"}, ["cpu-quick"], False, [["cpu-quick", "cpu"], ["cpu-quick"]]),
    ],
)
def test_what_computes_long_is_for_workers_of_all_lanes(chosen, queues, helps, besides):
    slot = main_slot(settings(**chosen))
    assert (slot.queues, slot.helps) == (queues, helps)
    assert [side.queues for side in side_slots(settings(**chosen))] == besides


def test_many_quick_jobs_do_not_keep_a_long_one_waiting_for_ever():
    slot = Slot(("gpu-quick", "cpu-quick", "gpu", "cpu"))
    served = []
    for _ in range(24):  # something waits in every queue, always
        served.append(slot.queues[0])
        slot.served(served[-1])
    assert served == (["gpu-quick", "cpu-quick"] * 5 + ["gpu"] + ["gpu-quick", "cpu-quick"] * 5 + ["cpu"] + served[:2])


@pytest.fixture
def worker(plant):
    """Do the jobs of a lane in this process until something holds."""

    def until(lane, holds, wait):
        stopping = threading.Event()
        chosen = plant.settings.model_copy(update={"lane": lane})
        thread = threading.Thread(target=work, args=(chosen, stopping))
        thread.start()
        try:
            return wait(holds)
        finally:
            stopping.set()
            thread.join()

    return until


def test_a_propagation_that_turns_out_long_is_passed_on_and_loses_nothing(plant, worker, wait, monkeypatch):
    assert plant.row().queue == "gpu-quick"
    monkeypatch.setattr(lanes, "QUICK_SECONDS", 1.0)  # of which flow takes longer for 240 frames
    passed = worker("quick", lambda: plant.row().queue == "gpu" and plant.row(), wait)
    assert (passed.state, passed.owner, passed.error, passed.max_attempts) == ("queued", None, None, 4)
    assert plant.segments() == {}
    plant.work()
    assert plant.state()["state"] == "succeeded"


def test_a_correction_of_a_long_video_is_quick_since_most_of_it_is_there(plant, worker, wait, monkeypatch):
    monkeypatch.setattr(lanes, "QUICK_SECONDS", 1.0)
    plant.work()
    assert plant.state()["state"] == "succeeded"
    corrected = {"frame_index": 100, "track_id": 1, "keypoints": [[11, 21, 2], [30, 30, 1]]}
    assert plant.http.put("/videos/1/labels", json={"labels": [corrected]}).status_code == 200
    again = plant.http.post("/videos/1/propagations", json={"engine": "flow"}).json()["id"]

    def row():
        with plant.database.session(readonly=True) as session:
            return session.get_one(Job, again)

    assert row().queue == "gpu-quick"
    assert worker("quick", lambda: row().finished_at and row(), wait).state == "succeeded"


def test_a_quick_worker_does_not_help_with_what_another_one_holds(plant, worker, wait):
    with plant.database.session() as session:
        session.execute(update(Job).where(Job.id == plant.job).values(queue="gpu"))
        held = ledger.claim(session, "another", 600, ["propagate"], ["gpu"])
        project = session.get_one(Project, 1)
        export = ledger.enqueue(session, project, "pack", {"run_id": 1}, max_attempts=1, queue="cpu-quick").id
        session.execute(update(Job).where(Job.id == held.job_id).values(shared=True))

    def ended():
        with plant.database.session(readonly=True) as session:
            return session.scalar(select(Job.finished_at).where(Job.id == export))

    worker("quick", ended, wait)
    assert (plant.row().state, plant.row().owner) == ("running", "another")
    assert plant.rows() == []


def test_jobs_of_a_process_do_not_hear_of_each_other_through_an_engine(plant, worker, wait):
    def ended():
        with plant.database.session(readonly=True) as session:
            return session.scalar(select(Job.finished_at).where(Job.id == plant.job))

    worker("all", ended, wait)
    assert plant.row().state == "succeeded"
    assert resolve("flow").step is no_step
