"""The service as it is run: its processes, its database, its broker and its storage."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx2
import obstore
import psutil  # type: ignore[import-untyped]
import psycopg
import redis
from obstore.store import from_url
from sqlalchemy import make_url, select

from app.database import Database, connect
from app.jobs.states import RUNNING
from app.main import PREFIX
from app.settings import Settings
from app.storage import Storage, open_storage
from app.tables import Job
from benchmarks.chaos.processes import Keeper, Process, command
from benchmarks.chaos.s3_proxy import FailingProxy
from benchmarks.chaos.wall_clock import WallClock
from tests.services import free_port, init_postgres, open_folder, postgres_binaries, redis_binary, start_postgres

#: Short, so that a suite of hundreds of lost leases is quick.
LEASE_SECONDS = 2.0

_COMMAND = [sys.executable, "-m", "cli.main"]
_PATIENCE = 120.0
_DISK_BYTES = 512 * 2**20

#: What a lab's Postgres does: each commit is on disk before it is answered.
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "shared_buffers": "32MB"}


@dataclass
class Installation:
    """A service that runs.

    Attributes:
        name: What it consists of.
        settings: The service's.
        database: The auditor's own way to the ledger.
        storage: The auditor's own way to the objects, past the proxy.
        api: The process that answers requests.
        workers: Processes that do jobs, or start one that does.
        postgres: The postmaster.
        redis: The broker.
        clocks: Those that can jump, by whose they are.
        proxy: Between the service and its S3 server.
        disk: The small disk of the data folder.
    """

    name: str
    settings: Settings
    database: Database
    storage: Storage
    api: Process
    workers: list[Process]
    postgres: Process | None = None
    redis: Process | None = None
    clocks: dict[str, WallClock] = field(default_factory=dict)
    proxy: FailingProxy | None = None
    disk: Path | None = None

    @property
    def address(self) -> str:
        """Of the API."""
        return f"http://127.0.0.1:{self.settings.port}{PREFIX}"

    @property
    def key(self) -> str:
        """The admin's."""
        return self.settings.admin_key_file.read_text().strip()

    @property
    def processes(self) -> list[Process]:
        """All there are, in the order in which they are started."""
        known = [self.postgres, self.redis, self.api, *self.workers]
        return list(dict.fromkeys(process for process in known if process is not None))

    def owners(self, kind: str | None = None) -> list[int]:
        """Process numbers of the workers that hold a job, of one kind or of any."""
        query = select(Job.owner).where(Job.state == RUNNING)
        if kind is not None:
            query = query.where(Job.kind == kind)
        with self.database.session(readonly=True) as session:
            return [owner_pid(owner) for owner in session.scalars(query) if owner is not None]

    def worker_pids(self) -> list[int]:
        """Process numbers of the workers, also of those that ``posetween up`` started."""
        pids = [worker.pid for worker in self.workers if worker is not self.api]
        if self.api in self.workers:
            pids += [pid for pid in self.api.family()[1:] if _is_supervised(pid)]
        return [pid for pid in pids if pid is not None]

    def expect_worker(self, pid: int) -> None:
        """A worker is about to end: it is back when its log says so anew."""
        next((worker for worker in self.workers if pid in worker.family()), self.api).expect()

    def answers(self) -> bool:
        """Whether the API answers and reaches its database."""
        try:
            address = f"http://127.0.0.1:{self.settings.port}/readyz"
            return httpx2.get(address, timeout=1).status_code == 200
        except httpx2.HTTPError:
            return False

    def run(self, *words: str, settings: Settings | None = None) -> subprocess.CompletedProcess[str]:
        """A command of ``posetween``, with the settings of this installation or others."""
        environment = {**os.environ, **_given(settings or self.settings)}
        return subprocess.run([*_COMMAND, *words], env=environment, capture_output=True, text=True)

    def check_storage(self) -> list[str]:
        """What ``posetween storage check`` complains of."""
        done = self.run("storage", "check")
        return done.stderr.splitlines() or [f"status {done.returncode}"] if done.returncode else []

    def overwrite(self, sha256: str, data: bytes) -> None:
        """Put other bytes where an object is, past the service."""
        obstore.put(from_url(self.settings.storage), f"sha256/{sha256[:2]}/{sha256}", data)

    def is_back(self) -> bool:
        """Whether every process is there and does its work."""
        return all(process.is_ready() for process in self.processes) and self.answers()


