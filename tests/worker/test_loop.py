"""Worker processes: stopped, killed, and several at a time."""

from __future__ import annotations

import signal
import threading
import time

from sqlalchemy import update

from app.tables import Job, Video
from worker.loop import work
from worker.maintenance import Maintenance


def test_a_worker_that_is_told_to_stop_gives_its_job_back(plant, wait):
    child = plant.start()
    wait(lambda: len(plant.segments()) > 3)
    child.send_signal(signal.SIGTERM)
    assert child.wait(timeout=30) == 0
    given_back = plant.state()
    done = plant.segments()
    assert (given_back["state"], given_back["attempt"], given_back["error"]) == ("queued", 1, None)
    assert 3 < len(done) < plant.count
    plant.work()
    assert plant.state()["state"] == "succeeded"
    after = plant.segments()
    assert len(after) == plant.count
    assert done.items() <= after.items()


def test_a_job_outlives_a_worker_that_is_killed(plant, wait):
    child = plant.start()
    wait(lambda: len(plant.segments()) > 3)
    child.kill()
    child.wait()
    assert plant.state()["state"] == "running"
    done = plant.segments()
    assert 3 < len(done) < plant.count
    plant.start()
    ended = plant.ended()
    assert (ended["state"], ended["attempt"]) == ("succeeded", 2)
    after = plant.segments()
    assert len(after) == plant.count
    assert done.items() <= after.items()
    labels = plant.http.get("/videos/1/labels", params={"layer": "merged"}).json()["labels"]
    assert [label["frame_index"] for label in labels] == list(range(2 * plant.count))


def test_a_killed_worker_costs_an_attempt_and_at_last_the_job(plant, wait):
    with plant.database.session() as session:
        session.execute(update(Job).where(Job.id == plant.job).values(max_attempts=1))
    child = plant.start()
    wait(plant.segments)
    child.kill()
    child.wait()
    time.sleep(1.1)
    plant.work()
    ended = plant.state()
    assert (ended["state"], ended["error"]) == ("failed", "the worker stopped answering while it worked on this")


def test_a_running_job_ends_soon_after_it_is_cancelled(plant, wait):
    stopping = threading.Event()
    thread = threading.Thread(target=work, args=(plant.settings, stopping))
    thread.start()
    try:
        wait(lambda: len(plant.segments()) > 1)
        plant.http.post(f"/jobs/{plant.job}/cancel")
        ended = plant.ended()
    finally:
        stopping.set()
        thread.join()
    assert ended["state"] in ("cancelled", "succeeded")
    assert ended["state"] == "cancelled" or len(plant.segments()) == plant.count


def test_a_worker_shows_that_it_lives_as_long_as_it_reaches_the_database(plant, tmp_path, wait):
    alive = tmp_path / "alive"
    settings = plant.settings.model_copy(update={"alive_file": str(alive)})
    maintenance = Maintenance(settings, plant.database, None)
    maintenance.start()
    try:
        seen = alive.stat().st_mtime_ns
        wait(lambda: alive.stat().st_mtime_ns > seen)
        with plant.database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE duty RENAME TO away")
        wait(lambda: time.time() - alive.stat().st_mtime > 3)
        with plant.database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE away RENAME TO duty")
        wait(lambda: time.time() - alive.stat().st_mtime < 1)
    finally:
        maintenance.stop()


def test_a_job_that_breaks_says_so_in_a_line_and_pauses(plant):
    with plant.database.session(readonly=True) as session:
        proxy = session.get_one(Video, 1).proxy_sha256
    path = plant.settings.data_dir / "storage" / "sha256" / proxy[:2] / proxy
    path.rename(path.with_suffix(".away"))
    plant.work()
    broken = plant.row()
    assert (broken.state, broken.attempt) == ("queued", 1)
    assert "\n" not in broken.error
    assert broken.lease_until > time.time()
    path.with_suffix(".away").rename(path)
    with plant.database.session() as session:
        session.get_one(Job, plant.job).lease_until = time.time() - 1
    plant.work()
    assert plant.state()["state"] == "succeeded"
