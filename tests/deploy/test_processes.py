"""The processes of docker-compose.yml without containers: its very commands and environment, on real servers.

Only addresses and folders are others than in the file: there every service has a machine of its own.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
import redis
from dotenv import dotenv_values

from tests.deploy.conftest import resolve
from tests.services import free_port, open_folder, postgres_binaries, redis_binary, service_user

ROOT = Path(__file__).parents[2]
_PATIENCE = 120.0
_OURS = ("api", "cpu-worker", "cpu-propagation", "cpu-quick-propagation")


@dataclass
class Stack:
    """The services of the file, those that were started as processes of this machine."""

    services: dict[str, Any]
    folder: Path
    replaced: dict[str, str]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    programs: list[Path] = field(default_factory=list)

    def environment(self, name: str) -> dict[str, str]:
        """What a service finds in its environment, and nothing else of ours."""
        given = {key: self.here(value) for key, value in self.services[name].get("environment", {}).items()}
        if "build" in self.services[name]:
            given |= {"POSETWEEN_DATA_DIR": str(self.folder / name), "POSETWEEN_HOST": "127.0.0.1"}
            given |= {"POSETWEEN_PORT": self.replaced["api port"]}
        if "POSETWEEN_ALIVE_FILE" in given:
            given["POSETWEEN_ALIVE_FILE"] = str(self.folder / f"{name}.alive")
        path = os.pathsep.join([*map(str, self.programs), os.environ["PATH"]])
        return {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **given}

    def here(self, text: str) -> str:
        """A text of the file with the addresses of this machine."""
        for there, here in self.replaced.items():
            text = text.replace(there, here)
        return text

    def command(self, name: str) -> list[str]:
        """What a service runs."""
        service = self.services[name]
        words = [self.here(word) for word in [*service.get("entrypoint", []), *service["command"]]]
        return [sys.executable, "-m", "cli.main", *words[1:]] if words[0] == "posetween" else words

    def start(self, name: str) -> None:
        """Start a service; what it prints is in a file."""
        with (self.folder / f"{name}.log").open("wb") as log:
            self.processes[name] = subprocess.Popen(
                self.command(name), env=self.environment(name), stdout=log, stderr=log, cwd=self.folder
            )

    def once(self, name: str, *words: str | Path, database: str = "posetween") -> str:
        """Run a service that ends by itself, or a command in place of a service's own, on another database perhaps."""
        command = [sys.executable, "-m", "cli.main", *map(str, words)] if words else self.command(name)
        environment = self.environment(name)
        if "POSETWEEN_DATABASE_URL" in environment:
            environment["POSETWEEN_DATABASE_URL"] = (
                environment["POSETWEEN_DATABASE_URL"].removesuffix("posetween") + database
            )
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, cwd=self.folder)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def log(self, name: str) -> str:
        """What a service printed."""
        return (self.folder / f"{name}.log").read_text()

    def healthy(self, name: str) -> bool:
        """Ask a service's own health check."""
        kind, *words = self.services[name]["healthcheck"].get("test") or image_check(self.services[name])
        if kind == "CMD-SHELL":
            words = ["sh", "-c", self.here(words[0]).replace("/tmp/alive", str(self.folder / f"{name}.alive"))]
        words = [sys.executable if word == "python" else word for word in words]
        return subprocess.run(words, env=self.environment(name), capture_output=True, check=False).returncode == 0

    def wait(self, condition: Callable[[], Any]) -> Any:
        """Wait until something holds while every process lives, and give it."""
        deadline = time.monotonic() + _PATIENCE
        while not (found := condition()):
            for name, process in self.processes.items():
                assert process.poll() is None, f"{name} ended: {self.log(name)}"
            assert time.monotonic() < deadline, "\n".join(map(self.log, self.processes))
            time.sleep(0.1)
        return found

    def stop(self, name: str) -> int:
        """Stop a service as Compose does, and give its exit status."""
        process = self.processes.pop(name)
        process.send_signal(signal.SIGTERM)
        return process.wait(timeout=seconds(self.services[name]["stop_grace_period"]))


def image_check(service: dict[str, Any]) -> list[str]:
    """The health check of a service's image."""
    build = service["build"]
    text = (ROOT / (build["dockerfile"] if isinstance(build, dict) else "Dockerfile")).read_text()
    words = re.search(r"HEALTHCHECK .*?CMD (\[.*?\])$", text, re.DOTALL | re.MULTILINE)
    assert words is not None
    return ["CMD", *json.loads(words[1])]


