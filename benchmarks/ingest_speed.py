"""How fast ingest is beside a bare ffmpeg transcode with the settings of the proxy.

Run ``python -m benchmarks.ingest_speed > benchmarks/results/ingest_speed.md``. Both decode the whole file and write the
same kind of proxy, with as many threads as they like. Ours also settles the frame table with a checksum of each frame,
starts a child process with limits, reads the timestamps of what it wrote back, and digests it for storage.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import imageio_ffmpeg  # type: ignore[import-untyped]

from app.settings import Settings
from app.storage import open_storage
from benchmarks.live_server import heading, render, table
from pose.frame_table import FrameTable
from pose.proxy import ENCODER, write_proxy
from worker.kinds.ingest import start
from worker.kinds.ingest_files import PROXY, TABLES

SIZES = ((1280, 720), (1920, 1080))


def ffmpeg() -> str:
    """The machine's program, else the one of a package."""
    return shutil.which("ffmpeg") or str(imageio_ffmpeg.get_ffmpeg_exe())


def transcode(source: Path, target: Path) -> None:
    """The proxy by ffmpeg alone."""
    options = [word for name, value in ENCODER.items() for word in (f"-{name}", value)]
    command = [ffmpeg(), "-v", "error", "-y", "-i", source, "-map", "0:v:0", "-an", "-fps_mode", "passthrough"]
    command += ["-c:v", "libx264", *options, "-pix_fmt", "yuv420p", "-movflags", "+faststart", target]
    subprocess.run(command, check=True)


def ingest(source: Path, target: Path, settings: Settings) -> None:
    """What the ingest job does with a file: the child process, and storing what it made."""
    with TemporaryDirectory(dir=target.parent) as folder:
        with start(settings, source, Path(folder)) as process:
            said = process.communicate()[0].splitlines()
        assert json.loads(said[-1]) == {}, said[-1]
        storage = open_storage(settings)
        tables = json.loads(Path(folder, TABLES).read_text())
        for name in ("source", "proxy"):
            storage.put(bytes.fromhex(tables[name]))
        storage.adopt(Path(folder, PROXY))


def library(source: Path, target: Path) -> None:
    """The proxy and both tables, in this process."""
    for _ in write_proxy(source, target):
        pass


def timed(work: Callable[[], None]) -> tuple[float, float]:
    """Wall-clock and processor seconds, those of child processes included."""
    before, start = os.times(), time.perf_counter()
    work()
    wall, after = time.perf_counter() - start, os.times()
    return wall, sum(after[:4]) - sum(before[:4])


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=900)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = Settings(data_dir=folder / "data")
        target = folder / "proxy.mp4"
        for width, height in SIZES:
            source = folder / f"{height}.mp4"
            render(source, asked.frames, width, height)
            ways: dict[str, Callable[[], None]] = {
                "ffmpeg": lambda source=source: transcode(source, target),  # type: ignore[misc]
                "`write_proxy`": lambda source=source: library(source, target),  # type: ignore[misc]
                "the whole ingest": lambda source=source: ingest(source, target, settings),  # type: ignore[misc]
            }
            taken = [{way: timed(work) for way, work in ways.items()} for _ in range(asked.rounds)]
            for way in ways:
                wall, processor = (median(one[way][column] for one in taken) for column in (0, 1))
                speed, spared = (median(one["ffmpeg"][column] / one[way][column] for one in taken) for column in (0, 1))
                cells = [f"{asked.frames / wall:.0f}", f"{speed:.2f}", f"{1000 * processor / asked.frames:.1f}"]
                rows.append([f"{width} x {height}", way, *cells, f"{spared:.2f}"])
        frames = FrameTable.from_bytes(bytes.fromhex(json.loads(target.with_suffix(".json").read_text())["proxy"]))
        assert frames.num_frames == asked.frames

    version = subprocess.run([ffmpeg(), "-version"], check=True, capture_output=True, text=True).stdout.split()[2]
    options = " ".join(f"-{name} {value}" for name, value in ENCODER.items())
    heading(
        "Ingest beside ffmpeg",
        " ".join(["ingest_speed", *sys.argv[1:]]),
        f"{asked.frames} frames of rendered video, medians of {asked.rounds} rounds taken by turns. ffmpeg {version} "
        f"with `-fps_mode passthrough -c:v libx264 {options} -pix_fmt yuv420p -movflags +faststart`.",
    )
    columns = ["", "", "frames/s", "speed over ffmpeg's", "processor ms a frame", "the same over ours"]
    table(columns, rows)


if __name__ == "__main__":
    main()
