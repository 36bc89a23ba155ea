"""How long the API takes to import and to start, and how much memory it holds while nobody asks anything.

Run ``python -m benchmarks.service_idle > benchmarks/results/service_idle.md``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.live_server import LiveServer, heading, live_server, render, seconds, table

FRAMES, WIDTH, HEIGHT = 300, 1280, 720
REQUESTS = 100
ROUNDS = 7
SLOWEST = 10
_IMPORT = "import app.main"


def import_seconds() -> tuple[float, float]:
    """Wall-clock and processor time of a Python that imports the API and ends."""
    before = os.times()
    wall = seconds(lambda: subprocess.run([sys.executable, "-c", _IMPORT], check=True))
    after = os.times()
    return wall, sum(after[2:4]) - sum(before[2:4])


def slowest_imports() -> list[tuple[int, str]]:
    """Microseconds that modules take by themselves, what they import left out, and their names; most first."""
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", _IMPORT], check=True, capture_output=True, text=True
    ).stderr
    rows = [line.removeprefix("import time:").split("|") for line in told.splitlines()]
    own = [(int(row[0]), row[2].strip()) for row in rows if len(row) == 3 and row[0].strip().isdigit()]
    return sorted(own, reverse=True)[:SLOWEST]


def ask(server: LiveServer, clip: Path) -> None:
    """Send ``REQUESTS`` requests, half of them for frames."""
    video = server.ready_video(clip)
    with server.connect() as client:
        for index in range(REQUESTS // 2):
            client.send("GET", f"/videos/{video['id']}/frames/{index * 97 % FRAMES}")
            client.send("GET", f"/videos/{video['id']}/labels")


def resident(server: LiveServer) -> float:
    """MB that the server's process holds."""
    return float(server.process.memory_info().rss / 1e6)


def main() -> None:
    """Measure and print a Markdown page."""
    imports, processor = zip(*(import_seconds() for _ in range(ROUNDS)), strict=True)
    slowest = slowest_imports()
    starts, fresh, again = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        render(clip, FRAMES, WIDTH, HEIGHT)
        for number in range(ROUNDS):
            with live_server(Path(folder) / f"data-{number}") as server:
                starts.append(server.seconds_to_start)
                fresh.append(resident(server))
        for _ in range(ROUNDS):
            with live_server(Path(folder) / "data-0") as server:
                again.append(server.seconds_to_start)
        with live_server(Path(folder) / "data-0") as server:
            ask(server, clip)
            used = resident(server)

    heading("The API at rest", "service_idle", f"Medians of {ROUNDS} processes.")
    table(
        ["", "median", "worst"],
        [
            ["`python -c 'import app.main'`, s", f"{median(imports):.2f}", f"{max(imports):.2f}"],
            ["its processor time, s", f"{median(processor):.2f}", f"{max(processor):.2f}"],
            [
                "`posetween serve` to the first answer, new data folder, s",
                f"{median(starts):.2f}",
                f"{max(starts):.2f}",
            ],
            ["the same, data folder that is there, s", f"{median(again):.2f}", f"{max(again):.2f}"],
            ["resident memory after the start, MB", f"{median(fresh):.0f}", f"{max(fresh):.0f}"],
            [
                f"after {REQUESTS} requests, half of them frames of {WIDTH} x {HEIGHT}, MB",
                f"{used:.0f}",
                f"{used:.0f}",
            ],
        ],
    )
    print("Modules that take longest to import, without what they import themselves:\n")
    table(["module", "ms"], [[f"`{name}`", f"{own / 1000:.0f}"] for own, name in slowest])


if __name__ == "__main__":
    main()
