"""The first look at a list of videos: the small pictures of all of them, none of which was made before.

Each video is the same rendered clip with a few bytes more. A service that has just begun is asked for the first frame
of each, six at a time as a browser asks; then for frames along one of them, as a pointer that moves over it does.

Run ``python -m benchmarks.home_thumbnails > benchmarks/results/home_thumbnails.md``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.live_server import LiveServer, heading, live_server, render, table

VIDEOS, FRAMES, WIDTH, HEIGHT = 20, 120, 1280, 720
SHOWN, AT_ONCE, STRIP, TURNS = 320, 6, 8, 5


def videos(server: LiveServer, clip: Path) -> list[int]:
    """Send the clip as many times, and have all read."""
    data = clip.read_bytes()
    with server.connect() as client:
        skeleton = {"name": "body", "keypoints": ["a"]}
        project = json.loads(client.send("POST", "/projects", {"name": "home", "skeleton": skeleton}))
        url = f"/projects/{project['id']}/videos"
        bodies = [data + b"\0\0\0\x0cfree" + number.to_bytes(4, "big") for number in range(VIDEOS)]
        numbers = [json.loads(client.send("POST", url, body))["id"] for body in bodies]
    server.work()
    return numbers


def ask(server: LiveServer, paths: list[str]) -> tuple[float, list[float]]:
    """Milliseconds until all have been answered, and of each answer."""

    def some(mine: list[str]) -> list[float]:
        times = []
        with server.connect() as client:
            for path in mine:
                began = time.perf_counter()
                client.send("GET", path)
                times.append(1000 * (time.perf_counter() - began))
        return times

    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(some, [paths[first::AT_ONCE] for first in range(AT_ONCE)]))
    return 1000 * (time.perf_counter() - began), sorted(one for times in found for one in times)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=FRAMES, help="of each video")
    frames = parser.parse_args().frames
    heading(
        f"The small pictures of {VIDEOS} videos",
        "home_thumbnails",
        f"{frames} frames of {WIDTH} x {HEIGHT} each; {SHOWN} pixels wide, {AT_ONCE} asked for at a time."
        f" {TURNS} times, each by a service that has just begun and has no picture.",
    )
    slowest: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        data_dir, clip = Path(folder) / "data", Path(folder) / "clip.mp4"
        render(clip, frames, WIDTH, HEIGHT)
        with live_server(data_dir) as server:
            numbers = videos(server, clip)
        for _ in range(TURNS):
            shutil.rmtree(server.settings.frames_dir, ignore_errors=True)
            with live_server(data_dir) as server:
                time.sleep(2)  # somebody signs in
                every, times = ask(server, [f"/videos/{number}/frames/0?width={SHOWN}" for number in numbers])
                places = [frames * place // STRIP for place in range(1, STRIP)]
                along, _ = ask(server, [f"/videos/{numbers[0]}/frames/{place}?width={SHOWN}" for place in places])
            for name, value in (("the first", times[0]), ("all", every), (f"{STRIP - 1} along one", along)):
                slowest.setdefault(name, []).append(value)
    table(["pictures", "ms, median", "ms, slowest"], [
        [name, f"{sorted(times)[TURNS // 2]:.0f}", f"{max(times):.0f}"] for name, times in slowest.items()
    ])  # fmt: skip


if __name__ == "__main__":
    main()
