"""Reading windows of an hour of pseudo-labels: from segments, and from the slabs that the run is packed into.

Five tracks of 15 keypoints move about at random, with a keyframe every 100 frames. The run is packed by the worker's
own code. Storage is a folder, and an S3 server in a process of its own (moto).

Run ``python -m benchmarks.dense_reads > benchmarks/results/dense_reads.md``.
"""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import httpx2
import numpy as np
import psutil
from sqlalchemy import insert, literal, select

from app import blobs
from app.database import Database, connect
from app.labels import history, windows
from app.labels.history import Labels
from app.projects import service as projects
from app.projects.schemas import SkeletonSchema
from app.runs import packing
from app.settings import Settings
from app.storage import Storage, open_storage
from app.tables import Blob, Job, JobSegment, Lab, Run, RunSlab, TrackRow, Video
from benchmarks.live_server import MIB, heading, seconds, table
from cli.serve import prepare
from pose.formats import npy, slab
from pose.track import Track
from tests.services import free_port
from worker.loop import work

FRAMES, TRACKS, KEYPOINTS, GAP = 108_000, 5, 15, 100
WINDOWS = {500: 200, 1: 200, 4096: 20}


def fill(
    settings: Settings, database: Database, storage: Storage, frames: int = FRAMES, tracks: int = TRACKS
) -> tuple[int, int, float]:
    """A run with all its segments; gives ids of the video and the run, and the seconds that storing took."""
    draw = np.random.default_rng(0)
    with database.session() as session:
        lab = session.scalars(select(Lab.id)).one()
        schema = SkeletonSchema(name="body", keypoints=[f"keypoint {k}" for k in range(KEYPOINTS)])
        project = projects.create(session, lab, name="dense", skeleton=schema)
        file = storage.put(b"stands for the video")
        blobs.record(session, storage, file)
        video = Video(
            project_id=project.id, filename="hour.mp4", slug="hour", sha256=file.sha256, size=file.size, status="ready",
            num_frames=frames, width=1280, height=720, fps=30.0, duration=frames / 30,
        )  # fmt: skip
        session.add(video)
        session.flush()
        session.add_all([TrackRow(video_id=video.id, number=n, name=str(n)) for n in range(1, tracks + 1)])
        session.flush()
        _label(session, video, frames, tracks)
        params = {"tracks": list(range(1, tracks + 1)), "start": 0, "stop": frames}
        job = Job(
            lab_id=lab, project_id=project.id, video_id=video.id, kind="propagate", params=params, state="succeeded"
        )
        session.add(job)
        session.flush()
        run = Run(
            video_id=video.id, job_id=job.id, engine="flow", label_revision=0, skeleton_version=1, code_version="0"
        )
        session.add(run)
        session.flush()
        ids = video.id, run.id, job.id
    rows, start = [], time.perf_counter()
    for number in range(1, tracks + 1):
        place = draw.uniform(100, 600, (KEYPOINTS, 2))
        for first in range(0, frames, GAP):
            poses, place = _walk(draw, place, first)
            stored = storage.put(npy.encode(poses))
            rows.append((number, first, stored))
    took = time.perf_counter() - start
    with database.session() as session:
        session.execute(insert(Blob), [{"sha256": stored.sha256, "size": stored.size} for _, _, stored in rows])
        session.execute(insert(JobSegment), [
            {"job_id": ids[2], "track_number": number, "start": first, "stop": first + GAP, "sha256": stored.sha256,
             "input_sha256": f"{number} {first}", "attempt": 1}
            for number, first, stored in rows
        ])  # fmt: skip
        packing.queue(session, settings, session.get_one(Run, ids[1]))
    return ids[0], ids[1], took


