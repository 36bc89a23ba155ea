"""The curve above the timeline of a long video with many tracks: one number of each frame of one track, in buckets.

Twenty tracks of 15 keypoints move about at random through 100 000 frames, with a keyframe every 100. The run is packed
by the worker's own code. Asked over HTTP, as the page does.

Run ``python -m benchmarks.curve_reads > benchmarks/results/curve_reads.md``.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from pathlib import Path
from statistics import quantiles

from app.database import connect
from app.settings import Settings
from app.storage import open_storage
from benchmarks.dense_reads import KEYPOINTS, fill
from benchmarks.live_server import LiveServer, heading, live_server, seconds, table
from cli.serve import prepare
from worker.loop import work

FRAMES, TRACKS, BUCKETS, TIMES = 100_000, 20, 1000, 20


def measure(server: LiveServer, video: int, frames: int, how: str) -> list[list[str]]:
    """Rows of the table: each quantity of the whole video, and of a tenth of it."""
    asked = {
        "radius of the worst keypoint": "quantity=radius90",
        "speed of the fastest keypoint": "quantity=speed",
        "x of a keypoint": "quantity=x&keypoint=3",
        "radius of a keypoint, a tenth of the frames": f"quantity=radius90&keypoint=3&start={frames // 2}"
        f"&stop={frames // 2 + frames // 10}",
    }
    rows = []
    with server.connect() as client:
        for name, query in asked.items():

            def ask(turn: int, query: str = query) -> None:
                client.send("GET", f"/videos/{video}/curves?track_id={1 + turn % TRACKS}&buckets={BUCKETS}&{query}")

            times = sorted(1000 * seconds(lambda turn=turn: ask(turn)) for turn in range(TIMES))  # type: ignore[misc]
            rows.append([name, how, f"{times[TIMES // 2]:.0f}", f"{quantiles(times, n=20)[-1]:.0f}"])
    return rows


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=FRAMES)
    frames = parser.parse_args().frames
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(data_dir=Path(folder) / "data")
        prepare(settings)
        database = connect(settings.database)
        video, _, _ = fill(settings, database, open_storage(settings), frames, TRACKS)
        database.dispose()
        heading(
            f"Curves of {frames} frames, {TRACKS} tracks of {KEYPOINTS} keypoints",
            "curve_reads",
            f"`GET /videos/{{id}}/curves` of one track in {BUCKETS} buckets, {TIMES} times each; milliseconds. SQLite.",
        )
        with live_server(settings.data_dir) as server:
            rows = measure(server, video, frames, "segments")
            work(settings, threading.Event(), until_idle=True)
            rows += measure(server, video, frames, "slabs")
    table(["curve", "read from", "median", "95th percentile"], rows)


if __name__ == "__main__":
    main()
