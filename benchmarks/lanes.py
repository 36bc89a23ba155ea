"""How soon quick jobs begin and end while a training and a fit run: one worker as before, or one for each lane.

``posetween serve`` and workers, each a process, on a labelled video of 640 x 360. One after the other a clip is
ingested, a span of 60 frames is propagated with each of ``--engines``, and an export is made: at rest, while an
estimator is trained, and while ``stdpose`` is fitted. ``--nice`` is how far the worker that may train gives way.

Run ``python -m benchmarks.lanes > benchmarks/results/lanes.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.live_server import LiveServer, heading, live_server, render, table
from pose.synthetic import Scene, SceneSpec

FRAMES, LOOP, WIDTH, HEIGHT = 600, 60, 640, 360
SPAN = 60
PATIENCE = 30.0
_STARTING_SECONDS = 15  # of workers on a busy machine

Job = dict[str, Any]


class Lab:
    """A service with a labelled video, and requests to it."""

    def __init__(self, server: LiveServer, clip: Path, small: Path) -> None:
        self.server, self.small = server, small
        truth = Scene(SceneSpec(seed=1, num_frames=LOOP, width=WIDTH, height=HEIGHT)).tracks[1]
        self.video = server.ready_video(clip, truth.num_keypoints)
        self.url, self.project = f"/videos/{self.video['id']}", f"/projects/{self.video['project_id']}"
        self.ask("POST", f"{self.url}/tracks", {"name": "subject"})
        labels = [
            {"frame_index": frame, "track_id": 1, "keypoints": [[x, y, 2] for x, y in truth.xy[frame % LOOP].tolist()]}
            for frame in (*range(0, FRAMES, 10), FRAMES - 1)
        ]
        self.ask("PUT", f"{self.url}/labels", {"labels": labels})
        self.begun = 0

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """A request, on a connection of its own."""
        with self.server.connect() as client:
            return json.loads(client.send(method, path, body))

    def job(self, number: int) -> Job:
        """A job as the API shows it."""
        return dict(self.ask("GET", f"/jobs/{number}"))

    def until(self, number: int, holds: Callable[[Job], Any], patience: float = 600.0) -> Job | None:
        """Wait until a job is as wanted; None where it takes longer than that."""
        deadline = time.monotonic() + patience
        while not holds(shown := self.job(number)):
            if time.monotonic() > deadline:
                return None
            assert shown["state"] in ("queued", "running"), shown
            time.sleep(0.02)
        return shown

    def cancel(self, number: int) -> None:
        """End a job."""
        self.ask("POST", f"/jobs/{number}/cancel")
        deadline = time.monotonic() + 60
        while not self.job(number)["finished_at"] and time.monotonic() < deadline:
            time.sleep(0.05)

    def ingest(self) -> int:
        """The ingest of other bytes: a box that players skip."""
        self.small.write_bytes(self.small.read_bytes() + (8).to_bytes(4, "big") + b"free")
        return int(self.ask("POST", f"{self.project}/videos", self.small.read_bytes())["ingest_job_id"])

    def propagate(self, engine: str) -> int:
        """A propagation of a span that none had before."""
        self.begun += 1
        start = self.begun * 7 % (FRAMES - SPAN)
        body = {"engine": engine, "start": start, "stop": start + SPAN}
        return int(self.ask("POST", f"{self.url}/propagations", body)["id"])

    def export(self) -> int:
        """An export of the labels."""
        return int(self.ask("POST", f"{self.project}/exports", {"videos": [self.video["id"]]})["id"])

    def train(self) -> int:
        """A training that goes on for long enough."""
        return int(self.ask("POST", f"{self.project}/trainings", {"minutes": 30})["id"])

    def fit(self) -> int:
        """A propagation that is fitted to the video first."""
        self.begun += 1
        body = {"engine": "stdpose", "adapt": True, "start": self.begun}
        return int(self.ask("POST", f"{self.url}/propagations", body)["id"])


@contextmanager
def workers(lab: Lab, lanes: Sequence[str], nice: int) -> Iterator[None]:
    """Worker processes for the length of a block."""
    children = []
    for lane in lanes:
        before = ["nice", "-n", str(nice)] if lane == "all" and len(lanes) > 1 else []
        command = [*before, sys.executable, "-m", "cli.main", "worker", "--lane", lane]
        command += ["--data-dir", str(lab.server.settings.data_dir)]
        children.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
    try:
        time.sleep(_STARTING_SECONDS)
        yield
    finally:
        for child in children:
            child.send_signal(signal.SIGTERM)
        for child in children:
            child.wait(timeout=120)


@contextmanager
def beside(lab: Lab, begin: Callable[[], int] | None, stage: str) -> Iterator[Callable[[], bool]]:
    """Have something long run for the length of a block; gives whether it still does."""
    if begin is None:
        yield lambda: True
        return
    number = begin()
    if lab.until(number, lambda shown: shown["stage"] == stage) is None:
        raise RuntimeError(f"job {number} does not get to {stage}")
    try:
        yield lambda: lab.job(number)["stage"] == stage
    finally:
        lab.cancel(number)


def measure(lab: Lab, begin: Callable[[], int]) -> tuple[float, float] | None:
    """Seconds from queueing a job to its claim and to its end; None where it did not begin in time."""
    number = begin()
    if lab.until(number, lambda shown: shown["started_at"], PATIENCE) is None:
        lab.cancel(number)
        return None
    ended = lab.until(number, lambda shown: shown["finished_at"])
    assert ended is not None
    queued, started, finished = (
        datetime.fromisoformat(ended[f"{name}_at"]) for name in ("created", "started", "finished")
    )
    return (started - queued).total_seconds(), (finished - queued).total_seconds()


def rows(lab: Lab, how: str, rounds: int, engines: Sequence[str]) -> Iterator[list[str]]:
    """Rows of the table: each quick job at rest, beside a training and beside a fit."""
    quick: dict[str, Callable[[], int]] = {
        f"ingest of {SPAN} frames": lab.ingest,
        **{f"`{engine}`, {SPAN} frames": partial(lab.propagate, engine) for engine in engines},
        "export": lab.export,
    }
    for name, long, stage in (("", None, ""), ("training", lab.train, "training"), ("fit", lab.fit, "adapting")):
        found: dict[str, list[tuple[float, float] | None]] = {what: [] for what in quick}
        for _ in range(rounds):
            with beside(lab, long, stage) as goes_on:
                for what, begin in quick.items():
                    if not goes_on():
                        break
                    found[what].append(measure(lab, begin))
                    print(how, name, what, found[what][-1], file=sys.stderr, flush=True)
                    if found[what][-1] is None:
                        break  # the others would wait as well
        for what, times in found.items():
            yield [how, name or "nothing", what, _told(times, 0), _told(times, 1)]


def _told(times: Sequence[tuple[float, float] | None], which: int) -> str:
    begun = [time[which] for time in times if time is not None]
    late = "" if len(begun) == len(times) else f"not within {PATIENCE:.0f}"
    return late or (f"{median(begun):.2f} / {max(begun):.2f}" if begun else "waits behind the one above")


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--engines", nargs="+", default=["flow", "stdpose"])
    parser.add_argument("--nice", type=int, nargs="+", default=[0, 10])
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip, small = Path(folder) / "clip.mp4", Path(folder) / "small.mp4"
        render(clip, FRAMES, WIDTH, HEIGHT, LOOP)
        render(small, SPAN, WIDTH, HEIGHT, LOOP)
        with live_server(Path(folder) / "data") as server:
            lab = Lab(server, clip, small)
            found = []
            with workers(lab, ["all"], 0):
                found += rows(lab, "one worker", 1, chosen.engines)
            for nice in chosen.nice:
                with workers(lab, ["all", "quick"], nice):
                    found += rows(lab, f"two lanes, nice {nice}", chosen.rounds, chosen.engines)
    heading(
        "Quick jobs beside long ones",
        "lanes",
        f"Seconds from queueing, median / worst of {chosen.rounds} rounds (one round with one worker). Load average "
        f"{os.getloadavg()[0]:.1f} at the end.",
    )
    table(["workers", "beside", "job", "until it begins", "until it has ended"], found)


if __name__ == "__main__":
    main()
