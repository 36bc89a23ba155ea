"""How fast the engine ``flow`` is on 720p with one subject of 17 keypoints, and where the time goes.

Run ``python -m benchmarks.flow_speed > benchmarks/results/flow_speed.md``.
"""

from __future__ import annotations

import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from models.engines.flow import Flow
from models.propagate import plan_tracks, propagate
from pose.frame_table import scan
from pose.synthetic import Scene, SceneSpec
from pose.track import Track
from pose.video import VideoReader
from pose.video_writer import VideoWriter

SPEC = SceneSpec(seed=2, kind="person", num_frames=241, width=1280, height=720, action="walk")
EVERY = 24
ROUNDS = 7


class Decoded:
    """A video whose gray frames are in memory."""

    key = None

    def __init__(self, video: VideoReader) -> None:
        self.width, self.height, self.num_frames = video.width, video.height, video.num_frames
        self._frames = list(video.frames(gray=True))

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        """See ``pose.frames.FrameSource``; always gray."""
        return iter(self._frames[start:stop])


def render(path: Path) -> Track:
    """Write the clip; gives the truth about it."""
    scene = Scene(SPEC)
    with VideoWriter(path, SPEC.fps, SPEC.width, SPEC.height, gop=250) as writer:
        for frame in scene.frames():
            writer.write(frame)
    return scene.tracks[1]


def rate(work: Callable[[], object]) -> float:
    """Frames of the clip per second of ``work``."""
    began = time.perf_counter()
    work()
    return SPEC.num_frames / (time.perf_counter() - began)


def main() -> None:
    """Measure and print a Markdown page."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk.mp4"
        truth = render(path)
        keyframes = {1: truth.select((truth.frames % EVERY == 0) & (truth.visibility > 0).any(axis=1))}
        table = scan(path)
        with VideoReader(path, table) as video:
            decoded = Decoded(video)

        def decode() -> None:
            with VideoReader(path, table) as video:
                for _ in video.frames(gray=True):
                    pass

        def whole() -> None:
            with VideoReader(path, table) as video:
                for _ in propagate(video, keyframes, engine="flow"):
                    pass

        def track() -> None:
            for _, segment in plan_tracks(keyframes, 0, SPEC.num_frames):
                Flow().propagate(decoded, keyframes[1], segment)

        parts: dict[str, Callable[[], object]] = {
            "the whole: decode, track, fuse": whole,
            "decode alone": decode,
            "track and fuse alone, frames in memory": track,
            "scan, once per file before the first propagation": lambda: scan(path),
        }
        rates: dict[str, list[float]] = {name: [] for name in parts}
        for _ in range(ROUNDS):
            for name, work in parts.items():
                rates[name].append(rate(work))

    print(f"# Speed of the engine flow: 720p, one subject of {truth.num_keypoints} keypoints\n")
    print("Command: `python -m benchmarks.flow_speed`\n")
    print(
        f"{SPEC.num_frames} rendered frames, a keyframe every {EVERY}, H.264 with a stream keyframe every 250. "
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, OpenCV {cv2.__version__}, "
        f"{sys.platform}. Medians of {ROUNDS} rounds taken by turns; load of the machine before it began: {load:.1f}.\n"
    )
    print("| | frames/s, median | slowest | fastest |\n|---|---|---|---|")
    for name, values in rates.items():
        print(f"| {name} | {median(values):.0f} | {min(values):.0f} | {max(values):.0f} |")
    print(f"\nPeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, rendering included.")


if __name__ == "__main__":
    main()
