"""What rows and statements cost as the tables grow, on Postgres and SQLite, and whether statements find an index.

Run ``python -m benchmarks.scaling_costs > benchmarks/results/scaling_costs.md``; ``--sizes`` (10000 100000 1000000)
says how many labels, revisions, jobs, segments and audit entries there are. What ``benchmarks.scaling`` needs goes into
``scaling_costs.json`` beside the page.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import psutil  # type: ignore[import-untyped]
from sqlalchemy import event, select, update
from sqlalchemy.orm import Session

from app.database import Database, connect
from app.jobs import ledger, segments
from app.labels import history
from app.labels import service as labels
from app.labels.schemas import LabelIn
from app.labs import quotas
from app.settings import QUEUES
from app.tables import ApiKey, AuditEntry, Job, JobSegment, LabelRevision, Project, Run, Video
from app.uploads import service as uploads
from benchmarks.filled_database import Filled, fill
from benchmarks.live_server import heading, table
from tests.services import open_folder, postgres_binaries, run_postgres

RESULTS = Path(__file__).parent / "results" / "scaling_costs.json"
KINDS = ["ingest", "propagate", "export"]
REPEATS = 15
TRANSACTIONS = 400
CLAIM_SECONDS = 3.0
WAITING = 20_000  # of which 70 % for a GPU
#: Read from end to end these cost little: they stay small.
SMALL = {"lab", "api_key", "project", "skeleton_version", "duty", "video", "track", "upload", "export"}


def hot(filled: Filled) -> dict[str, Callable[[Session], object]]:
    """The statements that a busy service runs all the time, each as it runs them."""
    shared = 100 * (filled.rows["job"] // 200)
    video, lab, key = filled.videos // 2, 50, 500
    label = LabelIn(frame_index=4000, track_id=1, keypoints=[(1.0, 2.0, 2)] * 17)

    def enqueue(session: Session) -> None:
        project = session.get_one(Project, lab)
        ledger.enqueue(session, project, "propagate", {}, queue="gpu", video_id=video, max_attempts=3, work=100.0)

    def window(session: Session) -> None:
        history.read(session, video, 17, start=4000, stop=4300)

    def write(session: Session) -> None:
        labels.put(session, session.get_one(Video, video), [label], key_id=key, if_match=None)

    def fence(session: Session) -> None:
        held = session.scalars(select(Job).where(Job.queue == "gpu", Job.state == "running").limit(1)).one()
        claim = ledger.Claim(held.id, held.kind, held.owner or "", held.attempt, {})
        ledger.fence(session, claim, progress=0.5)

    def segments_of_runs(session: Session) -> None:
        runs = session.scalars(select(Run.id).where(Run.video_id == video, Run.hidden_at.is_(None))).all()
        query = select(JobSegment.sha256).join(Run, JobSegment.job_id == Run.job_id)
        session.execute(query.where(Run.id.in_(runs), JobSegment.start < 4300, JobSegment.stop > 4000)).all()

    def use_key(session: Session) -> None:
        session.execute(update(ApiKey).where(ApiKey.id == key).values(last_used_at=datetime.now(UTC)))

    def sweep(session: Session) -> None:
        uploads.all_open(session)
        uploads.forget(session)

    def page(model: Any, *where: Any, by: Any) -> Callable[[Session], object]:
        return lambda session: session.scalars(select(model).where(*where).order_by(by).limit(51)).all()

    return {
        "claim, worker of one queue": lambda session: ledger.claim(session, "me", 60, KINDS, ("gpu",)),
        "claim, worker of both queues": lambda session: ledger.claim(session, "me", 60, KINDS),
        "write a job's progress, fenced": fence,
        "queue a job": enqueue,
        "reap": ledger.reap,
        "ring again": lambda session: ledger.overdue(session, 5.0),
        "look for a job to help with": lambda session: segments.find(session, ["propagate"], ("gpu",)),
        "take segments": lambda session: segments.take(session, shared, "me", 60, 8),
        "write a label": write,
        "read 300 frames of labels": window,
        "segments under 300 frames": segments_of_runs,
        "a page of revisions": page(
            LabelRevision, LabelRevision.video_id == video, LabelRevision.revision > 100, by=LabelRevision.revision
        ),
        "a page of the audit trail": page(AuditEntry, AuditEntry.lab_id == lab, by=AuditEntry.id.desc()),
        "a page of a lab's jobs": page(Job, Job.lab_id == lab, by=Job.id),
        "a page of a lab's waiting jobs": page(
            Job, Job.lab_id == lab, Job.queue.in_(QUEUES), Job.state == "queued", by=Job.id
        ),
        "a page of a video's jobs": page(Job, Job.lab_id == lab, Job.video_id == video, by=Job.id),
        "count a lab's waiting jobs": lambda session: quotas.queued_jobs(session, lab),
        "add up a lab's bytes": lambda session: quotas.stored_bytes(session, lab),
        "write a key's last use": use_key,
        "sweep uploads": sweep,
    }


def let_wait(database: Database) -> None:
    """Put many jobs into the queue."""
    with database.session() as session:
        done = Job.id <= WAITING, Job.queue == "gpu", Job.state == "succeeded"
        session.execute(update(Job).where(*done).values(state="queued"))


def processor(url: str, filled: Filled) -> dict[str, list[float]]:
    """Milliseconds of processor time, of Postgres and of Python, for whole transactions that are committed."""
    database = connect(url)
    let_wait(database)
    with database.session(readonly=True) as session:  # one connection serves all of it
        server = psutil.Process(session.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar_one())
    statements = hot(filled)

    def ask(session: Session) -> None:
        session.get(ApiKey, 500)
        session.scalar(select(Video).join(Project).where(Video.id == filled.videos // 2, Project.lab_id == 50))

    def claim_and_end(session: Session) -> None:
        held = ledger.claim(session, "me", 60, KINDS, ("gpu",))
        assert held is not None
        session.commit()
        ledger.succeed(session, held, {})

    kinds: dict[str, tuple[Callable[[Session], object], bool]] = {
        "write a label": (statements["write a label"], False),
        "claim and end a job": (claim_and_end, False),
        "heartbeat": (statements["write a job's progress, fenced"], False),
        "ask for a key and a video": (ask, True),
    }
    costs = {}
    for name, (statement, readonly) in kinds.items():
        for count in (20, TRANSACTIONS):  # the first few warm up
            before, start = server.cpu_times(), time.thread_time()
            for _ in range(count):
                with (database.read if readonly else database.write)() as session:
                    statement(session)
                    session.commit()
            python, after = time.thread_time() - start, server.cpu_times()
            spent = after.user + after.system - before.user - before.system
            costs[name] = [1000 * spent / count, 1000 * python / count]
    database.dispose()
    return costs


@contextmanager
def listening(database: Database):  # type: ignore[no-untyped-def]
    """The statements that a block runs, with their parameters."""
    heard: list[tuple[str, Any]] = []

    def hear(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        if re.match(r"\s*(SELECT|UPDATE|DELETE|INSERT)", statement) and not many:
            heard.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", hear)
    yield heard
    event.remove(database.engine, "before_cursor_execute", hear)


def cost(database: Database, statement: Callable[[Session], object]) -> tuple[float, list[str]]:
    """Milliseconds of a statement, rolled back each time, and the large tables that it reads from end to end."""
    times = []
    for _ in range(REPEATS):
        session = database.write()
        session.connection()
        start = time.perf_counter()
        statement(session)
        session.flush()
        times.append(1000 * (time.perf_counter() - start))
        session.rollback()
        session.close()
    with listening(database) as heard:
        session = database.write()
        statement(session)
        session.flush()
        session.rollback()
        session.close()
    explain = "EXPLAIN " if database.engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN "
    whole = set()
    for sentence, parameters in heard:
        with database.engine.connect() as connection:
            lines = [str(row[-1]) for row in connection.exec_driver_sql(explain + sentence, parameters)]
            connection.rollback()
        for line in lines:
            if found := re.search(r"Seq Scan on (\w+)|^SCAN (\w+)$", line):
                whole.add(found[1] or found[2])
    return median(times), sorted(whole - SMALL)


def _claim_for_a_while(url: str, threads: int) -> int:
    """Claim and end jobs with so many threads; gives how many."""
    database, done, until = connect(url), [0] * threads, time.monotonic() + CLAIM_SECONDS

    def work(number: int) -> None:
        while time.monotonic() < until:
            with database.session() as session:
                held = ledger.claim(session, f"{number}", 60, KINDS, ("gpu",))
            if held is None:
                return
            with database.session() as session:
                ledger.succeed(session, held, {})
            done[number] += 1

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    database.dispose()
    return sum(done)


def claims(url: str, claimers: int) -> float:
    """Jobs claimed and ended in a second by so many claimers, in up to four processes."""
    database, processes = connect(url), min(4, claimers)
    let_wait(database)
    database.dispose()
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(time.sleep, [0.5] * processes))  # they start
        done = pool.map(_claim_for_a_while, [url] * processes, [claimers // processes] * processes)
        return sum(done) / CLAIM_SECONDS


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--no-record", action="store_true", help="leave scaling_costs.json as it is")
    asked = parser.parse_args()
    binaries = postgres_binaries()
    assert binaries is not None, "Postgres is not installed"
    facts: dict[str, Any] = {"sizes": asked.sizes}
    for kind in ("postgres", "sqlite"):
        facts[kind] = {"bytes": {}, "ms": {}, "whole": {}}
    for size in asked.sizes:
        with (
            tempfile.TemporaryDirectory() as folder,
            open_folder() as elsewhere,
            run_postgres(binaries, elsewhere, durable=True) as server,
        ):
            for kind, url in (("postgres", server), ("sqlite", f"sqlite:///{folder}/filled.db")):
                filled = fill(url, size)
                print(kind, size, "filled", file=sys.stderr)
                facts[kind]["bytes"] = {name: filled.sizes[name] / rows for name, rows in filled.rows.items()}
                for name, statement in hot(filled).items():
                    taken, whole = cost(filled.database, statement)
                    facts[kind]["ms"].setdefault(name, []).append(round(taken, 2))
                    facts[kind]["whole"].setdefault(name, []).append(whole)
                filled.database.dispose()
                if kind == "postgres" and size == asked.sizes[-1]:
                    facts["processor"] = processor(url, filled)
            if size == asked.sizes[-1]:
                facts["claims"] = {str(number): round(claims(server, number), 1) for number in (1, 2, 4, 8, 16, 32)}
    if not asked.no_record:
        RESULTS.write_text(json.dumps(facts, indent=1) + "\n")

    heading(
        "What rows and statements cost as the tables grow",
        " ".join(["scaling_costs", *sys.argv[1:]]),
        "Each size is the number of labels, revisions, jobs, segments and audit entries; 1 % of the jobs wait. "
        f"Statements take what Python takes to make them, without the commit; medians of {REPEATS}. Postgres keeps its "
        "own settings, with fsync.",
    )
    for kind in ("postgres", "sqlite"):
        print(f"## {kind}\n")
        rows = []
        for name, taken in facts[kind]["ms"].items():
            whole = sorted({one for found in facts[kind]["whole"][name] for one in found})
            rows.append([name, *(f"{ms:.1f}" for ms in taken), ", ".join(whole) or "none"])
        table(["ms", *(f"{size:,}" for size in asked.sizes), "large tables read whole"], rows)
        sizes = facts[kind]["bytes"]
        table(["bytes a row, indexes included", ""], [[name, f"{sizes[name]:.0f}"] for name in sizes])
    print(f"## Processor time of a transaction on Postgres: ms, mean of {TRANSACTIONS}\n")
    rows = [[name, *(f"{ms:.2f}" for ms in spent)] for name, spent in facts["processor"].items()]
    table(["", "of Postgres", "of Python"], rows)
    print("## Jobs claimed and ended in a second, on Postgres\n")
    table(["claimers at a time", "jobs/s"], [[number, f"{rate:.0f}"] for number, rate in facts["claims"].items()])


if __name__ == "__main__":
    main()
