"""How long a job waits for an idle worker: polling on SQLite and on Postgres, and told over Redis.

Run ``python -m benchmarks.ledger_latency > benchmarks/results/ledger_latency.md``.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from sqlalchemy import select

from app.database import connect
from app.exports import service as exports
from app.exports.schemas import ExportIn
from app.jobs.notifier import Notifier
from app.projects import service as projects
from app.projects.schemas import SkeletonSchema
from app.settings import Settings
from app.tables import Job, Lab, Project
from benchmarks.live_server import heading, table
from cli.serve import prepare
from tests.services import free_port, open_folder, postgres_binaries, redis_binary, run_postgres, run_redis

JOBS = 60


@contextmanager
def worker(settings: Settings):
    """An idle worker process."""
    command = [sys.executable, "-m", "cli.main", "worker", "--data-dir", str(settings.data_dir)]
    command += ["--database-url", settings.database, "--broker-url", settings.broker_url]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, **quiet)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def measure(settings: Settings) -> list[float]:
    """Milliseconds from before a job's commit to its claim, for each of ``JOBS`` exports of nothing."""
    prepare(settings)
    database = connect(settings.database)
    notifier = Notifier(settings.broker_url) if settings.broker_url else None
    if notifier is not None:
        notifier.attach(database)
    with database.session() as session:
        lab_id = session.scalars(select(Lab.id)).first() or 1
        skeleton = SkeletonSchema(name="one", keypoints=["a"])
        project_id = projects.create(session, lab_id, name="nothing", skeleton=skeleton).id
    waits = []

    def once() -> float:
        with database.session() as session:
            project = session.get_one(Project, project_id)
            job_id = exports.start(session, settings, project, ExportIn()).id
            began = datetime.now(UTC)
        ended = _until(lambda: (job := _job(database, job_id)).finished_at and job)
        assert ended.state == "succeeded", ended.error
        return (ended.started_at - began).total_seconds() * 1000

    with worker(settings):
        once()  # waits for the process to start
        once()  # and for everything to be loaded
        for _ in range(JOBS):
            time.sleep(random.uniform(0.05, 0.35))
            waits.append(once())
    if notifier is not None:
        notifier.close()
    database.dispose()
    return waits


def _job(database, number: int) -> Job:
    with database.session(readonly=True) as session:
        return session.get_one(Job, number)


def _until(condition: Callable):
    deadline = time.monotonic() + 120
    while not (found := condition()):
        assert time.monotonic() < deadline, "no worker took the job"
        time.sleep(0.005)
    return found


def main() -> None:
    """Measure and print a Markdown page."""
    rows = []
    with (
        tempfile.TemporaryDirectory() as folder,
        open_folder() as elsewhere,
        run_postgres(postgres_binaries(), elsewhere) as postgres,
        run_redis(redis_binary(), Path(folder), free_port()) as redis,
    ):
        for name, options in (
            ("SQLite, polling every 0.2 s", {}),
            ("Postgres, polling every 0.2 s", {"database_url": postgres}),
            ("Postgres, told over Redis", {"database_url": postgres, "broker_url": redis}),
        ):
            waits = sorted(measure(Settings(data_dir=Path(folder) / str(len(rows)), **options)))
            cells = [median(waits), waits[int(0.95 * len(waits))], waits[-1]]
            rows.append([name, *(f"{cell:.0f}" for cell in cells)])
            print(rows[-1], file=sys.stderr)
    heading(
        "From committing a job to its claim",
        "ledger_latency",
        f"{JOBS} exports of nothing, one after the other at random moments, and one idle worker. Postgres runs without "
        "fsync, on the same machine.",
    )
    table(["", "median, ms", "95th percentile, ms", "worst, ms"], rows)


if __name__ == "__main__":
    main()
