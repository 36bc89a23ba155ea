"""What being watched costs: a request with and without its log line and metrics, and a scrape beside a million jobs.

Run ``python -m benchmarks.service_metrics > benchmarks/results/service_metrics.md``.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from sqlalchemy import text
from sqlalchemy.dialects import postgresql, sqlite

from app.database import Database, connect
from app.jobs import backlog
from app.tables import Lab, Project
from benchmarks.live_server import Connection, heading, table
from migrations.apply import upgrade
from tests.services import open_folder, postgres_binaries, run_postgres

ROUNDS, AT_A_TIME = 60, 50
VARIANTS = ("neither", "text", "json")
PATHS = ("/healthz", "/me")
FINISHED, WAITING, LOOKS = 1_000_000, 1_000, 31

_SERVER = """
import json, socket, sys
from pathlib import Path
import uvicorn
from app import logs
from app.main import create_app
from app.settings import Settings
from cli.serve import prepare
settings = Settings(data_dir=Path(sys.argv[1]), log_format="json" if sys.argv[2] == "json" else "text")
prepare(settings)
logs.configure(settings)
app = create_app(settings)
if sys.argv[2] == "neither":
    app.middleware_stack = app.middleware_stack.app
listener = socket.create_server(("127.0.0.1", 0))
print(json.dumps([listener.getsockname()[1], settings.admin_key_file.read_text().strip()]), flush=True)
uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False)).run([listener])
"""


@contextmanager
def server(folder: Path, variant: str) -> Iterator[Connection]:
    """A server that logs to a file, and a connection to it."""
    with (folder / f"{variant}.log").open("wb") as log:
        command = [sys.executable, "-c", _SERVER, str(folder / variant), variant]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert child.stdout is not None
        port, key = json.loads(child.stdout.readline())
        with Connection(port, key) as client:
            yield client
    finally:
        child.terminate()
        child.wait(timeout=30)


def requests(folder: Path) -> dict[tuple[str, str], list[float]]:
    """Microseconds of requests by path and variant; the variants take turns."""
    took: dict[tuple[str, str], list[float]] = {(path, variant): [] for path in PATHS for variant in VARIANTS}
    with ExitStack() as stack:
        clients = {variant: stack.enter_context(server(folder, variant)) for variant in VARIANTS}
        for number in range(-5, ROUNDS):
            for (path, variant), seconds in took.items():
                for _ in range(AT_A_TIME):
                    began = time.perf_counter()
                    clients[variant].send("GET", path)
                    if number >= 0:  # before that everything gets warm
                        seconds.append((time.perf_counter() - began) * 1e6)
    return took


def fill(database: Database) -> None:
    """Add jobs that ended."""
    if database.engine.dialect.name == "sqlite":
        counted = f"SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {FINISHED}"
        numbers = f"(WITH RECURSIVE n(i) AS ({counted}) SELECT i FROM n)"
    else:
        numbers = f"(SELECT i FROM generate_series(1, {FINISHED}) AS i)"
    insert_jobs(database, numbers, "'succeeded'")


def insert_jobs(database: Database, numbers: str, state: str) -> None:
    """Add a job for each number."""
    columns = "lab_id, project_id, kind, queue, params, state, priority, turn, work, attempt, max_attempts"
    columns += ", cancel_requested, shared, version, progress, stage, created_at, lease_until"
    with database.engine.begin() as connection:
        connection.execute(
            text(
                f"INSERT INTO job ({columns}) SELECT 1, 1, 'export', CASE i % 2 WHEN 0 THEN 'cpu' ELSE 'gpu' END, "
                f"'{{}}', {state}, 0, i, 1, 1, 3, false, false, 0, 1, 'done', CURRENT_TIMESTAMP, 0 "
                f"FROM {numbers} AS numbers"
            )
        )
        connection.execute(text("ANALYZE"))


def looks(database: Database) -> float:
    """Milliseconds that the ledger takes to answer a scrape, the median."""
    took = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        with database.session(readonly=True) as session:
            found = backlog.look(session)
        took.append((time.perf_counter() - began) * 1000)
    assert sum(found.jobs.values()) == WAITING
    return median(took)


def plans(database: Database) -> list[list[str]]:
    """How the database goes about each question."""
    lite = database.engine.dialect.name == "sqlite"
    dialect = sqlite.dialect() if lite else postgresql.dialect()
    rows = []
    for question in (backlog.unfinished, backlog.lapsed):
        asked = question().compile(dialect=dialect, compile_kwargs={"literal_binds": True})
        with database.engine.begin() as connection:
            plan = connection.exec_driver_sql(f"{'EXPLAIN QUERY PLAN' if lite else 'EXPLAIN (COSTS OFF)'} {asked}")
            steps = [str(row[-1]).strip() for row in plan]
        rows.append([question.__name__, " / ".join(step for step in steps if "ix_" in step)])
    return rows


def scrape(name: str, url: str) -> tuple[list[str], list[list[str]]]:
    """A row of times, and the plans."""
    database = connect(url)
    upgrade(database)
    with database.session() as session:
        session.add(Lab(id=1, name="lab"))
        session.flush()
        session.add(Project(id=1, lab_id=1, name="project"))
    few = f"(SELECT 0 AS i{''.join(f' UNION ALL SELECT {n}' for n in range(1, 10))})"
    waiting = f"(SELECT a.i + 10 * b.i + 100 * c.i AS i FROM {few} AS a, {few} AS b, {few} AS c)"
    insert_jobs(database, waiting, "CASE i % 10 WHEN 0 THEN 'running' ELSE 'queued' END")
    before = looks(database)
    fill(database)
    if database.engine.dialect.name == "postgresql":
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE job"))
    row = [name, f"{before:.1f}", f"{looks(database):.1f}"]
    found = [[name, *plan] for plan in plans(database)]
    database.dispose()
    return row, found


def main() -> None:
    """Measure and print a Markdown page."""
    with tempfile.TemporaryDirectory() as name:
        took = requests(Path(name))
        told, found = scrape("SQLite", f"sqlite:///{name}/jobs.db")
    with open_folder() as elsewhere, run_postgres(postgres_binaries(), elsewhere) as postgres:
        told_postgres, found_postgres = scrape("Postgres", postgres)
    heading(
        "What being watched costs",
        "service_metrics",
        f"Medians of {ROUNDS * AT_A_TIME} requests each over kept connections; three servers that take turns, their "
        "logs in files. 'neither' is the same service without `RequestLog`.",
    )
    rows = []
    for path in PATHS:
        mean = {variant: median(took[path, variant]) for variant in VARIANTS}
        more = [f"{mean[variant]:.0f} ({mean[variant] - mean['neither']:+.0f})" for variant in VARIANTS[1:]]
        what = f"`{path}`" + (", which has a line at debug only" if path == "/healthz" else "")
        rows.append([what, f"{mean['neither']:.0f}", *more])
    table(["GET", "neither, µs", "metrics and text, µs", "metrics and JSON, µs"], rows)
    print(f"What the ledger takes for a scrape, {WAITING:,} jobs not finished, medians of {LOOKS}, and how:\n")
    table(["", "no other jobs, ms", f"beside {FINISHED:,} finished ones, ms"], [told, told_postgres])
    table(["", "question", "plan"], [*found, *found_postgres])


if __name__ == "__main__":
    main()
