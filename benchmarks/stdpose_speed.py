"""How fast the engine ``stdpose`` is, where the time goes, and what memory it takes.

Run ``python -m benchmarks.stdpose_speed > benchmarks/results/stdpose_speed.md``; ``--long`` adds a video of 20 minutes
with three subjects, and the cost of a frame in videos of 1 000 and of 40 000 frames.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import torch

from benchmarks.flow_speed import EVERY, SPEC, rate, render
from benchmarks.peak_memory import peak_mb
from models.adaptation.adaptation import Adaptation
from models.engines import flow
from models.engines.crop_cache import CropCache
from models.engines.gap import gaps
from models.engines.lru_cache import LruCache
from models.propagate import plan_tracks, propagate
from models.stdpose.candidates import collect
from models.stdpose.descriptors import DescriptorExtractor
from models.stdpose.engine import StdPoseEngine, crop_of
from models.stdpose.fill_windows import fill_windows
from models.stdpose.network import Hints
from models.stdpose.windows import stack
from models.weights import TINY
from pose.frame_table import scan
from pose.frames import InMemoryFrames, RecentFrames
from pose.segments import Segment
from pose.track import Track
from pose.video import VideoReader
from pose.video_writer import VideoWriter

KEYPOINTS = 15
ROUNDS = 5
SUBJECTS = 3
MINUTES = 20


def parts(engine: StdPoseEngine, path: Path, keyframes: dict[int, Track]) -> dict[str, Callable[[], object]]:
    """What is timed; each goes over all frames of the clip."""
    table = scan(path)
    with VideoReader(path, table) as video:
        footage = InMemoryFrames(np.stack(list(video.frames())))
    labels = keyframes[1]
    crops, windows = [], []
    for _, segment in plan_tracks(keyframes, 0, SPEC.num_frames):
        (gap,) = gaps(labels, segment, footage.width, footage.height)
        crop = crop_of(footage, gap)
        seen = CropCache(footage, flow.crop_of(footage, gap), crop, LruCache())
        crops.append((seen, gap.frames))
        for reach in fill_windows(gap):
            frames = np.union1d(reach.window.times, reach.window.before)
            frames = np.union1d(frames, reach.window.after)
            looks = DescriptorExtractor(engine.network, engine.compute, "", mirrored=engine.mirrored).extract(
                seen, frames
            )
            start = torch.from_numpy(crop.to_crop(reach.window.interpolate())).float().expand(2, -1, -1, -1)
            batch = stack([reach.window] * 2, frames)
            hints = start[:, None].expand(-1, engine.network.config.hints, -1, -1, -1)
            windows.append((looks, batch, start, Hints(hints, torch.zeros(hints.shape[:-1]))))

    def whole() -> None:
        with VideoReader(path, table) as video:
            for _ in propagate(video, keyframes, engine=engine):
                pass

    def decode() -> None:
        with VideoReader(path, table) as video:
            for _ in video.frames():
                pass

    def track() -> None:
        for seen, frames in crops:
            (gap,) = gaps(labels, plan_of(frames), footage.width, footage.height)
            flow.weigh_candidates(CropCache(footage, seen.gray, None, LruCache()), gap)

    def describe() -> None:
        for seen, frames in crops:
            DescriptorExtractor(engine.network, engine.compute, "", mirrored=engine.mirrored).extract(
                CropCache(footage, seen.gray, seen.color, LruCache()), frames
            )

    def refine() -> None:
        for looks, batch, start, hints in windows:
            with torch.inference_mode(), engine.compute.autocast():
                candidates = collect(engine.network, looks, batch, start, hints)
                engine.network.judge(looks.maps, batch.first(), candidates)

    return {
        "the whole of stage A": whole,
        "decoding alone": decode,
        "optical flow alone, frames in memory": track,
        "cutting out and describing alone": describe,
        "refining and judging alone": refine,
    }


def plan_of(frames: np.ndarray) -> Segment:
    """The segment of consecutive frames."""
    return Segment(int(frames[0]), int(frames[-1]) + 1)


def stage_b(engine: StdPoseEngine, path: Path, keyframes: dict[int, Track]) -> float:
    """Seconds that fitting takes."""
    began = time.perf_counter()
    with VideoReader(path) as video:
        for _ in Adaptation(engine, RecentFrames(video), keyframes):
            pass
    return time.perf_counter() - began


class Looped:
    """A clip played over and over, forward and backward, as one long video in memory."""

    key = None

    def __init__(self, images: np.ndarray, num_frames: int) -> None:
        self._images = images
        self.num_frames, self.height, self.width = num_frames, *images.shape[1:3]

    def at(self, index: int) -> int:
        """Frame of the clip."""
        turn = index % (2 * len(self._images) - 2)
        return min(turn, 2 * len(self._images) - 2 - turn)

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        """See ``FrameSource.frames``."""
        for index in range(start, self.num_frames if stop is None else stop):
            image = self._images[self.at(index)]
            yield image[..., 1] if gray else image


def long_cost(num_frames: int, window: int) -> tuple[float, float]:
    """Processor milliseconds per frame over the last ``window`` frames of a long video, and peak MB of the process."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk.mp4"
        truth = render(path)
        with VideoReader(path) as video:
            clip = Looped(np.stack([frame[::4, ::4] for frame in video.frames()]), num_frames)
    labelled = np.arange(0, num_frames, EVERY)
    rows = [clip.at(int(frame)) for frame in labelled]
    points = np.concatenate([truth.xy[rows, :KEYPOINTS] / 4, np.full((len(rows), KEYPOINTS, 1), 2)], axis=-1)
    keyframes = {1: Track.labelled(labelled, points)}
    began = time.process_time()
    engine = StdPoseEngine.from_checkpoint(TINY)
    for _ in propagate(clip, keyframes, engine=engine, start=num_frames - window):
        pass
    spent = time.process_time() - began
    return 1000 * spent / window, peak_mb()


