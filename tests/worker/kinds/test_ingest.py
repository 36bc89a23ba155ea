"""Ingest reads strangers' files in a child process: what happens to the child must not happen to the worker."""

from __future__ import annotations

import os
import signal
import threading
import time

import numpy as np
import psutil
import pytest

from app.settings import Settings
from pose.skeleton import COCO_17
from pose.video_writer import VideoWriter
from worker.loop import work


@pytest.fixture(scope="module")
def long(tmp_path_factory):
    """A video that takes a while to read."""
    path = tmp_path_factory.mktemp("long") / "long.mp4"
    rng = np.random.default_rng(0)
    with VideoWriter(path, 25, 640, 480) as writer:
        pictures = [rng.integers(0, 255, (480, 640, 3), dtype=np.uint8) for _ in range(4)]
        for index in range(60):
            writer.write(pictures[index % 4])
    return path


def send(service, path):
    service.project(COCO_17)
    return service.http.post("/projects/1/videos", content=path.read_bytes()).json()


def scratch(service):
    return [path for path in service.settings.scratch_dir.rglob("*") if path.is_file()]


def reading_child():
    """The process that reads a video, once there is one, held still so that it cannot be done too soon."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for child in psutil.Process(os.getpid()).children():
            try:
                if "worker.kinds.ingest_child" in child.cmdline():
                    child.suspend()
                    return child
            except (psutil.NoSuchProcess, psutil.ZombieProcess):
                continue
        time.sleep(0.01)
    raise AssertionError("no child began to read")


@pytest.fixture
def working(serving, tmp_path):
    """A service with a worker that runs beside it."""
    service = serving(Settings(data_dir=tmp_path / "data", port=0, poll_seconds=0.05))
    stopping = threading.Event()
    thread = threading.Thread(target=work, args=(service.settings, stopping))
    thread.start()
    service.stop_worker = lambda: (stopping.set(), thread.join())
    yield service
    service.stop_worker()


def ended(service, number):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        shown = service.http.get(f"/videos/{number}").json()
        if shown["status"] != "ingesting":
            return shown
        time.sleep(0.05)
    raise AssertionError("the ingest did not end")


def test_a_child_that_is_killed_rejects_the_video_and_the_worker_goes_on(working, long, walker):
    video = send(working, long)
    reading_child().send_signal(signal.SIGKILL)
    shown = ended(working, video["id"])
    assert shown["status"] == "rejected"
    assert "memory" in shown["reason"]
    log = working.http.get(f"/jobs/{video['ingest_job_id']}/log").json()["items"]
    warnings = [line["text"] for line in log if line["what"] == "warning"]
    assert warnings == [f"rejected: {shown['reason']}"]
    assert scratch(working) == []
    data = walker.path.read_bytes()
    after = working.http.post("/projects/1/videos", content=data).json()
    assert ended(working, after["id"])["status"] == "ready"


def test_a_rejected_video_is_tried_again_when_it_is_sent_again(working, long):
    video = send(working, long)
    reading_child().send_signal(signal.SIGKILL)
    assert ended(working, video["id"])["status"] == "rejected"
    again = send(working, long)
    assert (again["id"], again["status"]) == (video["id"], "ingesting")
    shown = ended(working, video["id"])
    assert (shown["status"], shown["reason"]) == ("ready", None)


def test_a_cancelled_ingest_stops_the_child(working, long):
    video = send(working, long)
    child = reading_child()
    working.http.post(f"/jobs/{video['ingest_job_id']}/cancel")
    shown = ended(working, video["id"])
    assert (shown["status"], "cancelled" in shown["reason"]) == ("rejected", True)
    assert not child.is_running()
    assert scratch(working) == []


def test_a_worker_that_stops_takes_the_child_with_it(working, long):
    video = send(working, long)
    child = reading_child()
    working.stop_worker()
    assert not child.is_running()
    job = working.http.get(f"/jobs/{video['ingest_job_id']}").json()
    assert (job["state"], job["error"]) == ("queued", None)
    assert scratch(working) == []
    working.work()
    assert working.http.get(f"/videos/{video['id']}").json()["status"] == "ready"


@pytest.mark.parametrize(
    ("limits", "word"),
    [
        ({"ingest_memory_bytes": 400 * 2**20}, "memory"),
        ({"ingest_seconds": 0.05}, "longer than"),
        ({"max_frames": 20}, "frames"),
    ],
)
def test_a_video_beyond_the_limits_is_rejected_with_a_sentence(serving, tmp_path, long, everything, limits, word):
    sending = serving(Settings(data_dir=tmp_path / "data", port=0))
    video = send(sending, long)
    files = everything(sending)["files"]
    settings = sending.settings.model_copy(update=limits)
    work(settings, threading.Event(), until_idle=True)
    shown = sending.http.get(f"/videos/{video['id']}").json()
    assert shown["status"] == "rejected"
    assert word in shown["reason"]
    assert everything(sending)["files"] == files
