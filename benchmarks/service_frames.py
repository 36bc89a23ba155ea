"""How long a random frame takes over HTTP, for one client and for several at a time.

Run ``python -m benchmarks.service_frames > benchmarks/results/service_frames.md``. Times are the client's, from the
request to the last byte of the JPEG. Beside them stands what decoding and compressing alone take in one process.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from app.database import connect
from app.storage import Storage
from app.tables import Video
from app.videos.images import encode
from benchmarks.live_server import LiveServer, Memory, heading, live_server, render, table
from pose.frame_table import FrameTable
from pose.video import VideoReader

FRAMES, WIDTH, HEIGHT = 300, 1280, 720
READS = 200
CLIENTS = 8


def timed(indices: np.ndarray, read: Callable[[int], object]) -> np.ndarray:
    """Milliseconds of each read, the first of which (opening the video) is left out."""
    read(0)
    times = []
    for index in indices.tolist():
        start = time.perf_counter()
        read(index)
        times.append(1000 * (time.perf_counter() - start))
    return np.array(times)


def over_http(server: LiveServer, video_id: int, indices: np.ndarray) -> np.ndarray:
    """Milliseconds of each request of one client."""
    with server.connect() as client:
        return timed(indices, lambda index: client.send("GET", f"/videos/{video_id}/frames/{index}"))


def alone(server: LiveServer, video_id: int, indices: np.ndarray) -> np.ndarray:
    """Milliseconds of the same work without a server."""
    database = connect(server.settings.database)
    with database.session(readonly=True) as session:
        video = session.get_one(Video, video_id)
    database.dispose()
    proxy, frames = video.proxy_sha256, video.proxy_table_sha256
    assert proxy is not None
    assert frames is not None
    storage = Storage(server.settings.storage, server.settings.scratch_dir)
    with VideoReader(
        storage.file(proxy), FrameTable.from_bytes(storage.get(frames)), threads=1, recent_bytes=0
    ) as reader:
        return timed(indices, lambda index: encode(reader.read(index), "jpeg"))


def row(name: str, times: np.ndarray, taken: float) -> list[str]:
    """A row of the table."""
    median, slow = np.percentile(times, [50, 99])
    return [name, f"{median:.0f}", f"{slow:.0f}", f"{len(times) / taken:.0f}"]


def main() -> None:
    """Measure and print a Markdown page."""
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        render(clip, FRAMES, WIDTH, HEIGHT)
        with live_server(Path(folder) / "data") as server:
            video_id = server.ready_video(clip)["id"]
            order = rng.integers(0, FRAMES, READS)
            bare = alone(server, video_id, order)
            single = over_http(server, video_id, order)
            parts = rng.integers(0, FRAMES, (CLIENTS, READS // CLIENTS))
            start = time.perf_counter()
            with Memory(server.process) as memory, ThreadPoolExecutor(CLIENTS) as pool:
                many = np.concatenate(list(pool.map(lambda part: over_http(server, video_id, part), parts)))
            together = time.perf_counter() - start

    heading(
        f"Random frames of {WIDTH} x {HEIGHT} as JPEG",
        "service_frames",
        f"{READS} reads each, of a proxy of {FRAMES} frames with a keyframe every 30.",
    )
    table(
        ["", "median, ms", "99th percentile, ms", "frames/s"],
        [
            row("decoding and compressing, no server", bare, bare.sum() / 1000),
            row("over HTTP, one client", single, single.sum() / 1000),
            row(f"over HTTP, {CLIENTS} clients at a time", many, together),
        ],
    )
    print(f"While {CLIENTS} clients asked, the server grew from {memory.before:.0f} to {memory.peak:.0f} MiB.")


if __name__ == "__main__":
    main()
