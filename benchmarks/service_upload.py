"""How fast a 1 GiB video is taken in, beside ``cp`` and ``sha256sum`` of the same file, and what it costs the server.

Run ``python -m benchmarks.service_upload > benchmarks/results/service_upload.md``. The video is a short clip that an
MP4 box of random bytes makes large; every upload has other bytes. All files are on the disk of the temporary folder.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from benchmarks.live_server import MIB, LiveServer, Memory, heading, live_server, render, table

SIZE = 1024 * MIB
ROUNDS = 3
_POLL_SECONDS = 0.02


def enlarge(clip: Path) -> None:
    """Bring an MP4 to ``SIZE`` with a box that players skip."""
    gap = SIZE - clip.stat().st_size
    with clip.open("ab") as file:
        file.write(gap.to_bytes(4, "big") + b"free")
        for done in range(8, gap, MIB):
            file.write(os.urandom(min(MIB, gap - done)))


def renew(video: Path) -> None:
    """Give it bytes that the server has not seen, and let the disk come to rest."""
    with video.open("r+b") as file:
        file.seek(-MIB, os.SEEK_END)
        file.write(os.urandom(MIB))
    os.sync()


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def copy_and_digest(video: Path, copy: Path) -> tuple[float, float, float]:
    """Seconds of ``cp``, of bringing the copy to disk, and of ``sha256sum``."""
    renew(video)
    copied = seconds(lambda: run("cp", video, copy))
    synced = seconds(lambda: run("sync", copy))
    digested = seconds(lambda: run("sha256sum", video))
    copy.unlink()
    return copied, synced, digested


def upload(server: LiveServer, project_id: int, video: Path) -> tuple[float, float, float]:
    """Seconds of an upload, MiB by which the server grew, milliseconds of the slowest ``/healthz`` meanwhile."""
    renew(video)
    ended = threading.Event()
    delays: list[float] = []

    def ask() -> None:
        with server.connect() as client:
            while not ended.wait(_POLL_SECONDS):
                delays.append(1000 * seconds(lambda: client.send("GET", "/healthz")))

    asking = threading.Thread(target=ask)
    with server.connect() as client, Memory(server.process) as memory:
        asking.start()
        taken = seconds(lambda: client.send_file(f"/projects/{project_id}/videos?filename=large.mp4", video))
        ended.set()
        asking.join()
    return taken, memory.peak - memory.before, max(delays)


def main() -> None:
    """Measure and print a Markdown page."""
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "large.mp4"
        render(video, 60, 640, 360)
        enlarge(video)
        with live_server(Path(folder) / "data") as server:
            with server.connect() as client:
                body = {"name": "uploads", "skeleton": {"name": "point", "keypoints": ["point"]}}
                project_id = json.loads(client.send("POST", "/projects", body))["id"]
            rounds = []
            for _ in range(ROUNDS):
                plain = copy_and_digest(video, Path(folder) / "copy.mp4")
                rounds.append((*plain, *upload(server, project_id, video)))

    heading("Uploading 1 GiB", "service_upload", f"Medians of {ROUNDS} rounds taken by turns.")
    copied, synced, digested, taken, grown, delay = (median(column) for column in zip(*rounds, strict=True))
    lazy = median(sum(r[:3:2]) / r[3] for r in rounds)
    safe = median(sum(r[:3]) / r[3] for r in rounds)
    table(
        ["", "seconds", "MiB/s", "our throughput, times this"],
        [
            ["upload: received, digested, probed, on disk", f"{taken:.2f}", f"{1024 / taken:.0f}", "1"],
            ["`cp`, `sha256sum`", f"{copied + digested:.2f}", f"{1024 / (copied + digested):.0f}", f"{lazy:.2f}"],
            [
                "`cp`, `sync` of the copy, `sha256sum`",
                f"{copied + synced + digested:.2f}",
                f"{1024 / (copied + synced + digested):.0f}",
                f"{safe:.2f}",
            ],
        ],
    )
    print(f"`cp` alone took {copied:.2f} s, `sync` {synced:.2f} s, `sha256sum` {digested:.2f} s.\n")
    worst = max(r[4] for r in rounds), max(r[5] for r in rounds)
    table(
        ["while uploading", "median of rounds", "worst round"],
        [
            ["growth of the server's resident memory, MiB", f"{grown:.0f}", f"{worst[0]:.0f}"],
            ["slowest `GET /healthz`, ms", f"{delay:.0f}", f"{worst[1]:.0f}"],
        ],
    )


if __name__ == "__main__":
    main()
