"""How long a correction of one keypoint takes in a process that propagated the segment before.

Run ``python -m benchmarks.stdpose_click > benchmarks/results/stdpose_click.md``.
"""

from __future__ import annotations

import os
import platform
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch

from benchmarks.flow_speed import SPEC, render
from models.stdpose.engine import StdPoseEngine
from models.weights import TINY
from pose.frame_table import FrameTable, scan
from pose.frames import RecentFrames
from pose.segments import Segment
from pose.track import Track
from pose.video import VideoReader

FRAMES = 40
KEYPOINTS = 15
ROUNDS = 9


@dataclass(frozen=True)
class Clip:
    """A video on disk."""

    path: Path
    table: FrameTable

    def seconds(self, engine: StdPoseEngine, labels: Track, segments: list[Segment], key: str) -> float:
        """From opening the video to the last pose."""
        began = time.perf_counter()
        with VideoReader(self.path, self.table, key=key) as video:
            frames = RecentFrames(video)
            for segment in segments:
                engine.propagate(frames, labels, segment)
        return time.perf_counter() - began


def measure(clip: Clip, truth: Track) -> dict[str, list[float]]:
    """Seconds of each round, by what was done."""
    engine = StdPoseEngine.from_checkpoint(TINY)
    ends = np.concatenate([truth.xy[[0, FRAMES], :KEYPOINTS], np.full((2, KEYPOINTS, 1), 2)], axis=-1)
    labels = Track.labelled([0, FRAMES], ends)
    clip.seconds(engine, labels, [Segment(0, FRAMES)], "to warm up")
    times: dict[str, list[float]] = {"first": [], "click": [], "fresh": []}
    for number in range(ROUNDS):
        at = 5 + 3 * number
        marks = np.zeros((1, KEYPOINTS, 3))
        marks[0, number] = (*truth.xy[at, number], 2)
        corrected = labels.over(Track.labelled([at], marks))
        halves = [Segment(0, at), Segment(at, FRAMES)]
        times["first"].append(clip.seconds(engine, labels, [Segment(0, FRAMES)], f"round {number}"))
        times["click"].append(clip.seconds(engine, corrected, halves, f"round {number}"))
        times["fresh"].append(clip.seconds(engine, corrected, halves, f"round {number} again"))
    return times


def main() -> None:
    """Measure and print a Markdown page."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk.mp4"
        truth = render(path)
        times = measure(Clip(path, scan(path)), truth)
    print(f"# A click on one keypoint, {FRAMES} frames between keyframes, {SPEC.width} x {SPEC.height}\n")
    print(
        f"{os.cpu_count()} cores ({platform.machine()}), PyTorch {torch.__version__} on {torch.get_num_threads()} "
        f"threads, {KEYPOINTS} keypoints, load {os.getloadavg()[0]:.1f}; medians of {ROUNDS} clicks, the video opened "
        "anew each time.\n"
    )
    print("| what | seconds | range |\n|---|---|---|")
    names = {
        "first": "the segment for the first time",
        "click": "after a click, in the same process",
        "fresh": "after a click, in a process that saw nothing",
    }
    for what, name in names.items():
        print(f"| {name} | {median(times[what]):.2f} | {min(times[what]):.2f} to {max(times[what]):.2f} |")


if __name__ == "__main__":
    main()