def seconds(text: str) -> float:
    """A duration as the file writes them."""
    amount, unit = re.fullmatch(r"(\d+)(s|m)", text).groups()  # type: ignore[union-attr]
    return float(amount) * {"s": 1, "m": 60}[unit]


@pytest.fixture
def stack(compose, secrets_file, s3_address, tool, tmp_path) -> Iterator[Stack]:
    """The file's services, with Postgres, Redis, a store and a bucket running."""
    tool("curl", "curl")
    port = {name: str(free_port()) for name in ("postgres", "redis", "api")}
    browsers = s3_address.replace("127.0.0.1", "localhost")
    chosen = {"POSETWEEN_REDIRECT_DOWNLOADS": "true", "POSETWEEN_PUBLIC_STORAGE_ENDPOINT": browsers}
    services = resolve(compose, {**dotenv_values(secrets_file), **chosen})["services"]
    replaced = {
        "@postgres:5432/": f"@127.0.0.1:{port['postgres']}/",
        "@redis:6379/": f"@127.0.0.1:{port['redis']}/",
        "http://storage:8333": s3_address,
        "redis-server - ": f"redis-server - --port {port['redis']} --bind 127.0.0.1 ",
        "redis-cli ": f"redis-cli -p {port['redis']} ",
        "api port": port["api"],
    }
    stack = Stack(services, tmp_path, replaced)
    with ExitStack() as stopping:
        stopping.enter_context(ending(stack))
        start_postgres(stack, port["postgres"], stopping)
        start_redis(stack, port["redis"])
        assert "answers 200" in stack.once("bucket")
        yield stack


@contextmanager
def ending(stack: Stack) -> Iterator[None]:
    try:
        yield
    finally:
        for process in stack.processes.values():
            process.kill()
            process.wait()


def start_postgres(stack: Stack, port: str, stopping: ExitStack) -> None:
    """Postgres as its image sets it up: with the file's options, and a password for whoever comes over the network."""
    service, binaries = stack.services["postgres"], postgres_binaries()
    if binaries is None:
        missing("Postgres: install postgresql or the extra 'dev'")
    given = service["environment"]
    stack.programs.append(binaries)
    folder = stopping.enter_context(open_folder())
    user = service_user()
    (folder / "password").write_text(given["POSTGRES_PASSWORD"])
    if user is not None:
        for path in (folder, folder / "password"):
            os.chown(path, *owner(user))
    words = ["-U", given["POSTGRES_USER"], f"--pwfile={folder}/password", "--auth-local=trust", "--no-sync"]
    words += ["--locale=C", "-E", "UTF8", *shlex.split(given["POSTGRES_INITDB_ARGS"])]
    subprocess.run(
        [binaries / "initdb", "-D", folder / "data", *words], check=True, stdout=subprocess.DEVNULL, user=user, cwd="/"
    )
    program, *options = service["command"]
    options += ["-c", "fsync=off", "-c", f"port={port}", "-c", "listen_addresses=127.0.0.1"]
    options += ["-c", f"unix_socket_directories={folder}"]
    with (stack.folder / "postgres.log").open("wb") as log:
        process = subprocess.Popen(
            [binaries / program, "-D", folder / "data", *options], stdout=log, stderr=log, user=user, cwd="/"
        )
    stopping.callback(process.wait)
    stopping.callback(process.send_signal, signal.SIGINT)
    server = f"host=127.0.0.1 port={port} user={given['POSTGRES_USER']}"

    def connect(password: str) -> Any:
        with suppress(psycopg.OperationalError):
            return psycopg.connect(f"{server} password={password} dbname=postgres", autocommit=True)

    with stack.wait(lambda: connect(given["POSTGRES_PASSWORD"])) as session:
        session.execute(f"CREATE DATABASE {given['POSTGRES_DB']}")
        session.execute("CREATE DATABASE again")
        stored = session.execute("SELECT rolpassword FROM pg_authid WHERE rolname = current_user").fetchone()
        assert stored[0].startswith("SCRAM-SHA-256$")
    assert connect("another") is None


