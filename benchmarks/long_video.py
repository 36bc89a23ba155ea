"""A long video with five tracks through the whole service: memory of the API and of the worker, and time of each stage.

The video is a rendered scene that runs to and fro. Five tracks of 15 keypoints are labelled about every 100 frames.
``linear`` propagates all of it, which looks for cuts through all of it, ``flow`` and ``stdpose`` the first frames. Then
the run is packed, all merged labels are read in windows, and exported. Memory is sampled every second.

Run ``python -m benchmarks.long_video > benchmarks/results/long_video.md``; ``--minutes 5`` makes it shorter.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil

from benchmarks.live_server import MIB, LiveServer, heading, live_server, table
from pose.synthetic import Scene, SceneSpec
from pose.track import Track
from pose.video_writer import VideoWriter

FPS = 30
WIDTH, HEIGHT = 320, 180
SCENE = 300  # frames, there and back again
TRACKS, KEYPOINTS, GAP = 5, 15, 100
WINDOW = 500
FLOW, STDPOSE = 2048, 4096  # frames of five tracks that these engines propagate
SETTLED = 10  # minutes of video after which memory shall not grow


@dataclass
class Stage:
    """What was seen while something went on.

    ``samples`` are minutes of video done, and MiB of the API, of the worker, and of the worker's children.
    """

    name: str
    seconds: float = 0.0
    share: float = 0.0
    samples: list[tuple[float, float, float, float]] = field(default_factory=list)
    note: str = ""
    whole: bool = True  # whether it is about all of the video

    def peak(self, column: int) -> float:
        """Most memory."""
        return max(sample[column] for sample in self.samples)

    def growth(self, column: int) -> str:
        """MiB by which memory grew in an hour of video once it had settled, by least squares.

        Where only a part of the video went through: between the second and the last quarter of that part.
        """
        if not self.whole:
            second, last = (
                [sample[column] for sample in self.samples if begin <= sample[0] / self.samples[-1][0] < begin + 0.25]
                for begin in (0.25, 0.75)
            )
            return f"{median(last) - median(second):+.0f}" if second and last else ""
        late = np.array([sample for sample in self.samples if sample[0] >= SETTLED])
        if len(late) < 10 or np.ptp(late[:, 0]) < 1:
            return ""
        return f"{60 * np.polyfit(late[:, 0], late[:, column], 1)[0]:+.0f}"


class Watch:
    """Samples memory every second, for the stage that is on."""

    def __init__(self, minutes: float, api: psutil.Process, worker: psutil.Process) -> None:
        self._minutes, self._api, self._worker = minutes, api, worker
        self._stage: Stage | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.stages: list[Stage] = []

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @contextmanager
    def stage(self, name: str) -> Iterator[Stage]:
        """Watch a stage."""
        self._stage = stage = Stage(name)
        self.stages.append(stage)
        start = time.monotonic()
        try:
            self._sample()
            yield stage
            self._sample()
        finally:
            stage.seconds = time.monotonic() - start
            self._stage = None
            print(name, f"{stage.seconds:.0f} s", stage.note, file=sys.stderr, flush=True)

    def _run(self) -> None:
        while not self._ended.wait(1):
            self._sample()

    def _sample(self) -> None:
        stage = self._stage
        if stage is None:
            return
        children = 0
        for child in self._worker.children(recursive=True):
            try:
                children += child.memory_info().rss
            except psutil.NoSuchProcess:
                continue
        sizes = self._api.memory_info().rss, self._worker.memory_info().rss, children
        stage.samples.append((self._minutes * stage.share, *(size / MIB for size in sizes)))


def render(path: Path, num_frames: int) -> Track:
    """Write the video; gives the truth about the subject on the frames of the scene."""
    scene = Scene(SceneSpec(seed=1, num_frames=SCENE, width=WIDTH, height=HEIGHT))
    pictures = list(scene.frames())
    with VideoWriter(path, FPS, WIDTH, HEIGHT) as writer:
        for index in range(num_frames):
            writer.write(pictures[shown(index)])
    return scene.tracks[1]


def shown(index: int) -> int:
    """Frame of the scene that a frame of the video shows."""
    place = index % (2 * SCENE - 2)
    return place if place < SCENE else 2 * SCENE - 2 - place


def label(client: Any, url: str, truth: Track, num_frames: int) -> int:
    """Label the tracks, each on other frames; tells how many labels that is."""
    written = 0
    for number in range(1, TRACKS + 1):
        client.send("POST", f"{url}/tracks", {"name": f"track {number}"})
        labels = []
        for frame in {0, num_frames - 1, *range(7 * number, num_frames, GAP)}:
            row = shown(frame)
            points = truth.xy[row, :KEYPOINTS] + number
            labels.append({
                "frame_index": frame,
                "track_id": number,
                "keypoints": [[x, y, 2] for x, y in points.astype(float).tolist()],
            })  # fmt: skip
        written += json.loads(client.send("PUT", f"{url}/labels", {"labels": labels}))["written"]
    return written


def done(server: LiveServer, job: dict[str, Any], stage: Stage) -> dict[str, Any]:
    """Wait for a job."""
    while True:
        with server.connect() as client:
            shown = json.loads(client.send("GET", f"/jobs/{job['id']}"))
        stage.share = shown["progress"]
        if shown["finished_at"]:
            assert shown["state"] == "succeeded", shown
            return dict(shown)
        time.sleep(0.5)


def last_job(server: LiveServer, kind: str, video_id: int) -> dict[str, Any]:
    """The video's newest job of a kind."""
    with server.connect() as client:
        jobs = json.loads(client.send("GET", f"/jobs?video_id={video_id}&limit=200"))["items"]
    return dict([job for job in jobs if job["kind"] == kind][-1])


