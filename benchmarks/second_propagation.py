"""What it takes to propagate a second time, in a process that saw nothing, with and without what the first one kept.

Run ``python -m benchmarks.second_propagation > benchmarks/results/second_propagation.md``.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch

from app.file_cache import FileCache
from benchmarks.flow_speed import EVERY, SPEC, render
from models.adaptation.adaptation import Adaptation
from models.adaptation.fitting import AdaptRecipe
from models.compute.processor import Processor
from models.engines.cuts import Cuts
from models.propagate import propagate
from models.stdpose.engine import StdPoseEngine
from models.weights import TINY
from pose.frame_table import FrameTable, scan
from pose.frames import RecentFrames
from pose.track import Track, join
from pose.video import VideoReader

KEYPOINTS = 15
FRAMES = 121
ROUNDS = 3
STEPS = 20  # of fitting: enough to see what looking takes


@dataclass(frozen=True)
class Clip:
    """A rendered video and labels on some of its frames."""

    path: Path
    table: FrameTable
    labels: Track

    def seconds(self, shelf: FileCache | None, cuts: Cuts, *, fitted: bool = False) -> tuple[float, float, Track]:
        """Seconds on the wall and of the processor of an engine that remembers nothing, and what it gives."""
        engine = StdPoseEngine.from_checkpoint(TINY)
        engine.lay_on(shelf)
        wall, processor = time.perf_counter(), time.process_time()
        with VideoReader(self.path, self.table, key=f"{1:064x}") as video:
            frames = RecentFrames(video)
            if fitted:
                fitting = Adaptation(engine, frames, {1: self.labels}, cuts=cuts, recipe=AdaptRecipe(steps=STEPS))
                for _ in fitting:
                    pass
                engine = fitting.engine
            parts = propagate(frames, {1: self.labels}, engine=engine, stop=FRAMES, cuts=cuts)
            poses = join([part for _, _, part in parts])
        return time.perf_counter() - wall, time.process_time() - processor, poses

    def clicked(self, number: int) -> Clip:
        """The same after a click on one keypoint."""
        at = EVERY * (number % 4) + 11
        marks = np.zeros((1, KEYPOINTS, 3))
        marks[0, number] = (*self.labels.xy[at // EVERY, number], 2)
        return Clip(self.path, self.table, self.labels.over(Track.labelled([at], marks)))


def main() -> None:
    """Measure and print a Markdown page."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "walk.mp4"
        truth = render(path).between(0, FRAMES)
        kept = truth.select(truth.frames % EVERY == 0)
        points = np.concatenate([kept.xy[:, :KEYPOINTS], np.full((len(kept), KEYPOINTS, 1), 2)], axis=-1)
        clip, cuts = Clip(path, scan(path), Track.labelled(kept.frames, points)), Cuts()
        clip.seconds(None, cuts)
        rows: dict[str, list[tuple[float, float]]] = {}
        same = True

        def add(what: str, each: tuple[float, float, Track]) -> Track:
            rows.setdefault(what, []).append(each[:2])
            return each[2]

        for turn in range(ROUNDS):
            shelf = FileCache(Path(name) / f"features-{turn}", 2**32)
            clicked = clip.clicked(turn)
            one = add("propagating, nothing kept", clip.seconds(None, cuts))
            two = add("the first time, and keeping", clip.seconds(shelf, cuts))
            size = sum(file.stat().st_size for file in shelf.folder.rglob("*"))
            three = add("a second time", clip.seconds(shelf, cuts))
            four = add("after a click, nothing kept", clicked.seconds(None, cuts))
            five = add("after a click", clicked.seconds(shelf, cuts))
            six = add(f"fitting ({STEPS} steps) and propagating, nothing kept", clip.seconds(None, cuts, fitted=True))
            seven = add(f"fitting ({STEPS} steps) and propagating", clip.seconds(shelf, cuts, fitted=True))
            for first, second in ((one, two), (one, three), (four, five), (six, seven)):
                same &= np.array_equal(first.xy, second.xy) and np.array_equal(first.score, second.score)
        compute = StdPoseEngine.from_checkpoint(TINY).compute
    print("# Propagating a second time\n\nCommand: `python -m benchmarks.second_propagation`\n")
    print(
        f"{FRAMES} rendered frames of {SPEC.width} x {SPEC.height}, {KEYPOINTS} keypoints, a keyframe every {EVERY}; "
        f"`tiny` in {compute.precision}, by an engine that remembers nothing each time, in one process. "
        f"{Processor.here().name}, {os.cpu_count()} cores, PyTorch {torch.__version__} on {torch.get_num_threads()} "
        f"threads; load before: {load:.1f}. Medians of {ROUNDS} rounds taken by turns.\n"
    )
    print("| | seconds | of the processor |\n|---|---|---|")
    for what, found in rows.items():
        wall, processor = (median(values) for values in zip(*found, strict=True))
        print(f"| {what} | {wall:.2f} | {processor:.2f} |")
    told = "the same bit for bit" if same else "NOT THE SAME"
    print(f"\nKept: {size / FRAMES / 1e3:.0f} kB a frame. The results are {told}.")


if __name__ == "__main__":
    main()