def write_twenty_minutes(path: Path) -> Track:
    """A rendered clip again and again, 20 minutes of it, and where the subject of the clip is."""
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder) / "walk.mp4"
        truth = render(clip)
        with VideoReader(clip) as video:
            images = list(video.frames())
    with VideoWriter(path, SPEC.fps, SPEC.width, SPEC.height, gop=250) as writer:
        for index in range(round(MINUTES * 60 * SPEC.fps)):
            writer.write(images[index % len(images)])
    return truth


def twenty_minutes(path: Path, truth: Track, frames: int) -> tuple[float, float]:
    """Frames per second, and peak MB of the process, over the first frames of a long video, three subjects."""
    table = scan(path)
    labelled = np.arange(0, len(table.pts), EVERY)
    points = truth.xy[labelled % SPEC.num_frames]
    marks = np.full((*points.shape[:2], 1), 2)
    shifted = (np.concatenate([points + np.array([30 * n, 0]), marks], axis=-1) for n in range(SUBJECTS))
    keyframes = {number: Track.labelled(labelled, each) for number, each in enumerate(shifted, start=1)}
    began = time.perf_counter()
    with VideoReader(path, table) as video:
        for _ in propagate(video, keyframes, engine="stdpose", stop=frames):
            pass
    return frames / (time.perf_counter() - began), peak_mb()


_Result = TypeVar("_Result")


def apart(work: Callable[..., _Result], *arguments: object) -> _Result:
    """Do something in a process of its own, whose peak memory is then that of the work."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--long", action="store_true", help="also measure long videos")
    wish = parser.parse_args()
    load = os.getloadavg()[0]
    engine = StdPoseEngine.from_checkpoint(TINY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "walk.mp4"
        truth = render(path)
        kept = truth.select(truth.frames % EVERY == 0)
        points = np.concatenate([kept.xy[:, :KEYPOINTS], np.full((len(kept), KEYPOINTS, 1), 2)], axis=-1)
        keyframes = {1: Track.labelled(kept.frames, points)}
        timed = parts(engine, path, keyframes)
        rates: dict[str, list[float]] = {name: [] for name in timed}
        for _ in range(ROUNDS):
            for name, work in timed.items():
                rates[name].append(rate(work))
        fitting = stage_b(engine, path, keyframes)
    print(f"# Speed of the engine stdpose: 720p, one subject of {KEYPOINTS} keypoints\n")
    print(f"Command: `python -m benchmarks.stdpose_speed{' --long' if wish.long else ''}`\n")
    print(
        f"{SPEC.num_frames} rendered frames, a keyframe every {EVERY}. {os.cpu_count()} cores ({platform.machine()}), "
        f"PyTorch {torch.__version__} on {torch.get_num_threads()} threads. Medians of {ROUNDS} rounds taken by turns; "
        f"load of the machine before it began: {load:.1f}.\n"
    )
    print("| | frames/s, median | slowest | fastest | ms/frame |\n|---|---|---|---|---|")
    for name, values in rates.items():
        middle = median(values)
        print(f"| {name} | {middle:.0f} | {min(values):.0f} | {max(values):.0f} | {1000 / middle:.1f} |")
    whole, *others = (1 / median(values) for values in rates.values())
    print(
        f"\nThe whole takes {whole / sum(others):.2f} times the sum of its parts. Fitting (stage B): {fitting:.0f} s."
    )
    if wish.long:
        print("\n| long videos, each in a process of its own | | peak MB |\n|---|---|---|")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "long.mp4"
            truth = apart(write_twenty_minutes, path)
            speed, memory = apart(twenty_minutes, path, truth, 1500)
        print(
            f"| {MINUTES} min of 720p, {SUBJECTS} subjects of {truth.num_keypoints} keypoints, first 1 500 frames "
            f"| {speed:.0f} frames/s | {memory:.0f} |"
        )
        for count in (1_000, 40_000):
            cost, memory = apart(long_cost, count, 500)
            print(
                f"| last 500 of {count} frames, one thread | {cost:.1f} ms of processor time a frame | {memory:.0f} |"
            )


if __name__ == "__main__":
    main()