def _is_supervised(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return "--supervised" in psutil.Process(pid).cmdline()
    return False


def owner_pid(owner: str) -> int:
    """The process number in a worker's name."""
    return int(owner.split(":")[1])


@contextmanager
def many_machines(folder: Path, *, library: Path | None, small_disk: bool, rng: Random) -> Iterator[Installation]:
    """Postgres with fsync, Redis, an S3 server behind a proxy, ``posetween serve`` and two workers that are told."""
    binaries, redis_program = postgres_binaries(), redis_binary()
    if binaries is None or redis_program is None:
        raise RuntimeError("this needs Postgres and Redis: install them or the extra 'dev'")
    with ExitStack() as closing:
        postgres_folder = closing.enter_context(open_folder())
        disk = closing.enter_context(_disk(folder / "data", small_disk))
        clocks = _clocks(library, postgres_folder, "database", "API", "worker")
        ports = {name: free_port() for name in ("postgres", "redis", "s3", "api")}
        proxy = FailingProxy(ports["s3"], rng)
        closing.callback(proxy.close)
        s3 = Process("S3", command(_s3_words(ports["s3"]), {}), folder / "s3.log")
        closing.callback(s3.terminate)
        s3.start()
        bucket = _open_bucket(ports["s3"])
        init_postgres(binaries, postgres_folder)
        postgres_clock = _environment(clocks, "database")
        postgres = Process(
            "Postgres",
            lambda log: start_postgres(binaries, postgres_folder, ports["postgres"], _DURABLE, postgres_clock),
            folder / "postgres.log",
        )
        words = [str(redis_program), "--port", str(ports["redis"]), "--bind", "127.0.0.1", "--dir", str(folder)]
        broker = Process("Redis", command([*words, "--save", ""], {}), folder / "redis.log")
        settings = Settings(
            data_dir=folder / "data",
            database_url=f"postgresql+psycopg://posetween@127.0.0.1:{ports['postgres']}/postgres",
            broker_url=f"redis://127.0.0.1:{ports['redis']}/0",
            storage_url=bucket,
            port=ports["api"],
            lease_seconds=LEASE_SECONDS,
            ring_seconds=1.0,
            poll_seconds=0.1,
        )
        given = {**_given(settings), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{proxy.port}", "AWS_TIMEOUT": "1 second"}
        api = Process(
            "API", command([*_COMMAND, "serve"], {**given, **_environment(clocks, "API")}), folder / "api.log"
        )
        worker_start = command([*_COMMAND, "worker"], {**given, **_environment(clocks, "worker")})
        workers = [
            Process(f"worker {number}", worker_start, folder / f"worker-{number}.log", "listens to")
            for number in (1, 2)
        ]
        address = make_url(settings.database).set(drivername="postgresql").render_as_string(False)
        yield from _running(
            closing,
            Installation(
                "Postgres, Redis, S3",
                settings,
                connect(settings.database),
                open_storage(settings.model_copy(update={"data_dir": folder / "auditor"})),
                api,
                workers,
                postgres,
                broker,
                clocks,
                proxy,
                disk,
            ),
            {
                "Postgres": lambda: psycopg.connect(address).close(),
                "Redis": lambda: redis.Redis(port=ports["redis"]).ping(),
            },
        )


@contextmanager
def one_machine(folder: Path, *, library: Path | None, small_disk: bool) -> Iterator[Installation]:
    """SQLite, a local folder, ``posetween up`` with its two workers, and a third that looks for jobs itself."""
    with ExitStack() as closing:
        disk = closing.enter_context(_disk(folder / "data", small_disk))
        clocks = _clocks(library, folder, "machine")
        settings = Settings(data_dir=folder / "data", port=free_port(), lease_seconds=LEASE_SECONDS, poll_seconds=0.1)
        given = {**_given(settings), **_environment(clocks, "machine")}
        up = Process("posetween up", command([*_COMMAND, "up"], given), folder / "up.log", "looks for jobs")
        second = Process("worker", command([*_COMMAND, "worker"], given), folder / "worker.log", "looks for jobs")
        yield from _running(
            closing,
            Installation(
                "SQLite, a local folder",
                settings,
                connect(settings.database),
                open_storage(settings),
                up,
                [up, second],
                clocks=clocks,
                disk=disk,
            ),
            {},
        )


def _running(
    closing: ExitStack, installation: Installation, known: Mapping[str, Callable[[], object]]
) -> Iterator[Installation]:
    closing.callback(installation.database.dispose)
    for process in installation.processes:
        closing.callback(process.terminate)
        process.start()
        if process.name in known:
            _until(lambda ask=known[process.name]: _works(ask), f"{process.name} does not answer")
        if process is installation.api:
            _until(installation.answers, "the API does not answer")
    keeper = Keeper(installation.processes)
    closing.callback(keeper.end)
    _until(installation.is_back, "the service does not start")
    yield installation


def _works(ask: Callable[[], object]) -> bool:
    with suppress(psycopg.Error, redis.RedisError, httpx2.HTTPError):
        ask()
        return True
    return False


def _until(condition: Callable[[], bool], sentence: str) -> None:
    deadline = time.monotonic() + _PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(sentence)
        time.sleep(0.1)


def _given(settings: Settings) -> dict[str, str]:
    names = settings.model_fields_set
    return {"OMP_NUM_THREADS": "1", **{f"POSETWEEN_{name.upper()}": str(getattr(settings, name)) for name in names}}


def _clocks(library: Path | None, folder: Path, *names: str) -> dict[str, WallClock]:
    if library is None:
        return {}
    # Beside Postgres's data, where its user may read.
    kept = shutil.copy(library, folder / library.name)
    return {name: WallClock(Path(kept), folder / f"clock-{name}") for name in names}


def _environment(clocks: Mapping[str, WallClock], name: str) -> dict[str, str]:
    return clocks[name].environment if name in clocks else {}


def _s3_words(port: int) -> list[str]:
    return [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]


def _open_bucket(port: int) -> str:
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "posetween",
        "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20),
    }
    _until(lambda: _works(lambda: httpx2.put(f"http://127.0.0.1:{port}/chaos").raise_for_status()), "no S3 server")
    return "s3://chaos/lab"


@contextmanager
def _disk(folder: Path, small: bool) -> Iterator[Path | None]:
    """The data folder, on a small disk of its own where that is possible."""
    folder.mkdir(parents=True)
    if not small:
        yield None
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "chaos", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
