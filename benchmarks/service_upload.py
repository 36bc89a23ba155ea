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
from pathlib import Path
from statistics import median

from benchmarks.live_server import MIB, LiveServer, Memory, heading, live_server, render, seconds, table

SIZE = 1024 * MIB
ROUNDS = 3
_POLL_SECONDS = 0.02


def enlarge(clip: Path, size: int = SIZE) -> None:
    """Bring an MP4 to a size with a box that players skip."""
    gap = size - clip.stat().st_size
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


def run(*command: str | Path) -> None:
    """Run a program; what it says does not matter."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def plain(video: Path, copy: Path) -> tuple[float, float, float, float]:
    """Seconds of ``cp``, of bringing the copy to disk, of ``sha256sum``, and of the same digest by OpenSSL."""
    renew(video)
    copied = seconds(lambda: run("cp", video, copy))
    synced = seconds(lambda: run("sync", copy))
    digested = seconds(lambda: run("sha256sum", video))
    quickly = seconds(lambda: run("openssl", "dgst", "-sha256", video))
    copy.unlink()
    return copied, synced, digested, quickly


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
            rounds = [
                (plain(video, Path(folder) / "copy.mp4"), upload(server, project_id, video)) for _ in range(ROUNDS)
            ]

    heading(
        "Uploading 1 GiB",
        "service_upload",
        f"Medians of {ROUNDS} rounds taken by turns. An upload is received, digested, probed and on disk when it is "
        "answered. Debian's `sha256sum` makes no use of the processor's SHA instructions; OpenSSL does, as we do.",
    )
    ways = {
        "`cp`, `sha256sum`": (0, 2),
        "`cp`, `sync` of the copy, `sha256sum`": (0, 1, 2),
        "`cp`, `openssl dgst -sha256`": (0, 3),
        "`cp`, `sync` of the copy, `openssl dgst -sha256`": (0, 1, 3),
    }
    taken = median(ours[0] for _, ours in rounds)
    rows = [["upload", f"{taken:.2f}", f"{SIZE / MIB / taken:.0f}", ""]]
    for name, steps in ways.items():
        times = [sum(theirs[step] for step in steps) for theirs, _ in rounds]
        ratio = median(time / ours[0] for time, (_, ours) in zip(times, rounds, strict=True))
        rows.append([name, f"{median(times):.2f}", f"{SIZE / MIB / median(times):.0f}", f"{ratio:.2f}"])
    table(["", "seconds", "MiB/s", "our throughput over this one"], rows)
    alone = [f"{median(column):.2f} s" for column in zip(*(theirs for theirs, _ in rounds), strict=True)]
    print("By itself `cp` took {}, `sync` {}, `sha256sum` {}, `openssl` {}.\n".format(*alone))
    _, grown, delay = zip(*(ours for _, ours in rounds), strict=True)
    table(
        ["while uploading", "median of rounds", "worst round"],
        [
            ["growth of the server's resident memory, MiB", f"{median(grown):.0f}", f"{max(grown):.0f}"],
            ["slowest `GET /healthz`, ms", f"{median(delay):.0f}", f"{max(delay):.0f}"],
        ],
    )


if __name__ == "__main__":
    main()