def start_redis(stack: Stack, port: str) -> None:
    """Redis by the file's own command."""
    binary = redis_binary()
    if binary is None:
        missing("Redis: install redis-server or the extra 'dev'")
    stack.programs.append(binary.parent)
    password = stack.services["redis"]["environment"]["REDIS_PASSWORD"]
    stack.start("redis")

    def answers() -> bool:
        with suppress(redis.ConnectionError), redis.Redis(port=int(port), password=password) as client:
            return bool(client.ping())
        return False

    stack.wait(answers)
    with redis.Redis(port=int(port), password=password) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("save") == {"save": ""}
    with redis.Redis(port=int(port)) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def owner(user: str) -> tuple[int, int]:
    entry = pwd.getpwnam(user)
    return entry.pw_uid, entry.pw_gid


def missing(sentence: str) -> None:
    if os.environ.get("REQUIRE_SERVICES"):
        pytest.fail(sentence)
    pytest.skip(sentence)


def test_the_loop_over_the_services_of_the_file(stack, walker):
    assert "up to date" in stack.once("migrate")
    for name in _OURS:
        stack.start(name)
    for name in _OURS:
        stack.wait(lambda name=name: stack.healthy(name))

    key = (stack.folder / "api" / "admin.key").read_text().strip()
    api = httpx2.Client(
        base_url=f"http://127.0.0.1:{stack.replaced['api port']}/api/v1",
        headers={"Authorization": f"Bearer {key}"},
        timeout=60,
    )
    with api:
        export = the_loop(stack, api, walker)
    assert {pose["source"] for pose in export["annotations"]} == {"human", "pseudo"}
    assert len(export["annotations"]) == walker.num_frames

    stack.once("api", "db", "backup", stack.folder / "lab.dump")
    stack.once("api", "db", "restore", stack.folder / "lab.dump", database="again")
    assert "as it was put" in stack.once("api", "storage", "check", database="again")
    assert "0 files" in stack.once("api", "storage", "collect")

    assert {name: stack.stop(name) for name in _OURS} == dict.fromkeys(_OURS, 0)
    for name in _OURS:
        said = stack.log(name)
        assert "Traceback" not in said, said
        for secret in (key, *secrets(stack)):
            assert secret not in said


def the_loop(stack: Stack, api: httpx2.Client, walker: Any) -> dict[str, Any]:
    """Upload, label, propagate, download, export; gives the export."""

    def ended(job: dict[str, Any]) -> dict[str, Any]:
        shown = stack.wait(lambda: (now := api.get(f"/jobs/{job['id']}").json())["finished_at"] and now)
        assert shown["state"] == "succeeded", shown
        return shown

    skeleton = walker.skeleton
    shape = {"name": skeleton.name, "keypoints": skeleton.keypoints, "edges": skeleton.edges, "swap": skeleton.swap}
    project = api.post("/projects", json={"name": "walks", "skeleton": shape}).json()
    url = f"/projects/{project['id']}"
    video = api.post(f"{url}/videos", params={"filename": "walk.mp4"}, content=walker.path.read_bytes()).json()
    here = f"/videos/{video['id']}"
    stack.wait(lambda: api.get(here).json()["status"] == "ready")
    track = api.post(f"{here}/tracks", json={"name": "walker"}).json()["id"]
    truth = walker.tracks[1]
    labels = []
    for frame in (0, 22, 44):
        points = zip(truth.xy[frame].tolist(), truth.visibility[frame].tolist(), strict=True)
        labels.append({"frame_index": frame, "track_id": track, "keypoints": [[x, y, v] for (x, y), v in points]})
    assert api.put(f"{here}/labels", json={"labels": labels}).status_code == 200
    ended(api.post(f"{here}/propagations", json={"engine": "flow"}).json())

    sent = api.get(f"{here}/content", params={"original": True})
    assert sent.status_code == 307
    assert sent.headers["Location"].startswith(
        stack.services["api"]["environment"]["POSETWEEN_PUBLIC_STORAGE_ENDPOINT"]
    )
    assert httpx2.get(sent.headers["Location"], timeout=60).content == walker.path.read_bytes()

    done = ended(api.post(f"{url}/exports", json={"include": ["human", "pseudo"]}).json())
    return api.get(f"/exports/{done['result']['export_id']}/content").json()


def secrets(stack: Stack) -> list[str]:
    """Every secret of the file."""
    given = {**stack.services["storage"]["environment"], **stack.services["redis"]["environment"]}
    return [*given.values(), stack.services["postgres"]["environment"]["POSTGRES_PASSWORD"]]
