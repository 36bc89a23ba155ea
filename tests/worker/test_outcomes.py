"""How a job ends stands in the log and is counted."""

from __future__ import annotations

import logging
import threading
import time

import pytest
from sqlalchemy import event, update

from app.jobs import ledger
from app.storage import open_storage
from app.tables import Job
from worker.context import Stopping
from worker.execute import _said, run_job
from worker.metrics import DeviceUsage, WorkerMetrics
from worker.registry import KINDS


@pytest.fixture
def do(plant, caplog):
    """Do the job that waits; gives the last line about it, which tells how it ended."""
    metrics = WorkerMetrics(plant.settings)

    def once(stopping=None):
        with plant.database.session() as session:
            session.execute(update(Job).where(Job.state == "queued").values(lease_until=None))  # no pause
            held = ledger.claim(session, "me", 60, list(KINDS))
        assert held is not None
        caplog.clear()
        with caplog.at_level(logging.INFO):
            run_job(
                plant.settings,
                plant.database,
                open_storage(plant.settings),
                held,
                stopping or threading.Event(),
                metrics,
            )
        said = once.said = [record for record in caplog.records if record.name == "worker.execute"]
        assert [said[0].message, said[-1].message] == ["job begins", "job ends"]
        counted = metrics.registry.get_sample_value(
            "posetween_jobs_done_total", {"kind": "propagate", "outcome": said[-1].outcome}
        )
        assert counted >= 1
        assert said[-1].seconds >= 0
        return said

    once.metrics = metrics
    return once


def test_a_job_that_is_done(do, plant):
    *_, end = do()
    assert (end.outcome, end.levelname) == ("succeeded", "INFO")
    frames = do.metrics.registry.get_sample_value("posetween_frames_propagated_total", {"engine": "flow"})
    assert frames == 2 * plant.count


def test_a_database_without_time_for_the_end_of_a_job_costs_no_attempt(do, plant, monkeypatch):
    """The database is locked while the end is written down, for longer than a writer waits."""
    monkeypatch.setattr("app.database._BUSY_SECONDS", 0.1)
    holders = []

    def hold(locked):
        with plant.database.session() as session:
            session.get_one(Job, plant.job)  # and with it the turn to write
            locked.set()
            time.sleep(1)

    def work(context):
        locked = threading.Event()
        holders.append(threading.Thread(target=hold, args=(locked,)))
        holders[-1].start()
        locked.wait()
        raise Stopping

    monkeypatch.setattr("worker.execute.load", lambda kind: work)
    event.listen(plant.database.engine, "checkout", lambda raw, *_: raw.execute("PRAGMA busy_timeout=100"))
    *_, end = do()
    assert end.outcome == "given_back"
    assert (plant.row().state, plant.row().owner) == ("queued", None)
    assert any("does not hear of the end" in record.message for record in do.said)
    holders[0].join()


def test_a_job_that_is_given_back(do):
    stopping = threading.Event()
    stopping.set()
    *_, end = do(stopping)
    assert (end.outcome, end.levelname) == ("given_back", "INFO")


def test_a_job_that_is_cancelled(do, plant, monkeypatch):
    def work(context):
        plant.http.post(f"/jobs/{plant.job}/cancel")
        while True:
            context.step(0.5, "working")
            time.sleep(0.02)

    monkeypatch.setattr("worker.execute.load", lambda kind: work)
    *_, end = do()
    assert (end.outcome, end.levelname) == ("cancelled", "INFO")
    assert plant.state()["state"] == "cancelled"


def test_a_job_that_breaks_is_tried_again_and_fails_at_last(do, plant):
    for path in (plant.settings.data_dir / "storage" / "sha256").rglob("*"):
        if path.is_file():
            path.write_bytes(b"damaged")
    outcomes = []
    for attempt in range(3):
        begin, end = do()
        assert "is damaged" in end.reason
        assert "/" not in end.reason
        assert end.levelname == "WARNING"
        assert hasattr(begin, "waited") == (attempt == 0)
        outcomes.append(end.outcome)
    assert outcomes == ["retried", "retried", "failed"]


def test_a_job_that_was_lost(do, plant, monkeypatch):
    def lose(context):
        with plant.database.session() as session:
            ledger.release(session, context.held, "somebody else's now")
        context.step(0.5, "none")

    monkeypatch.setattr("worker.execute.load", lambda kind: lose)
    *_, end = do()
    assert (end.outcome, end.levelname) == ("lost", "WARNING")


def test_seconds_count_while_the_work_goes_on():
    busy = DeviceUsage()
    with busy.working("propagate") as stint, busy.working("export"):
        time.sleep(0.05)
        before = busy.seconds()["cpu", "propagate"]
        assert before >= 0.05
        stint.on("cuda:1")
        time.sleep(0.05)
        assert busy.seconds()["cuda:1", "propagate"] >= 0.05
        assert busy.seconds()["cpu", "export"] >= 0.1
    ended = busy.seconds()
    time.sleep(0.05)
    assert busy.seconds() == ended
    assert ended["cpu", "propagate"] < ended["cpu", "export"]


def test_an_error_of_our_own_names_no_path_of_the_server(tmp_path):
    assert _said(FileNotFoundError(2, "No such file", str(tmp_path / "x"))) == "FileNotFoundError: No such file"
    said = _said(RuntimeError(f"cannot open '{tmp_path}/secret.mp4' (or file:///srv/lab/x), 3 and/or 4 tried"))
    assert str(tmp_path) not in said
    assert "srv" not in said
    assert "and/or 4 tried" in said