def _again(settings: Settings, database: Database, run_id: int) -> None:
    """Queue the packing of another run with the same segments, as after a correction that is taken back."""
    columns = JobSegment.track_number, JobSegment.start, JobSegment.stop, JobSegment.input_sha256, JobSegment.sha256
    with database.session() as session:
        first = session.get_one(Run, run_id)
        done = session.get_one(Job, first.job_id)
        job = Job(
            lab_id=done.lab_id, project_id=done.project_id, video_id=done.video_id, kind="propagate",
            params=done.params, state="succeeded",
        )  # fmt: skip
        session.add(job)
        session.flush()
        run = Run(
            video_id=first.video_id,
            job_id=job.id,
            engine="flow",
            label_revision=0,
            skeleton_version=1,
            code_version="0",
        )
        session.add(run)
        session.flush()
        copied = select(literal(job.id), *columns, JobSegment.attempt).where(JobSegment.job_id == done.id)
        names = ["job_id", *(column.key for column in columns), "attempt"]
        session.execute(insert(JobSegment).from_select(names, copied))
        packing.queue(session, settings, run)


def _label(session, video: Video, count: int, subjects: int) -> None:
    frames = np.repeat(np.arange(0, count, GAP), subjects)
    tracks = np.tile(np.arange(1, subjects + 1), count // GAP)
    points = np.full((len(frames), KEYPOINTS, 3), 2, dtype=np.float32)
    labels = Labels(frames, tracks, points, np.zeros(len(frames), dtype=np.int64))
    revision = history.begin(session, video, "put", None)
    history.append(session, video.id, revision, labels, np.ones(points.shape[:2], dtype=bool))


def _walk(draw: np.random.Generator, place: np.ndarray, first: int) -> tuple[Track, np.ndarray]:
    xy = place + np.cumsum(draw.normal(0, 1.5, (GAP, KEYPOINTS, 2)), axis=0)
    radius = 2 + np.abs(np.cumsum(draw.normal(0, 0.2, (GAP, KEYPOINTS)), axis=0))
    poses = Track(
        frames=np.arange(first, first + GAP),
        xy=xy.astype(np.float32),
        visibility=draw.choice(np.array([1, 2], dtype=np.uint8), (GAP, KEYPOINTS), p=[0.1, 0.9]),
        score=np.exp(-radius / 20).astype(np.float32),
        radius90=radius.astype(np.float32),
    )
    return poses, xy[-1]


def by_zarr(data: bytes) -> dict[str, np.ndarray]:
    """What ``slab.decode`` reads, through Zarr's own arrays."""
    import zarr
    from zarr.core.buffer.cpu import Buffer

    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        held = {name: Buffer.from_bytes(archive.read(name)) for name in archive.namelist()}
    group = zarr.open_group(zarr.storage.MemoryStore(held), mode="r")
    return {field: group[field][...] for field in slab.FIELDS}


def latencies(database: Database, storage: Storage, video: int, frames: int) -> list[float]:
    """Milliseconds of reading merged labels of windows of so many frames anywhere."""
    places, times = random.Random(frames), []
    for _ in range(WINDOWS[frames]):
        start = places.randrange(FRAMES - frames)
        begin = time.perf_counter()
        with database.session(readonly=True) as session:
            row = session.get_one(Video, video)
            found = windows.read(session, storage, row, KEYPOINTS, start=start, stop=start + frames, layer="merged")
        times.append(1000 * (time.perf_counter() - begin))
        assert len(found) == TRACKS
        assert sum(len(track.poses) for track in found) == TRACKS * frames
    return times


def shown(times: list[float]) -> str:
    """Median and 99th percentile."""
    return f"{median(times):.1f} / {quantiles(times, n=100)[98]:.1f}"


def measure(settings: Settings, where: str) -> tuple[list[list[str]], str]:
    """Rows of the table, and what there is to say."""
    prepare(settings)
    database, storage = connect(settings.database), open_storage(settings)
    video, run, storing = fill(settings, database, storage)
    before = {frames: latencies(database, storage, video, frames) for frames in WINDOWS}
    packing_took = seconds(lambda: work(settings, threading.Event(), until_idle=True))
    with database.session(readonly=True) as session:
        assert packing.is_packed(session, session.get_one(Run, run))
        slabs = session.execute(
            select(RunSlab.sha256, Blob.size).join(Blob).where(RunSlab.run_id == run).order_by(RunSlab.chunk)
        ).all()
        sizes = session.scalars(select(Blob.size).join(JobSegment)).all()
    after = {frames: latencies(database, storage, video, frames) for frames in WINDOWS}
    _again(settings, database, run)
    again = seconds(lambda: work(settings, threading.Event(), until_idle=True))
    rows = [
        [where, frames, shown(before[frames]), shown(after[frames]),
         f"{median(before[frames]) / median(after[frames]):.1f}"]
        for frames in WINDOWS
    ]  # fmt: skip
    data = storage.get(slabs[3].sha256)
    ours = median(1000 * seconds(lambda: slab.decode(data)) for _ in range(50))
    theirs = median(1000 * seconds(lambda: by_zarr(data)) for _ in range(50))
    database.dispose()
    note = (
        f"{where}: {len(sizes)} segments of {sum(sizes) / MIB:.0f} MiB, stored in {storing:.0f} s, become {len(slabs)} "
        f"slabs of {sum(size for _, size in slabs) / MIB:.0f} MiB in {packing_took:.1f} s; a second run "
        f"that shares all segments is packed in {again:.1f} s and takes no more room. "
        f"A slab is decoded in {ours:.2f} ms, by Zarr in {theirs:.2f} ms."
    )
    return rows, note


def imports() -> dict[str, str]:
    """Milliseconds and MiB that a process which has imported ``app.main`` needs for what it imports next."""
    found = {}
    for module in ("numcodecs.blosc", "zarr"):
        code = (
            "import app.main, psutil, time; process = psutil.Process(); before = process.memory_info().rss;"
            f"start = time.perf_counter(); import {module};"
            "print(1000 * (time.perf_counter() - start), (process.memory_info().rss - before) / 2**20)"
        )
        runs = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
                for _ in range(5)]  # fmt: skip
        found[module] = " ms and ".join(f"{median(map(float, column)):.0f}" for column in zip(*runs, strict=True))
    return found


