"""A service with a propagation of many small segments waiting, and worker processes for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from app.database import Database, connect
from app.settings import Settings
from app.tables import Job, JobSegment
from pose.skeleton import Skeleton
from pose.video_writer import VideoWriter

FRAMES = 240


@dataclass
class Plant:
    """The service, its one job, and the worker processes that were started."""

    service: Any
    database: Database
    job: int
    count: int
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return self.service.settings

    @property
    def http(self) -> Any:
        return self.service.http

    def work(self) -> None:
        """Do every job that waits."""
        self.service.work()

    def state(self) -> dict[str, Any]:
        """The job as the API shows it."""
        return self.http.get(f"/jobs/{self.job}").json()

    def row(self) -> Job:
        """The job's row."""
        with self.database.session(readonly=True) as session:
            return session.get_one(Job, self.job)

    def rows(self) -> list[JobSegment]:
        """The segments' rows."""
        with self.database.session(readonly=True) as session:
            query = select(JobSegment).where(JobSegment.job_id == self.job).order_by(JobSegment.start)
            return list(session.scalars(query))

    def segments(self) -> dict[int, str]:
        """Digest of each finished segment by its first frame."""
        return {row.start: row.sha256 for row in self.rows() if row.sha256 is not None}

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        """A worker process of its own."""
        settings = self.settings
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        for name in ("lease_seconds", "poll_seconds", "ring_seconds", "broker_url", "adapt_steps"):
            environment[f"POSETWEEN_{name.upper()}"] = str(getattr(settings, name))
        command = [sys.executable, "-m", "cli.main", "worker", "--data-dir", str(settings.data_dir)]
        command += ["--database-url", settings.database, *words]
        self.workers.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
        return self.workers[-1]

    def ended(self) -> dict[str, Any]:
        """Wait until the job has ended, and give it."""
        return wait(lambda: (shown := self.state())["finished_at"] and shown, pause=0.03)


def wait(condition: Callable[[], Any], seconds: float = 90, pause: float = 0.005) -> Any:
    """Wait until something holds, and give it; a longer pause leaves others more time to compute."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited for {seconds} seconds"
        time.sleep(pause)
    return found


@pytest.fixture(scope="session", name="wait")
def _wait() -> Callable[..., Any]:
    return wait


@pytest.fixture(scope="session")
def drift(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise that moves a little from frame to frame."""
    path = tmp_path_factory.mktemp("drift") / "drift.mp4"
    rng = np.random.default_rng(0)
    wide = rng.integers(0, 255, (48, 64 + FRAMES, 3), dtype=np.uint8)
    with VideoWriter(path, 25, 64, 48) as writer:
        for index in range(FRAMES):
            writer.write(np.ascontiguousarray(wide[:, index : index + 64]))
    return path


@pytest.fixture
def planted(serving: Any, drift: Path, tmp_path: Path) -> Iterator[Callable[..., Plant]]:
    """Make such services, with settings of one's own."""
    yield from planting(serving, drift, tmp_path)


@pytest.fixture(scope="module")
def alone(serving: Any, drift: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, str]]:
    """What one worker makes of it."""
    for make in planting(serving, drift, tmp_path_factory.mktemp("alone")):
        plant = make()
        plant.work()
        assert plant.state()["state"] == "succeeded"
        yield plant.segments()


def planting(serving: Any, drift: Path, folder: Path) -> Iterator[Callable[..., Plant]]:
    """Make such services in a folder."""
    made: list[Plant] = []

    def make(**options: Any) -> Plant:
        options = {"lease_seconds": 1.0, "poll_seconds": 0.05, **options}
        settings = Settings(data_dir=folder / f"data-{len(made)}", port=0, **options)
        service = serving(settings)
        video = service.upload(service.project(Skeleton(name="one", keypoints=("a", "b"))), drift)
        service.track(video)
        labels = [
            {"frame_index": frame, "track_id": 1, "keypoints": [[60 - frame % 50, 20, 2], [30, 30, 1]]}
            for frame in range(0, FRAMES, 2)
        ]
        assert service.http.put("/videos/1/labels", json={"labels": labels}).status_code == 200
        job = service.http.post("/videos/1/propagations", json={"engine": "flow"}).json()["id"]
        made.append(Plant(service, connect(settings.database), job, FRAMES // 2))
        return made[-1]

    yield make
    for plant in made:
        for worker in plant.workers:
            worker.kill()
            worker.wait()
        plant.database.dispose()


@pytest.fixture
def plant(planted: Callable[..., Plant]) -> Plant:
    """One on SQLite."""
    return planted()
