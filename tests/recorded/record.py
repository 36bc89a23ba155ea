"""Records a data folder as the present code leaves it, with work half done, and what comes of it.

``python -m tests.recorded.record`` writes ``data.tar.xz`` beside this file. It is recorded once, by the code before a
change that is to harm nothing; the tests here open it with the code as it is.
"""

from __future__ import annotations

import io
import json
import lzma
import os
import signal
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import delete, select

from app.database import connect
from app.exports.build import build as build_export
from app.runs import packing
from app.settings import Settings
from app.storage import open_storage
from app.tables import Export, JobSegment, Run, RunSlab
from models.estimators import checkpoints
from models.estimators.presets import build, configure
from pose.formats import npy
from pose.skeleton import Skeleton
from pose.track import join
from pose.video_writer import VideoWriter
from tests.app.conftest import plant_checkpoint
from tests.conftest import Service, serve

FILE = Path(__file__).with_name("data.tar.xz")

FRAMES, SIZE = 96, np.array([64, 48])
SKELETON = Skeleton(name="discs", keypoints=("red", "green", "blue"), edges=((0, 1), (1, 2)))

#: Runs in the folder, by what they are. The last is half done.
FIRST, ESTIMATED, HALF = 1, 2, 3
#: Exports: one that was done, one that waits.
DONE, WAITING = 1, 2

_EPOCHS = 2


def points() -> np.ndarray:
    """``(F, 3, 2)`` where three discs are that each go their own way."""
    waves = np.sin(np.arange(FRAMES)[:, None, None] * np.array([[[0.1, 0.07], [0.05, 0.11], [0.08, 0.03]]]))
    return (0.5 + 0.35 * waves) * SIZE


def film(path: Path) -> None:
    """Write a video of them."""
    grid = np.stack(np.meshgrid(*map(np.arange, SIZE)), axis=-1)
    with VideoWriter(path, 25, *SIZE.tolist()) as writer:
        for places in points():
            inside = [np.linalg.norm(grid - place, axis=-1) < 6 for place in places]
            writer.write(np.stack(inside, axis=-1).astype(np.uint8) * 200 + 30)


def label(frame: int, track: int = 1, **changes: Any) -> dict[str, Any]:
    """A label of a frame as the API takes it, to the quarter of a pixel."""
    places = (np.round(4 * points()[frame]) / 4).tolist()
    return {"frame_index": frame, "track_id": track, "keypoints": [[x, y, 2] for x, y in places], **changes}


def weights(folder: Path) -> bytes:
    """An estimator's checkpoint, all of whose weights are 0, so that it packs well."""
    network = build("single_frame", configure("single_frame", "tiny", 3), pretrained="random")
    for value in network.state_dict().values():
        value.zero_()
    path = folder / "weights.safetensors"
    checkpoints.save(path, network, "single_frame", SKELETON, {"note": "recorded"})
    return path.read_bytes()


@dataclass
class Lab:
    """A service in the folder that is recorded."""

    service: Service
    folder: Path

    def ask(self, path: str, **body: Any) -> dict[str, Any]:
        """Post what gives a job or a thing."""
        answer = self.service.http.post(path, json=body)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()

    def label(self, *labels: dict[str, Any]) -> None:
        """Write labels."""
        answer = self.service.http.put("/videos/1/labels", json={"labels": [*labels]})
        assert answer.status_code == 200, answer.text

    def content(self, path: str) -> bytes:
        """What an address gives."""
        answer = self.service.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.content


def fill(lab: Lab) -> None:
    """Put in it what a lab has after a while."""
    project = lab.service.project(SKELETON)
    film(lab.folder / "discs.mp4")
    video = lab.service.upload(project, lab.folder / "discs.mp4")
    lab.service.track(video)
    lab.label(*(label(frame) for frame in range(0, FRAMES, 4)))
    gone = label(50, absent=[2])
    gone["keypoints"][2] = [0, 0, 0]
    lab.label(gone, label(8, keypoints=[[20, 20, 1], [30.25, 10, 2], [5, 40, 2]]))
    assert lab.service.http.delete("/videos/1/labels?frame_index=12&track_id=1").status_code == 200
    done(lab, lab.ask("/videos/1/propagations", engine="flow"))
    lab.ask("/videos/1/reviews", run_id=FIRST, start=52, stop=56, track_id=1, verdict="accept")
    checkpoint = plant_checkpoint(
        lab.service, 1, promoted=True, weights=weights(lab.folder), estimator="single_frame", preset="tiny"
    )
    done(lab, lab.ask("/videos/1/estimates", checkpoint_id=checkpoint, start=0, stop=8))
    done(lab, lab.ask("/projects/1/exports"))


def done(lab: Lab, job: dict[str, Any]) -> None:
    """Do what waits; a job has succeeded then."""
    ended = lab.service.finished(job)
    assert ended["state"] == "succeeded", ended


