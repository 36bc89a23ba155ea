"""A real ``posetween up`` and a real browser for the tests of the page."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.page.serving import BUILT
from pose.track import Track
from posetween import Client
from tests.conftest import Rendered

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"

#: A script asks for something that is done here, such as ending the service, and waits until it is.
_ASKS = "ask "


def missing(what: str) -> None:
    if os.environ.get("REQUIRE_SERVICES"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def tools() -> tuple[str, str]:
    """Node and a Chromium; the built page is there."""
    node = shutil.which("node") or shutil.which("node", path=str(Path(sys.executable).parent))
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if node is None:
        missing("no Node here")
    if chromium is None:
        missing("no Chromium here")
    if not (BUILT / "index.html").exists() or not all(
        (WEB / "node_modules" / package).exists() for package in ("playwright-core", "axe-core")
    ):
        missing("the page was not built: run scripts/build_page")
    assert node is not None
    assert chromium is not None
    return node, chromium


class Up:
    """`posetween up` on a port of its own, which can be ended and begun again.

    Args:
        folder: Where it keeps its things.
        command: ``serve`` for a service without workers.

    Attributes:
        about: What it said of itself: ``address``, ``page`` (which signs in once) and ``key``.
    """

    def __init__(self, folder: Path, command: str = "up") -> None:
        self.folder, self.command = folder, command
        self.about: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None

    def begin(self, port: int = 0) -> None:
        data = str(self.folder / "data")
        command = [sys.executable, "-m", "cli.main", self.command, "--json", "--port", str(port), "--data-dir", data]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log)
        assert self._process.stdout is not None
        self.about |= json.loads(self._process.stdout.readline())
        self.about["key"] = Path(self.about["key_file"]).read_text().strip()

    def end(self) -> None:
        if self._process is None:
            return
        self._process.terminate()
        self._process.wait(timeout=60)
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._process = None

    @property
    def port(self) -> int:
        return int(self.about["address"].rsplit(":", 1)[1])

    def client(self) -> Client:
        return Client(self.about["address"], self.about["key"])


@pytest.fixture(scope="session")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A service with its workers, for all tests of a process."""
    service = Up(tmp_path_factory.mktemp("up"))
    try:
        service.begin()
        yield service
    finally:
        service.end()


@dataclass(frozen=True)
class Lab:
    """A lab of that service.

    Attributes:
        about: Its ``address`` and the ``key`` of somebody who may do everything in the lab.
    """

    about: dict[str, str]

    def client(self) -> Client:
        return Client(self.about["address"], self.about["key"])


@pytest.fixture(scope="module")
def lab(up: Up, request: pytest.FixtureRequest) -> Lab:
    """A lab for the tests of a module, which see nothing of others."""
    with up.client() as client:
        made = client.post("/labs", {"name": request.module.__name__})
    return Lab({"address": up.about["address"], "key": made["key"]["key"]})


def ingested(client: Client, path: Path, project: int) -> int:
    """Upload a video into a project and wait until it was read; gives the video."""
    video = client.upload(project, path)
    client.wait(video["ingest_job_id"], lambda job: None)
    return int(video["id"])


def uploaded(client: Client, scene: Rendered, project: str) -> int:
    """A project with a rendered video that has been ingested; gives the video."""
    skeleton = scene.skeleton
    schema = {"name": skeleton.name, "keypoints": skeleton.keypoints, "edges": skeleton.edges}
    made = client.post("/projects", {"name": project, "skeleton": schema})
    return ingested(client, scene.path, made["id"])


def label(client: Client, video: int, number: int, truth: Track, frames: Sequence[int], *, right: float = 0.0) -> None:
    """Label a subject as it is on some frames, all of it visible, or so many pixels to the right of that."""
    labels = [
        {
            "frame_index": frame,
            "track_id": number,
            "keypoints": [[x + right, y, 2] for x, y in truth.xy[list(truth.frames).index(frame)].tolist()],
        }
        for frame in frames
    ]
    client.put(f"/videos/{video}/labels", {"labels": labels})


def rows(track: Track, number: int, frames: Collection[int]) -> list[dict[str, Any]]:
    """Labels of a subject as it is on some frames, hidden keypoints as hidden ones."""
    said = zip(track.frames.tolist(), track.xy.tolist(), track.visibility.tolist(), strict=True)
    return [
        {
            "frame_index": frame,
            "track_id": number,
            "keypoints": [[*xy, int(v)] for xy, v in zip(points, seen, strict=True)],
        }
        for frame, points, seen in said
        if frame in frames
    ]


Drive = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def drive(tools: tuple[str, str]) -> Drive:
    """Runs one of the scripts beside this file, which drives a browser and tells what it saw as JSON.

    ``acts`` are what the script may ask for by name while it runs.
    """
    node, chromium = tools

    def run(
        script: str, told: dict[str, Any], timeout: int = 300, acts: Mapping[str, Callable[[], object]] | None = None
    ) -> dict[str, Any]:
        photos = os.environ.get("POSETWEEN_PHOTOS")
        given = {"web": str(WEB), "chromium": chromium, "timeout": 60_000, "photos": photos, **told}
        command = [node, str(Path(__file__).with_name(script)), json.dumps(given)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            limit = threading.Timer(timeout, process.kill)
            limit.start()
            said = ""
            try:
                for line in process.stdout:
                    if line.startswith(_ASKS):
                        (acts or {})[line.removeprefix(_ASKS).strip()]()
                        process.stdin.write("\n")
                        process.stdin.flush()
                    else:
                        said = line
                process.wait()
            finally:
                limit.cancel()
                process.kill()
        assert process.returncode == 0, said
        seen: dict[str, Any] = json.loads(said)
        return seen

    return run