def measure(folder: Path, minutes: float) -> tuple[list[Stage], int]:
    """All stages, and the number of labels."""
    num_frames = round(minutes * 60 * FPS)
    start = time.monotonic()
    truth = render(folder / "clip.mp4", num_frames)
    print(f"rendered in {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    with live_server(folder / "data") as server, worker(folder / "data") as hands:
        with Watch(minutes, server.process, hands) as watch:
            written = stages(server, watch, folder / "clip.mp4", truth, num_frames)
        return watch.stages, written


def stages(server: LiveServer, watch: Watch, clip: Path, truth: Track, num_frames: int) -> int:
    """Put the video through."""
    skeleton = {"name": "body", "keypoints": [f"keypoint {k}" for k in range(KEYPOINTS)]}
    with server.connect() as client:
        project = json.loads(client.send("POST", "/projects", {"name": "long", "skeleton": skeleton}))["id"]
    with watch.stage("upload") as stage, server.connect() as client:
        video = json.loads(client.send_file(f"/projects/{project}/videos", clip))["id"]
        stage.note = f"{clip.stat().st_size / MIB:.0f} MiB"
    url = f"/videos/{video}"
    with watch.stage("ingest") as stage:
        done(server, last_job(server, "ingest", video), stage)
    with watch.stage("label") as stage, server.connect() as client:
        written = label(client, url, truth, num_frames)
        stage.note = f"{written} labels"

    for engine, stop in (("linear", num_frames), ("flow", FLOW), ("stdpose", STDPOSE)):
        with watch.stage(f"propagate, {engine}") as stage:
            stage.whole = engine == "linear"
            with server.connect() as client:
                body = {"engine": engine, "stop": min(stop, num_frames)}
                job = json.loads(client.send("POST", f"{url}/propagations", body))
            done(server, job, stage)
            with server.connect() as client:
                run = json.loads(client.send("GET", f"/runs/{job['result']['run_id']}"))
            stage.note = f"{run['stop']} frames, {run['segments']} segments"
        with watch.stage("pack") as stage:
            done(server, last_job(server, "pack", video), stage)

    with watch.stage(f"read all in windows of {WINDOW}") as stage, server.connect() as client:
        size = count = 0
        for first in range(0, num_frames, WINDOW):
            data = client.send("GET", f"{url}/labels?layer=merged&start={first}&stop={first + WINDOW}")
            size += len(data)
            count += data.count(b'"frame_index"')
            stage.share = min(1.0, (first + WINDOW) / num_frames)
        assert count == num_frames * TRACKS, count
        stage.note = f"{count} poses, {size / MIB:.0f} MiB"
    with watch.stage("export") as stage:
        with server.connect() as client:
            job = json.loads(client.send("POST", f"/projects/{project}/exports", {}))
        export = done(server, job, stage)["result"]["export_id"]
        with server.connect() as client:
            manifest = json.loads(client.send("GET", f"/exports/{export}"))["manifest"]
        assert manifest["annotations"] == num_frames * TRACKS, manifest
        stage.note = f"{manifest['annotations']} annotations, {manifest['size'] / MIB:.0f} MiB"
    with watch.stage("download as Zarr") as stage, server.connect() as client:
        with server.connect() as other:
            run = json.loads(other.send("GET", f"{url}/runs"))["items"][0]["id"]
        stage.note = f"{len(client.send('GET', f'/runs/{run}/content')) / MIB:.0f} MiB"
    return written


@contextmanager
def worker(data_dir: Path) -> Iterator[psutil.Process]:
    """A worker process."""
    command = [sys.executable, "-m", "cli.main", "worker", "--data-dir", str(data_dir)]
    child = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, stderr=subprocess.DEVNULL)
    try:
        yield psutil.Process(child.pid)
    finally:
        child.terminate()
        child.wait()


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, help="length of the video")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder:
        seen, written = measure(Path(folder), minutes)
    heading(
        f"A video of {minutes:g} minutes with {TRACKS} tracks",
        "long_video",
        f"{round(minutes * 60 * FPS)} frames of {WIDTH} x {HEIGHT}, {written} labels of {KEYPOINTS} keypoints. "
        f"Resident memory in MiB, sampled every second; growth is MiB an hour of video from minute {SETTLED} on, for "
        "engines that propagate a part MiB from its second quarter to its last.",
    )
    columns = ["stage", "", "seconds", "API, peak", "growth", "worker, peak", "growth", "its children, peak", "growth"]
    table(
        columns,
        [
            [stage.name, stage.note, f"{stage.seconds:.0f}"]
            + [cell for column in (1, 2, 3) for cell in (f"{stage.peak(column):.0f}", stage.growth(column))]
            for stage in seen
        ],
    )


if __name__ == "__main__":
    main()