def leave_off(lab: Lab) -> tuple[int, int]:
    """Leave work of every kind half done or waiting; gives the ids of the propagation's and of the training's job."""
    http, database = lab.service.http, connect(lab.service.settings.database)

    def segments() -> int:
        with database.session(readonly=True) as session:
            done = select(JobSegment.start).where(JobSegment.job_id == half, JobSegment.sha256.is_not(None))
            return len(session.scalars(done).all())

    training = lab.ask(
        "/projects/1/trainings", base_checkpoint_id=1, epochs=_EPOCHS, rate=1e-9, batch=64, include=["human", "pseudo"]
    )["id"]
    state = lab.service.settings.scratch_dir / "trainings" / str(training) / "state.safetensors"
    killed_when(lab, lambda: state.exists() and http.get(f"/jobs/{training}").json()["result"].get("epochs"))
    lab.label(*(label(frame) for frame in range(1, FRAMES, 2)))
    half = lab.ask("/videos/1/propagations", engine="flow")["id"]
    killed_when(lab, lambda: segments() > 30)
    assert 30 < segments() < FRAMES / 2
    # What follows waits until the next worker comes.
    lab.ask("/videos/1/estimates", checkpoint_id=1, start=0, stop=4)
    lab.ask("/projects/1/exports")
    with database.session() as session:
        session.execute(delete(RunSlab).where(RunSlab.run_id == ESTIMATED))
        packing.queue(session, lab.service.settings, session.get_one(Run, ESTIMATED))
    with VideoWriter(lab.folder / "still.mp4", 25, 32, 32) as writer:
        for index in range(4):
            writer.write(np.full((32, 32, 3), 40 * index, dtype=np.uint8))
    still = (lab.folder / "still.mp4").read_bytes()
    assert http.post("/projects/1/videos", params={"filename": "still.mp4"}, content=still).status_code == 201
    database.dispose()
    return half, training


def killed_when(lab: Lab, condition: Callable[[], Any]) -> None:
    """Have a worker work, and kill it when something is so."""
    settings = lab.service.settings
    command = [sys.executable, "-m", "cli.main", "worker", "--data-dir", str(settings.data_dir), "--device", "cpu"]
    environment = {**os.environ, "POSETWEEN_LEASE_SECONDS": "2"}
    worker = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 600
        while not condition():
            assert worker.poll() is None
            assert time.monotonic() < until
            time.sleep(0.001)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    time.sleep(3)  # its lease runs out


def stored(service: Service) -> dict[str, bytes]:
    """What is read from the folder without computing, by a name of ours."""
    addresses = {
        "human.json": "/videos/1/labels?layer=human",
        "earlier.json": "/videos/1/labels?layer=human&revision=1",
        "pseudo.json": "/videos/1/labels?layer=pseudo",
        "merged.json": "/videos/1/labels?layer=merged",
        "run.zip": f"/runs/{FIRST}/content",
        "export.json": f"/exports/{DONE}/content",
    }
    return {name: _content(service, address) for name, address in addresses.items()}


def rebuilt(service: Service) -> bytes:
    """The file of the export that was done, made again from its snapshot."""
    database, storage = connect(service.settings.database), open_storage(service.settings)
    with database.session(readonly=True) as session:
        export = session.get_one(Export, DONE)
    with storage.scratch_file() as target:
        build_export(database, storage, export, target, lambda done, total: None)
        data = target.read_bytes()
    database.dispose()
    return data


def segments(service: Service) -> dict[str, list[Any]]:
    """First frame of each segment of the half-done run, what it depends on, and what came of it."""
    database = connect(service.settings.database)
    with database.session(readonly=True) as session:
        job = session.get_one(Run, HALF).job_id
        rows = session.scalars(select(JobSegment).where(JobSegment.job_id == job).order_by(JobSegment.start)).all()
    database.dispose()
    return {str(row.start): [row.input_sha256, row.sha256] for row in rows}


def poses(service: Service) -> np.ndarray:
    """``(F, K, 4)`` x, y, score and error bar of the half-done run's poses, when it is done."""
    storage = open_storage(service.settings)
    track = join([npy.decode(storage.get(sha256)) for _, sha256 in segments(service).values()])
    return np.concatenate([track.xy, track.score[..., None], track.radius90[..., None]], axis=-1)


def waited_for(service: Service) -> dict[str, bytes]:
    """What jobs made that waited in the folder, of what was there before: nothing of it is computed."""
    addresses = {"second.json": f"/exports/{WAITING}/content", "estimated.zip": f"/runs/{ESTIMATED}/content"}
    return {name: _content(service, address) for name, address in addresses.items()}


def _content(service: Service, address: str) -> bytes:
    answer = service.http.get(address)
    assert answer.status_code == 200, answer.text
    return answer.content


def record() -> dict[str, bytes]:
    """The files of the folder, and below ``expected/`` what is expected of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(data_dir=folder / "data", port=0)
        for service in serve(settings):
            lab = Lab(service, folder)
            fill(lab)
            leave_off(lab)
        files = _files(settings.data_dir)
        expected = {}
        for service in serve(settings):
            expected |= {"segments.json": json.dumps(segments(service)).encode(), **stored(service)}
            service.work()
            expected |= waited_for(service)
            made = io.BytesIO()
            np.save(made, poses(service))
            expected["poses.npy"] = made.getvalue()
        return {**files, **{f"expected/{name}": data for name, data in expected.items()}}


def _files(data_dir: Path) -> dict[str, bytes]:
    """All files that matter; the database in one, as small as it gets."""
    database = data_dir / "posetween.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    wanted = [database, *(data_dir / "storage").rglob("*"), *(data_dir / "scratch" / "trainings").rglob("*")]
    left = {".stills", ""}
    return {
        f"data/{path.relative_to(data_dir)}": path.read_bytes()
        for path in wanted
        if path.is_file() and (path.suffix not in left or "storage" in path.parts)
    }


def write(files: dict[str, bytes]) -> None:
    """Write the archive; the same files give the same bytes."""
    with lzma.open(FILE, "wb", preset=9 | lzma.PRESET_EXTREME) as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def opened(folder: Path) -> dict[str, bytes]:
    """Unpack the archive; gives what is expected of the data folder in it."""
    with lzma.open(FILE) as stream, tarfile.open(fileobj=stream) as tar:
        tar.extractall(folder, filter="data")
    return {path.name: path.read_bytes() for path in (folder / "expected").iterdir()}


if __name__ == "__main__":
    write(record())
    print(f"{FILE.stat().st_size} bytes")  # noqa: T201
