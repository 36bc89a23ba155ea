"""What several rooms of the tests need: rendered videos with exact truth, and a running service."""

from __future__ import annotations

import os
import secrets
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import hypothesis
import pytest
import uvicorn
from moto.server import ThreadedMotoServer
from sqlalchemy import select

from app.connections import protocol
from app.database import connect
from app.main import PREFIX, create_app
from app.private_files import make_folder
from app.settings import Settings
from app.tables import Table, VideoShare
from cli.processes import KEEP_ALIVE_SECONDS
from cli.serve import prepare
from migrations.apply import upgrade
from pose.skeleton import Skeleton
from pose.synthetic import Scene, SceneSpec
from pose.track import Track
from pose.video_writer import VideoWriter
from worker.loop import work

pytest_plugins = ["tests.services", "tests.scheduling"]

# Tests run side by side, one process a core; PyTorch reads this when it is first imported, also in child processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long an example takes depends on what else the machine does.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")


@dataclass(frozen=True, eq=False)
class Rendered:
    """A rendered video file and the truth about it."""

    path: Path
    skeleton: Skeleton
    tracks: dict[int, Track]
    num_frames: int
    width: int
    height: int


def render(folder: Path, spec: SceneSpec) -> Rendered:
    scene = Scene(spec)
    path = folder / f"{spec.kind}-{spec.seed}.mp4"
    with VideoWriter(path, spec.fps, spec.width, spec.height) as writer:
        for frame in scene.frames():
            writer.write(frame)
    return Rendered(path, scene.skeleton, scene.tracks, spec.num_frames, spec.width, spec.height)


@pytest.fixture(scope="session")
def walker(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """One person for 45 frames."""
    return render(tmp_path_factory.mktemp("walker"), SceneSpec(seed=3, num_frames=45, width=320, height=240))


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Rendered:
    """Two flies for 30 frames."""
    spec = SceneSpec(seed=5, kind="fly", subjects=2, num_frames=30, width=256, height=256)
    return render(tmp_path_factory.mktemp("pair"), spec)


@dataclass
class Service:
    """A service of its own: a real server on loopback, an embedded database, a worker that runs when asked."""

    settings: Settings
    http: httpx2.Client
    key: str

    def work(self) -> None:
        """Do every job that waits."""
        work(self.settings, threading.Event(), until_idle=True)

    def finished(self, job: dict[str, Any]) -> dict[str, Any]:
        """Work until a job has ended, and give it."""
        self.work()
        ended = self.http.get(f"/jobs/{job['id']}").json()
        assert ended["state"] in ("succeeded", "failed", "cancelled"), ended
        return ended

    def project(self, skeleton: Skeleton, name: str = "project") -> dict[str, Any]:
        """Make a project."""
        body = {
            "name": name,
            "skeleton": {
                "name": skeleton.name,
                "keypoints": skeleton.keypoints,
                "edges": skeleton.edges,
                "swap": skeleton.swap,
            },
        }
        answer = self.http.post("/projects", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def upload(self, project: dict[str, Any], path: Path) -> dict[str, Any]:
        """Upload a video and wait until it is ingested."""
        url = f"/projects/{project['id']}/videos"
        answer = self.http.post(url, params={"filename": path.name}, content=path.read_bytes())
        assert answer.status_code in (200, 201), answer.text
        self.work()
        return self.http.get(f"/videos/{answer.json()['id']}").json()

    def track(self, video: dict[str, Any], name: str = "subject") -> dict[str, Any]:
        """Add a track."""
        answer = self.http.post(f"/videos/{video['id']}/tracks", json={"name": name})
        assert answer.status_code == 201, answer.text
        return answer.json()

    @staticmethod
    def label(frame_index: int, track_id: int, truth: Track) -> dict[str, Any]:
        """A label as the API takes it, from the truth about a frame."""
        row = list(truth.frames).index(frame_index)
        points = zip(truth.xy[row].tolist(), truth.visibility[row].tolist(), strict=True)
        return {"frame_index": frame_index, "track_id": track_id, "keypoints": [[x, y, v] for (x, y), v in points]}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    yield from serve(Settings(data_dir=tmp_path / "data", port=0))


@pytest.fixture(scope="module")
def serving() -> Iterator[Callable[[Settings], Service]]:
    """Start services with settings of one's own."""
    running: list[Iterator[Service]] = []

    def start(settings: Settings) -> Service:
        running.append(serve(settings))
        return next(running[-1])

    yield start
    for one in running:
        next(one, None)


def _lasting(table: Any) -> list[Any]:
    # A key's last use is written down beside the requests, at any moment.
    return [column for column in table.columns if column.name != "last_used_at"]


@pytest.fixture(scope="session")
def s3_address() -> Iterator[str]:
    """An S3 server of its own; gives its address."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_address: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of an empty bucket, which this process and its children have the keys to."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_address)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "posetween")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secrets.token_hex(20))
    name = f"bucket-{secrets.token_hex(6)}"
    httpx2.put(f"{s3_address}/{name}", timeout=60).raise_for_status()
    return f"s3://{name}/lab"


@pytest.fixture(scope="session")
def everything() -> Callable[[Any], dict[str, Any]]:
    """All that a service keeps: each row of each table, and each file with its size; but not when keys were used, nor
    images of frames, which are made ahead at any moment after somebody asked for one, nor how much of videos is done,
    which is counted then.
    """

    def look(service: Service) -> dict[str, Any]:
        database = connect(service.settings.database)
        with database.session(readonly=True) as session:
            tables = [table for table in Table.metadata.sorted_tables if table is not VideoShare.__table__]
            rows = {table.name: sorted(map(repr, session.execute(select(*_lasting(table))))) for table in tables}
        database.dispose()
        folder = service.settings.data_dir
        files = [path for name in ("storage", "scratch") for path in (folder / name).rglob("*") if path.is_file()]
        kept = [path for path in files if not path.is_relative_to(service.settings.frames_dir)]
        return {**rows, "files": sorted((str(path.relative_to(folder)), path.stat().st_size) for path in kept)}

    return look


@cache
def _migrated() -> bytes:
    """An embedded database of the present schema without a row. Tests of migrations take the steps; others do not."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "migrated.db"
        database = connect(f"sqlite:///{path}")
        upgrade(database)
        database.dispose()
        return path.read_bytes()


def serve(settings: Settings) -> Iterator[Service]:
    embedded = Path(settings.database.removeprefix("sqlite:///"))
    if settings.database.startswith("sqlite:///") and not embedded.exists():
        make_folder(embedded.parent)
        embedded.write_bytes(_migrated())
    prepare(settings)
    server = uvicorn.Server(
        uvicorn.Config(
            create_app(settings),
            http=protocol(settings.max_connections),
            port=0,
            log_level="warning",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    key = settings.admin_key_file.read_text().strip()
    headers = {"Authorization": f"Bearer {key}"}
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}{PREFIX}", headers=headers, timeout=60) as http:
        yield Service(settings, http, key)
    server.should_exit = True
    thread.join()
