"""How well each engine propagates real labels, beside linear interpolation.

Run ``python -m benchmarks.propagation --data DIR --gaps 10,20 > benchmarks/results/propagation.md``. Below ``DIR``,
every folder with ``truth.json`` (COCO, every frame labelled) and ``video.*`` is a clip; clips below the same first
folder are a group. All labels but those every ``gap`` frames, and on the last frame, are hidden from the engine, then
compared with what it made, by the convention of ``pose.metrics``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.labelled_videos import LabelledVideo, find, keyframes
from benchmarks.peak_memory import peak_mb
from benchmarks.variants import ABLATIONS, NAMES, build
from models.propagate import propagate
from models.stdpose.engine import StdPoseEngine
from models.weights import TINY
from pose.calibration.judging import auroc
from pose.frame_table import scan
from pose.frames import RecentFrames
from pose.metrics import Summary, normalised_errors, summarise
from pose.track import Track, blank, join
from pose.video import VideoReader

BASELINE = "linear"

#: Errors above this share of the subject's size are the ones that a score should warn of.
WRONG = 0.05

#: A clip counts as worse than linear interpolation when its mean error is larger by more than this factor.
WORSE = 1.02

RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Measured:
    """One engine on one clip.

    Attributes:
        name: The clip.
        errors: ``(P,)`` relative distances.
        present: ``(P,)`` whether the engine gave the point.
        scores: ``(P,)``.
        held: ``(P,)`` whether the truth lies within ``radius90``.
        frames_per_second: Frames of the video over the seconds that propagating all tracks took, decoding included.
        fitting: Seconds that it took to fit the engine to the video.
    """

    name: str
    errors: np.ndarray
    present: np.ndarray
    scores: np.ndarray
    held: np.ndarray
    frames_per_second: float
    fitting: float

    @property
    def summary(self) -> Summary:
        """The errors in a few figures."""
        return summarise(self.errors, self.present)


def measure(clip: LabelledVideo, engine: str, every: int, checkpoint: Path | None = None) -> Measured:
    """Hide labels, propagate, compare."""
    truth = clip.tracks()
    given = keyframes(truth, every)
    table = scan(clip.video)
    with VideoReader(clip.video, table) as video:
        began = time.perf_counter()
        fitted = build(engine, RecentFrames(video), given, checkpoint, clip.keypoints())
        fitting = time.perf_counter() - began
        began = time.perf_counter()
        parts: dict[int, list[Track]] = {number: [] for number in given}
        for number, _, poses in propagate(video, given, engine=fitted):
            parts[number].append(poses)
        seconds = time.perf_counter() - began
    none = Track.empty(next(iter(truth.values())).num_keypoints)
    guess = {
        number: join(parts[number]) if number in parts else blank(track.frames, track.num_keypoints)
        for number, track in truth.items()
    }
    columns = [compare(track, guess[number], given.get(number, none)) for number, track in truth.items()]
    errors, present, scores, held = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Measured(clip.name, errors, present, scores, held, table.num_frames / seconds, fitting)


def compare(truth: Track, guess: Track, given: Track) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Error, presence, score and whether the radius holds, of each measured point of a track."""
    found = normalised_errors(truth, guess, given.frames)
    there, made = np.searchsorted(truth.frames, found.frames), np.searchsorted(guess.frames, found.frames)
    distance = np.linalg.norm(truth.xy[there].astype(float) - guess.xy[made], axis=-1)
    held = distance <= guess.radius90[made]
    known = found.known
    return found.errors[known], found.present[known], guess.score[made][known], held[known]


def measure_alone(
    clip: LabelledVideo, engine: str, every: int, checkpoint: Path | None, threads: int
) -> tuple[Measured, float]:
    """``measure``, and the peak memory of this process in MB."""
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    measured = measure(clip, engine, every, checkpoint)
    return measured, peak_mb()


def apart(
    clips: Sequence[LabelledVideo], engine: str, every: int, checkpoint: Path | None, at_once: int
) -> tuple[list[Measured], float]:
    """Measure clips in processes of their own, so that the largest peak memory is that of one engine on one clip."""
    work = partial(
        measure_alone,
        engine=engine,
        every=every,
        checkpoint=checkpoint,
        threads=max(1, torch.get_num_threads() // at_once),
    )
    alone = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, mp_context=alone, max_tasks_per_child=1) as pool:
        results, memory = zip(*pool.map(work, clips), strict=True)
    return list(results), max(memory)


def interval(values: np.ndarray, style: str) -> str:
    """The bootstrap 95 % interval of a mean over clips, ``(C,)``, in a format; empty for a single clip."""
    if len(values) < 2:
        return ""
    picks = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.quantile(values[picks].mean(axis=1), (0.025, 0.975))
    return f" [{low:{style}}, {high:{style}}]"


