"""A real server process on loopback, and what it takes: what the benchmarks of the service share."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil  # type: ignore[import-untyped]

from app.main import PREFIX
from app.settings import Settings
from pose.synthetic import Scene, SceneSpec
from pose.video_writer import VideoWriter
from worker.loop import work

MIB = 1 << 20
_COMMAND = [sys.executable, "-m", "cli.main", "serve"]
_SAMPLE_SECONDS = 0.005


@dataclass(frozen=True)
class LiveServer:
    """A server that answers.

    Attributes:
        settings: Where it keeps its things.
        port: On loopback.
        key: Admin's.
        process: The server's.
        seconds_to_start: From starting the process to its first healthy answer.
    """

    settings: Settings
    port: int
    key: str
    process: psutil.Process
    seconds_to_start: float

    def work(self) -> None:
        """Do every job that waits."""
        work(self.settings, threading.Event(), until_idle=True)

    def ready_video(self, path: Path, keypoints: int = 17) -> dict[str, Any]:
        """A project with a video in it that has been ingested."""
        with self.connect() as client:
            skeleton = {"name": "body", "keypoints": [f"keypoint {k}" for k in range(keypoints)]}
            project = json.loads(client.send("POST", "/projects", {"name": path.name, "skeleton": skeleton}))
            video = json.loads(client.send("POST", f"/projects/{project['id']}/videos", path.read_bytes()))
        self.work()
        with self.connect() as client:  # the first one was idle for too long
            ready = json.loads(client.send("GET", f"/videos/{video['id']}"))
        assert ready["status"] == "ready", ready
        return dict(ready)

    def connect(self) -> Connection:
        """A connection of one's own."""
        return Connection(self.port, self.key)


class Connection:
    """One kept connection, with as little work on the client's side as Python allows; a context manager."""

    def __init__(self, port: int, key: str) -> None:
        self._http = HTTPConnection("127.0.0.1", port, timeout=600)
        self._headers = {"Authorization": f"Bearer {key}"}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def send(self, method: str, path: str, body: Any = None) -> bytes:
        """Send bytes, or anything else as JSON, and read the answer."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if data is not body else {}
        self._http.request(method, path if path == "/healthz" else PREFIX + path, data, {**self._headers, **kind})
        return self._answer()

    def send_file(self, path: str, file: Path) -> bytes:
        """Post a file's bytes; the kernel moves them."""
        self._http.putrequest("POST", PREFIX + path)
        for name, value in {**self._headers, "Content-Length": str(file.stat().st_size)}.items():
            self._http.putheader(name, value)
        self._http.endheaders()
        with file.open("rb") as stream:
            self._http.sock.sendfile(stream)
        return self._answer()

    def _answer(self) -> bytes:
        answer = self._http.getresponse()
        data = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{answer.status}: {data[:500].decode()}")
        return data


@contextmanager
def live_server(data_dir: Path, **chosen: object) -> Iterator[LiveServer]:
    """Run a server in a process of its own for the length of a block.

    Args:
        data_dir: Where it keeps its things.
        chosen: Settings, by their names.
    """
    start = time.perf_counter()
    environment = {f"POSETWEEN_{name.upper()}": str(value) for name, value in chosen.items()}
    child = subprocess.Popen(
        [*_COMMAND, "--data-dir", str(data_dir), "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    try:
        assert child.stdout is not None
        said = json.loads(child.stdout.readline())
        key = Path(said["key_file"]).read_text().strip()
        port = int(said["address"].rpartition(":")[2])
        with Connection(port, key) as client:
            client.send("GET", "/healthz")
        seconds_to_start = time.perf_counter() - start
        settings = Settings(data_dir=data_dir, **chosen)  # type: ignore[arg-type]
        server = LiveServer(settings, port, key, psutil.Process(child.pid), seconds_to_start)
        yield server
    finally:
        child.terminate()
        child.wait(timeout=120)


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock time of a piece of work."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


class Memory:
    """Watches how much memory a process holds while a block runs; a context manager."""

    def __init__(self, process: psutil.Process) -> None:
        self._process = process
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self.before = self.peak = process.memory_info().rss / MIB  # MiB

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_SECONDS):
            self.peak = max(self.peak, self._process.memory_info().rss / MIB)


def render(path: Path, num_frames: int, width: int, height: int, scene_frames: int = 60, seed: int = 1) -> None:
    """Write a video of a person walking; it begins again after ``scene_frames``, since drawing takes long."""
    pictures = list(Scene(SceneSpec(seed=seed, num_frames=scene_frames, width=width, height=height)).frames())
    with VideoWriter(path, 30, width, height) as writer:
        for index in range(num_frames):
            writer.write(pictures[index % scene_frames])


def heading(title: str, command: str, note: str) -> None:
    """Print how a page of results begins."""
    print(f"# {title}\n")
    print(
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, {sys.platform}. "
        f"Client and server share the machine, and others did too (load average {os.getloadavg()[0]:.0f}): trust the "
        f"ratios.\n\n"
        f"Command: `python -m benchmarks.{command}`\n\n{note}\n"
    )


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a Markdown table."""
    for row in (columns, ["---"] * len(columns), *rows):
        print(f"| {' | '.join(map(str, row))} |")
    print()
