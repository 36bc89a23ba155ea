"""Pages of long lists: projects, jobs and acts of one lab beside as many of another; videos, runs and checkpoints.

Run ``python -m benchmarks.lists > benchmarks/results/lists.md``.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter

from app.database import connect
from benchmarks.list_rows import Counts, fill
from benchmarks.live_server import Connection, LiveServer, heading, live_server, table
from tests.services import open_folder, postgres_binaries, run_postgres

COUNTS = Counts(projects=10_000, jobs=100_000, runs=5_000, checkpoints=1_000, entries=100_000, videos=1_000)
ROUNDS = 30


def filled(url: str) -> int:
    """A database with all that; gives the video whose runs are listed."""
    database = connect(url)
    video_id = fill(database, COUNTS)
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")
    database.dispose()
    return video_id


def pages(video_id: int) -> dict[str, str]:
    """What is asked for."""
    others = {
        "videos of a project": "/projects/1/videos",
        "runs of a video": f"/videos/{video_id}/runs",
        "checkpoints of a project": "/projects/1/checkpoints",
        "the audit trail": "/audit",
    }
    return {
        f"{kind}, {limit} a page, {where}": f"/{kind}?limit={limit}{query}"
        for kind in ("projects", "jobs")
        for limit in (50, 200)
        for where, query in (("newest", ""), ("oldest", "&order=oldest"))
    } | {
        **{f"{name}, {limit} a page": f"{path}?limit={limit}" for name, path in others.items() for limit in (50, 200)},
        "projects whose names have a word, 50 a page": "/projects?limit=50&name=maus",
        "projects whose names have a rare number, 50 a page": "/projects?limit=50&name=9999",
        "projects whose names have what none has": "/projects?limit=50&name=nothing",
        "jobs that wait, 50 a page": "/jobs?limit=50&state=queued",
        "jobs that failed: none": "/jobs?limit=50&state=failed",
    }


def walked(client: Connection, path: str, count: int) -> str:
    """The address of a page in the middle of a list."""
    cursor = ""
    for _ in range(count):
        cursor = "&cursor=" + json.loads(client.send("GET", path + cursor))["next_cursor"]
    return path + cursor


def measure(server: LiveServer, video_id: int) -> list[list[object]]:
    """A row for each kind of page."""
    rows: list[list[object]] = []
    with server.connect() as client:
        middle = {
            f"{name}, 200 a page, the 20th": walked(client, f"{path}?limit=200", 20)
            for name, path in {
                "projects": "/projects",
                "jobs": "/jobs",
                "runs of a video": f"/videos/{video_id}/runs",
                "the audit trail": "/audit",
            }.items()
        }
        for name, path in (pages(video_id) | middle).items():
            client.send("GET", path)
            before = sum(server.process.cpu_times()[:2])
            times = [timed(client, path) for _ in range(ROUNDS)]
            processor = (sum(server.process.cpu_times()[:2]) - before) / ROUNDS
            shown = len(json.loads(client.send("GET", path))["items"])
            late = quantiles(times, n=20)[-1]
            rows.append([name, shown, *(f"{1000 * value:.1f}" for value in (median(times), late, processor))])
    return rows


def timed(client: Connection, path: str) -> float:
    """Seconds that a page takes."""
    began = perf_counter()
    client.send("GET", path)
    return perf_counter() - began


def main() -> None:
    """Measure and print a Markdown page."""
    found = {}
    binaries = postgres_binaries()
    assert binaries is not None, "Postgres is not installed"
    with (
        tempfile.TemporaryDirectory() as folder,
        open_folder() as server_folder,
        run_postgres(binaries, server_folder, durable=True) as url,
    ):
        for name, settings in {"SQLite": {}, "Postgres": {"database_url": url}}.items():
            with live_server(Path(folder) / name, requests_per_minute=0, log_level="warning", **settings) as server:
                found[name] = measure(server, filled(server.settings.database))
    heading(
        f"{COUNTS.projects} projects and {COUNTS.jobs} jobs of a lab, page by page",
        "lists",
        f"{ROUNDS} times each page, over one connection; another lab has as much in the same tables. Before, a page"
        " of 200 projects took 251 ms on this kind of machine, a query for each row. There are"
        f" {COUNTS.runs} runs of the video, {COUNTS.checkpoints} checkpoints and {COUNTS.videos} videos of the project,"
        f" {COUNTS.entries} acts.",
    )
    for name, rows in found.items():
        print(f"## {name}\n")
        table(["page", "rows", "median, ms", "95th percentile, ms", "processor time of the server, ms"], rows)


if __name__ == "__main__":
    main()
