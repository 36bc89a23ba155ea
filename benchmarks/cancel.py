"""How soon a job ends that is cancelled at any moment, and a worker that is told to stop.

A server and a worker, each a process, on a video of 1280 x 720 with three tracks and 400 frames from keyframe to
keyframe. Seconds from the request, or the signal, to the job's end as a client sees it, or the end of the process.

Run ``python -m benchmarks.cancel > benchmarks/results/cancel.md``.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.live_server import Connection, LiveServer, heading, live_server, render, table
from pose.synthetic import Scene, SceneSpec

FRAMES, LOOP, GAP, TRACKS = 1200, 60, 400, 3
WIDTH, HEIGHT = 1280, 720
ROUNDS = 12


class Plant:
    """A service with that video, labelled, and a worker."""

    def __init__(self, server: LiveServer, clip: Path) -> None:
        self.server, self.clip = server, clip
        truth = Scene(SceneSpec(seed=1, num_frames=LOOP, width=WIDTH, height=HEIGHT)).tracks[1]
        self.video = server.ready_video(clip, truth.num_keypoints)
        self.client: Connection = server.connect()
        self.url = f"/videos/{self.video['id']}"
        labels = []
        for number in range(1, TRACKS + 1):
            self.ask("POST", f"{self.url}/tracks", {"name": str(number)})
            for frame in (*range(0, FRAMES, GAP), FRAMES - 1):
                points = [[x + number, y, 2] for x, y in truth.xy[frame % LOOP].astype(float).tolist()]
                labels.append({"frame_index": frame, "track_id": number, "keypoints": points})
        self.ask("PUT", f"{self.url}/labels", {"labels": labels})
        self.begun = 0
        # An export of every frame takes long enough to be cancelled.
        self.ask("POST", f"{self.url}/propagations", {"engine": "linear"})
        server.work()
        self.worker = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """A worker process, as ``posetween up`` brings it along."""
        command = [sys.executable, "-m", "cli.main", "worker", "--data-dir", str(self.server.settings.data_dir)]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request, on a connection that may have been idle for too long."""
        self.client.__exit__(None, None, None)
        self.client = self.server.connect()
        return json.loads(self.client.send(method, path, body))

    def until(self, job: int, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a job to be as wanted."""
        while not holds(shown := self.ask("GET", f"/jobs/{job}")):
            assert not shown["finished_at"], shown
            time.sleep(0.005)
        return dict(shown)

    def propagate(self, stage: str, **body: Any) -> int:
        """A job that a worker computes by now; each begins at another frame, so that none finds its segments done."""
        self.begun += 1
        job = self.ask("POST", f"{self.url}/propagations", {"engine": "stdpose", "start": self.begun, **body})["id"]
        self.until(job, lambda shown: shown["stage"] == stage)
        return int(job)

    def ingest(self) -> int:
        """The ingest of another video: other bytes, a box that players skip."""
        self.clip.write_bytes(self.clip.read_bytes() + (8).to_bytes(4, "big") + b"free")
        video = self.ask("POST", f"/projects/{self.video['project_id']}/videos", self.clip.read_bytes())["id"]
        (job,) = self.ask("GET", f"/jobs?video_id={video}")["items"]
        self.until(job["id"], lambda shown: shown["stage"].startswith("reading frames"))
        return int(job["id"])

    def export(self) -> int:
        """An export with all frames."""
        body = {"images": True, "videos": [self.video["id"]]}
        job = self.ask("POST", f"/projects/{self.video['project_id']}/exports", body)["id"]
        self.until(job, lambda shown: shown["stage"] == "writing")
        return int(job)

    def cancelled(self, job: int) -> float:
        """Seconds until a job that runs has been cancelled."""
        start = time.perf_counter()
        self.ask("POST", f"/jobs/{job}/cancel")
        self.until(job, lambda shown: shown["state"] == "cancelled")
        return time.perf_counter() - start

    def stopped(self, job: int) -> float:
        """Seconds until the worker has ended; its job waits for another one, without an attempt lost."""
        start = time.perf_counter()
        self.worker.send_signal(signal.SIGTERM)
        assert self.worker.wait() == 0
        took = time.perf_counter() - start
        shown = self.ask("GET", f"/jobs/{job}")
        assert (shown["state"], shown["error"]) == ("queued", None), shown
        self.ask("POST", f"/jobs/{job}/cancel")
        self.worker = self.start()
        return took


def measure(plant: Plant, begin: Callable[[], int], longest: float, end: Callable[[int], float]) -> list[float]:
    """Seconds until the end that is asked for at random moments up to ``longest`` seconds after the beginning."""
    moments, times = random.Random(1), []
    for _ in range(ROUNDS):
        job = begin()
        time.sleep(moments.uniform(0, longest))
        times.append(end(job))
        print(f"{times[-1]:.2f}", file=sys.stderr, flush=True)
    return times


def main() -> None:
    """Measure and print a Markdown page."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "clip.mp4"
        render(clip, FRAMES, WIDTH, HEIGHT, LOOP)
        with live_server(Path(folder) / "data") as server:
            plant = Plant(server, clip)
            try:
                rows = [
                    [name, f"{median(times):.2f}", f"{max(times):.2f}"]
                    for name, begin, longest, end in (
                        ("cancel, `stdpose`", lambda: plant.propagate("propagating"), 10.0, plant.cancelled),
                        (
                            "cancel, `stdpose` being fitted",
                            lambda: plant.propagate("fitting to the video", adapt=True),
                            20.0,
                            plant.cancelled,
                        ),
                        ("cancel, ingest", plant.ingest, 4.0, plant.cancelled),
                        ("cancel, export with frames", plant.export, 4.0, plant.cancelled),
                        ("SIGTERM, `stdpose`", lambda: plant.propagate("propagating"), 10.0, plant.stopped),
                    )
                    for times in [measure(plant, begin, longest, end)]
                ]
            finally:
                plant.worker.kill()
                plant.worker.wait()
    heading(
        "Cancelling at any moment",
        "cancel",
        f"{ROUNDS} random moments each, {FRAMES} frames of {WIDTH} x {HEIGHT}, {TRACKS} tracks, {GAP} frames between "
        f"keyframes. Load average {os.getloadavg()[0]:.1f} at the end.",
    )
    table(["", "median, s", "longest, s"], rows)


if __name__ == "__main__":
    main()