@contextmanager
def s3() -> Iterator[str]:
    """An empty bucket on a server of its own."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    os.environ |= {"AWS_ENDPOINT_URL": address, "AWS_ALLOW_HTTP": "true", "AWS_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "posetween", "AWS_SECRET_ACCESS_KEY": "posetween"}
    try:
        _wait(lambda: httpx2.put(f"{address}/dense").raise_for_status())
        yield "s3://dense/lab"
    finally:
        server.terminate()
        server.wait()


def _wait(answers: Callable[[], object]) -> None:
    for _ in range(300):
        try:
            answers()
            return
        except httpx2.TransportError:
            time.sleep(0.2)
    raise RuntimeError("the S3 server does not answer")


def main() -> None:
    """Measure and print a Markdown page."""
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        rows, note = measure(Settings(data_dir=Path(folder) / "local"), "folder")
        with s3() as url:
            more, other = measure(Settings(data_dir=Path(folder) / "remote", storage_url=url), "S3")
    heading(
        f"Reading {FRAMES // 1800} minutes of pseudo-labels, {TRACKS} tracks of {KEYPOINTS} keypoints",
        "dense_reads",
        f"Merged labels of windows anywhere, without the JSON; milliseconds, median / 99th percentile. "
        f"SQLite, a keyframe every {GAP} frames.",
    )
    table(["storage", "frames", "from segments", "from slabs", "times faster"], [*rows, *more])
    print(f"{note}\n\n{other}\n")
    numcodecs, zarr = imports().values()
    held = process.memory_info().rss / MIB
    print(
        f"Beyond what the API has loaded at its start, `numcodecs.blosc` takes {numcodecs} MiB to import, `zarr` "
        f"{zarr} MiB. This process, with the worker's code and the readers', ended at {held:.0f} MiB."
    )


if __name__ == "__main__":
    main()
