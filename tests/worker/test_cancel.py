"""Somebody who cancels does not wait for a segment to end, nor does a worker that is told to stop."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from app.settings import Settings
from pose.skeleton import Skeleton
from pose.video_writer import VideoWriter

FRAMES = 600
TRACKS = 3
BOUND = 6.0  # seconds, for machines that do ten other things; see benchmarks/results/cancel.md


class Long:
    """A service with a video whose segments take the engine ``stdpose`` many seconds each, and a worker process."""

    def __init__(self, serving, folder):
        wide = np.random.default_rng(0).integers(0, 255, (30, 40 + FRAMES // 4), dtype=np.uint8)
        path = folder / "noise.mp4"
        with VideoWriter(path, 30, 320, 240) as writer:
            for index in range(FRAMES):
                frame = np.kron(wide[:, index // 4 : index // 4 + 40], np.ones((8, 8), dtype=np.uint8))
                writer.write(np.ascontiguousarray(np.repeat(frame[..., None], 3, axis=2)))
        self.service = serving(Settings(data_dir=folder / "data", port=0, poll_seconds=0.05))
        self.http = self.service.http
        names = tuple(f"k{k}" for k in range(8))
        video = self.service.upload(self.service.project(Skeleton(name="eight", keypoints=names)), path)
        self.url = f"/videos/{video['id']}"
        for _ in range(TRACKS):
            self.service.track(video)
        points = np.random.default_rng(1).uniform(40, 200, (TRACKS, 8, 2))
        labels = [
            {"frame_index": frame, "track_id": number + 1, "keypoints": [[x, y, 2] for x, y in points[number].tolist()]}
            for number in range(TRACKS)
            for frame in (0, FRAMES - 1)
        ]
        assert self.http.put(f"{self.url}/labels", json={"labels": labels}).status_code == 200

    def start(self):
        command = [sys.executable, "-m", "cli.main", "worker", "--data-dir", str(self.service.settings.data_dir)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "POSETWEEN_POLL_SECONDS": "0.05"}
        return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)

    def propagate(self, **body):
        """A job that the worker computes by now."""
        job = self.http.post(f"{self.url}/propagations", json={"engine": "stdpose", **body}).json()
        self.until(job, lambda shown: shown["stage"] in ("propagating", "looking at frames", "fitting to the video"))
        return job

    def job(self, job):
        return self.http.get(f"/jobs/{job['id']}").json()

    def until(self, job, holds, seconds=240):
        deadline = time.monotonic() + seconds
        while not holds(shown := self.job(job)):
            assert not shown["finished_at"], (shown["state"], shown["error"])
            assert time.monotonic() < deadline, shown
            time.sleep(0.02)
        return shown


@pytest.fixture(scope="module")
def long(serving, tmp_path_factory):
    return Long(serving, tmp_path_factory.mktemp("long"))


@pytest.fixture
def worker(long):
    child = long.start()
    yield child
    child.kill()
    child.wait()


@pytest.mark.slow
@pytest.mark.parametrize("body", [{}, {"adapt": True}], ids=["propagating", "adapting"])
def test_a_job_is_cancelled_at_any_moment(long, worker, body):
    moments = random.Random(3)
    for _ in range(4):
        job = long.propagate(**body)
        time.sleep(moments.uniform(0, 4))
        asked = time.monotonic()
        long.http.post(f"/jobs/{job['id']}/cancel")
        long.until(job, lambda shown: shown["finished_at"] and shown["state"] == "cancelled")
        assert time.monotonic() - asked < BOUND
    assert worker.poll() is None


@pytest.mark.slow
def test_a_worker_that_is_told_to_stop_does_not_wait_for_the_segment(long, worker):
    job = long.propagate()
    time.sleep(random.Random(5).uniform(0, 3))
    asked = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=60) == 0
    assert time.monotonic() - asked < BOUND
    given_back = long.job(job)
    assert (given_back["state"], given_back["attempt"], given_back["error"]) == ("queued", 1, None)
    other = long.start()
    try:
        again = long.until(job, lambda shown: shown["stage"] == "propagating")
        assert again["attempt"] == 2
        long.http.post(f"/jobs/{job['id']}/cancel")
        long.until(job, lambda shown: shown["state"] == "cancelled")
    finally:
        other.kill()
        other.wait()