def row(engine: str, results: Sequence[Measured], baseline: Sequence[Measured], memory: float) -> str:
    """A line of the table; figures are means over clips, scores and radii are judged on all points together."""
    means = np.array([[ours.summary.mean, base.summary.mean] for ours, base in zip(results, baseline, strict=True)])
    ratios = means[:, 0] / means[:, 1]
    errors, scores, held = (np.concatenate([getattr(r, n) for r in results]) for n in ("errors", "scores", "held"))
    cells = (
        engine,
        f"{means[:, 0].mean():.2%}{interval(means[:, 0], '.2%')}",
        f"{np.mean([r.summary.median for r in results]):.2%}",
        *(f"{np.mean([r.summary.pck[a] for r in results]):.1%}" for a in (0.05, 0.1)),
        f"{ratios.mean():.3f}{interval(ratios, '.3f')}",
        f"{means[:, 0].sum() / means[:, 1].sum():.3f}",
        f"{(ratios > WORSE).sum()} of {len(ratios)}",
        f"{auroc(-scores, errors > WRONG):.3f}",
        f"{held.mean():.1%}",
        f"{min(r.summary.coverage for r in results):.0%}",
        f"{np.median([r.frames_per_second for r in results]):.0f}",
        f"{np.median([r.fitting for r in results]):.0f}",
        f"{memory:.0f}",
    )
    return "| " + " | ".join(cells) + " |"


HEADER = (
    "| engine | mean error | median | PCK@0.05 | PCK@0.1 | ratio to linear | ratio of means | clips worse | AUROC "
    "| radius90 holds | coverage | frames/s | fitting s | peak MB |\n|" + "---|" * 14
)

LEGEND = """Errors are distances over the truth's box diagonal. `ratio to linear` is the mean over clips of mean error
over that of linear interpolation, `ratio of means` the mean error of all clips over linear's; brackets are bootstrap
95 % intervals over clips. `clips worse` counts those whose mean error exceeds linear's by more than 2 %. `AUROC` is the
probability that a point off by more than 5 % has a lower score than one that is not. `frames/s` is the median over
clips, all tracks, decoding included, after `fitting s`, the median of the seconds that fitting the engine to the video
took (reading the weights, and stage B where there is one); `peak MB` is the largest peak memory of processes that do
one clip each.
"""


def report(
    clips: Sequence[LabelledVideo],
    gaps: Sequence[int],
    engines: Sequence[str],
    detail: bool,
    checkpoint: Path | None,
    at_once: int,
) -> None:
    """Measure and print a table for each group and gap."""
    for group, members in groupby(clips, key=lambda clip: clip.group):
        together = list(members)
        for every in gaps:
            measure_each = partial(apart, together, every=every, checkpoint=checkpoint, at_once=at_once)
            baseline, memory = measure_each(engine=BASELINE)
            print(f"\n## {group}, a keyframe every {every} frames\n\n{HEADER}", flush=True)
            for engine in engines:
                results, peak = (baseline, memory) if engine == BASELINE else measure_each(engine=engine)
                print(row(engine, results, baseline, peak), flush=True)
                if detail and engine != BASELINE and len(together) > 1:
                    pairs = zip(results, baseline, strict=True)
                    listed = ", ".join(f"{a.name} {a.summary.ratio_to(b.summary):.2f}" for a, b in pairs)
                    print(f"\n{engine}, ratio by clip: {listed}\n", file=sys.stderr)


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of clips with truth")
    parser.add_argument("--gaps", default="10,20", help="frames from one keyframe to the next")
    parser.add_argument("--engines", default="linear,flow,stdpose,stdpose adapted", help=f"of {', '.join(NAMES)}")
    parser.add_argument("--checkpoint", type=Path, help="weights of stdpose, where not those of the package")
    parser.add_argument("--at-once", type=int, default=1, help="clips at a time, which share the cores")
    parser.add_argument("--detail", action="store_true", help="also print each clip's ratio to standard error")
    wish = parser.parse_args()
    gaps, engines = [int(gap) for gap in wish.gaps.split(",")], wish.engines.split(",")
    version = StdPoseEngine.from_checkpoint(wish.checkpoint or TINY).version
    print(f"# Propagation: {', '.join(engines)} (stdpose {version})\n")
    print(f'Command: `python -m benchmarks.propagation --data DIR --gaps {wish.gaps} --engines "{wish.engines}"`\n')
    print("".join(f"* {name}: {ABLATIONS[name]}\n" for name in engines if name in ABLATIONS))
    print(
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, NumPy {np.__version__}, "
        f"OpenCV {cv2.__version__}, {sys.platform}; {wish.at_once} clips at a time share the cores, "
        f"and the machine was shared, so rates are lower bounds.\n\n{LEGEND}"
    )
    report(list(find(wish.data)), gaps, engines, wish.detail, wish.checkpoint, wish.at_once)


if __name__ == "__main__":
    main()
