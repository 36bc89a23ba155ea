"""Worker processes: stopped, killed, and several at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from sqlalchemy import select, update

from app.database import connect
from app.settings import Settings
from app.tables import Job, JobSegment
from pose.skeleton import Skeleton
from pose.video_writer import VideoWriter
from worker.loop import work

FRAMES = 240


@pytest.fixture(scope="module")
def drift(tmp_path_factory):
    """Noise that moves a little from frame to frame."""
    path = tmp_path_factory.mktemp("drift") / "drift.mp4"
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 255, (48, 64 + FRAMES, 3), dtype=np.uint8)
    with VideoWriter(path, 25, 64, 48) as writer:
        for index in range(FRAMES):
            writer.write(np.ascontiguousarray(wide[:, index : index + 64]))
    return path


@pytest.fixture
def plant(serving, drift, tmp_path):
    """A service with a propagation of many small segments waiting."""
    service = serving(Settings(data_dir=tmp_path / "data", port=0, lease_seconds=1.0, poll_seconds=0.05))
    video = service.upload(service.project(Skeleton(name="one", keypoints=("a", "b"))), drift)
    service.track(video)
    labels = [
        {"frame_index": frame, "track_id": 1, "keypoints": [[60 - frame % 50, 20, 2], [30, 30, 1]]}
        for frame in range(0, FRAMES, 2)
    ]
    assert service.http.put("/videos/1/labels", json={"labels": labels}).status_code == 200
    service.job = service.http.post("/videos/1/propagations", json={"engine": "flow"}).json()["id"]
    return service


def state(service):
    return service.http.get(f"/jobs/{service.job}").json()


def segments(service):
    """Digest of each finished segment by its first frame."""
    database = connect(service.settings.database)
    with database.session(readonly=True) as session:
        query = select(JobSegment.start, JobSegment.sha256).where(
            JobSegment.job_id == service.job, JobSegment.sha256.is_not(None)
        )
        rows = dict(session.execute(query).all())
    database.dispose()
    return rows


def start(service):
    """A worker process of its own."""
    environment = {
        **os.environ,
        "POSETWEEN_LEASE_SECONDS": "1.0",
        "POSETWEEN_POLL_SECONDS": "0.05",
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "cli.main", "worker", "--data-dir", str(service.settings.data_dir)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


def wait(condition):
    """Wait until something holds, and give it."""
    deadline = time.monotonic() + 60
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.005)
    return found


def stop(child):
    child.kill()
    child.wait()


def test_a_worker_that_is_told_to_stop_gives_its_job_back(plant):
    child = start(plant)
    try:
        wait(lambda: len(segments(plant)) > 3)
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=30) == 0
    finally:
        stop(child)
    given_back = state(plant)
    done = segments(plant)
    assert (given_back["state"], given_back["attempt"], given_back["error"]) == ("queued", 1, None)
    assert 3 < len(done) < FRAMES // 2
    plant.work()
    assert state(plant)["state"] == "succeeded"
    after = segments(plant)
    assert len(after) == FRAMES // 2
    assert done.items() <= after.items()


def test_a_job_outlives_a_worker_that_is_killed(plant):
    child = start(plant)
    try:
        wait(lambda: len(segments(plant)) > 3)
    finally:
        stop(child)
    assert state(plant)["state"] == "running"
    done = segments(plant)
    assert 3 < len(done) < FRAMES // 2
    another = start(plant)
    try:
        ended = wait(lambda: (shown := state(plant))["finished_at"] and shown)
    finally:
        stop(another)
    assert (ended["state"], ended["attempt"]) == ("succeeded", 2)
    after = segments(plant)
    assert len(after) == FRAMES // 2
    assert done.items() <= after.items()
    labels = plant.http.get("/videos/1/labels", params={"layer": "merged"}).json()["labels"]
    assert [label["frame_index"] for label in labels] == list(range(FRAMES))


def test_a_killed_worker_costs_an_attempt_and_at_last_the_job(plant):
    database = connect(plant.settings.database)
    with database.session() as session:
        session.execute(update(Job).where(Job.id == plant.job).values(max_attempts=1))
    database.dispose()
    child = start(plant)
    try:
        wait(lambda: segments(plant))
    finally:
        stop(child)
    time.sleep(1.1)
    plant.work()
    ended = state(plant)
    assert (ended["state"], ended["error"]) == ("failed", "the worker stopped answering while it worked on this")


def test_a_running_job_ends_soon_after_it_is_cancelled(plant):
    stopping = threading.Event()
    thread = threading.Thread(target=work, args=(plant.settings, stopping))
    thread.start()
    try:
        wait(lambda: len(segments(plant)) > 1)
        plant.http.post(f"/jobs/{plant.job}/cancel")
        ended = wait(lambda: (shown := state(plant))["finished_at"] and shown)
    finally:
        stopping.set()
        thread.join()
    assert ended["state"] in ("cancelled", "succeeded")
    assert ended["state"] == "cancelled" or len(segments(plant)) == FRAMES // 2
