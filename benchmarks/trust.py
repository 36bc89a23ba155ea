"""Whether ``radius90`` and ``score`` keep what they promise: as engines give them, and calibrated from labels.

Run ``python -m benchmarks.trust --data DIR --rows FOLDER > benchmarks/results/trust.md``. Below ``DIR`` are clips as
``benchmarks.propagation`` reads them; what engines make of them is kept in ``FOLDER``, so that the page can be made in
parts. Each group is a project: a clip is calibrated from its own hidden keyframes and from those of the other clips,
never from a frame that is tested. Shipped videos fill up small projects. With ``--measure ENGINES:GAPS:GROUPS``, more
than once if wished, something else is measured than ``linear`` and ``flow`` on everything.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.hidden_keyframes import BLOCK, MOST, Clip, Rows, Tested, collect, filmed
from models.engines.confidence import score_of
from pose.calibration.calibration import TOLERANCE, calibrate
from pose.calibration.judging import auroc, calibration_error
from pose.calibration.residuals import Residuals
from pose.calibration.shipped import SCALES, shipped
from pose.calibration.situation import Regime

#: How a clip's raw radii become what is judged: ``(N,)`` radii over the size, and scores.
Judge = Callable[[Rows, Sequence[Rows], Tested], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class Judged:
    """All tested points of a group; ``(N,)`` arrays, distances over the size that the labels tell."""

    clip: np.ndarray
    frame: np.ndarray  # counted over all clips and tracks
    keypoint: np.ndarray
    third: np.ndarray
    raw: np.ndarray
    error: np.ndarray
    within: np.ndarray  # whether the error is within tolerance of the truth's size
    radius: np.ndarray
    score: np.ndarray


def judged(clips: Sequence[Rows], which: str, judge: Judge) -> Judged:
    """Judge each clip beside the others."""
    parts = []
    for number, clip in enumerate(clips):
        tested: Tested = getattr(clip, which)
        points = tested.points
        if not len(points):
            continue
        radius, score = judge(clip, [other for other in clips if other is not clip], tested)
        frame = number * 10**9 + points.track * 10**6 + points.frame
        third = np.minimum((3 * tested.elapsed).astype(int), 2)
        within = points.error < TOLERANCE * tested.unit
        rows = (np.full(len(points), number), frame, points.keypoint, third, points.raw, points.error, within)
        parts.append((*rows, radius, score))
    return Judged(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def as_given(clip: Rows, others: Sequence[Rows], tested: Tested) -> tuple[np.ndarray, np.ndarray]:
    """The engine's own radii and scores."""
    return tested.points.raw, score_of(tested.points.raw, 1.0)


def calibrated(engine: str, own: int | None = None, alone: bool = False) -> Judge:
    """Calibrated ones.

    Args:
        engine: Whose scales and shipped videos.
        own: Hidden keyframes of the clip itself that are used at most, drawn at random; all where None.
        alone: Whether the clip is the only one of its project.
    """

    def judge(clip: Rows, others: Sequence[Rows], tested: Tested) -> tuple[np.ndarray, np.ndarray]:
        mine = clip.hidden if own is None else first(clip.hidden, own)
        rest = [] if alone else [other.hidden for other in others]
        found = calibrate(mine, rest, shipped(engine), SCALES)
        points = tested.points
        return found.relative(points.regime, points.gap, points.raw, points.keypoint)

    return judge


def first(hidden: Residuals, count: int) -> Residuals:
    """Of each regime so many keyframes, drawn at random."""
    keep = np.zeros(len(hidden), dtype=bool)
    for regime in np.unique(hidden.regime):
        rows = np.flatnonzero(hidden.regime == regime)
        number, total = hidden.select(rows).keyframes()
        keep[rows] = np.isin(number, np.random.default_rng(0).permutation(total)[:count])
    return hidden.select(keep)


def oracle(found: Judged, level: float) -> float:
    """The mean radius of who knows the errors of each clip and third of the gap, and holds so many of them."""
    radius = np.empty(len(found.error))
    for clip in np.unique(found.clip):
        for third in range(3):
            rows = (found.clip == clip) & (found.third == third)
            if rows.any():
                radius[rows] = np.quantile(found.error[rows], level, method="higher")
    return float(radius.mean())


def hardest(found: Judged, hardness: np.ndarray) -> np.ndarray:
    """``(N,)`` points on the quarter of frames whose mean hardness is the greatest."""
    _, frame = np.unique(found.frame, return_inverse=True)
    mean = np.bincount(frame, hardness) / np.bincount(frame)
    rows: np.ndarray = (mean >= np.quantile(mean, 0.75))[frame]
    return rows


HEADER = (
    "| engine, radius | holds | by third | hardest quarter: foreseen | by error | worst clip | keypoints "
    "| radius / oracle | mean radius | AUROC | ECE |\n|" + "---|" * 11
)


def row(name: str, found: Judged) -> str:
    """A line of the table."""
    held = found.error <= found.radius
    level = float(held.mean())
    clips = [held[found.clip == one].mean() for one in np.unique(found.clip)]
    keypoints = [held[found.keypoint == one].mean() for one in np.unique(found.keypoint)]
    thirds = [held[found.third == one].mean() for one in range(3) if (found.third == one).any()]
    best = oracle(found, level)
    cells = (
        name,
        f"{level:.1%}",
        " ".join(f"{third:.0%}" for third in thirds),
        f"{held[hardest(found, found.raw)].mean():.1%}",
        f"{held[hardest(found, found.error)].mean():.1%}",
        f"{min(clips):.1%}",
        f"{min(keypoints):.0%} to {max(keypoints):.0%}",
        f"{found.radius.mean() / best:.2f}" if best > 0 else "",
        f"{found.radius.mean():.2%}",
        f"{auroc(found.score, found.within):.3f}",
        f"{calibration_error(found.score, found.within):.3f}",
    )
    return "| " + " | ".join(cells) + " |"


def lines(engine: str, clips: Sequence[Rows], which: str) -> Iterator[str]:
    """The rows of an engine on a group."""
    yield row(f"{engine}, as given", judged(clips, which, as_given))
    yield row(f"{engine}, calibrated", judged(clips, which, calibrated(engine)))
    if which == "tested":
        for own in (0, 2, 4):
            yield row(f"{engine}, {own} hidden of the clip", judged(clips, which, calibrated(engine, own)))
        yield row(f"{engine}, the only clip", judged(clips, which, calibrated(engine, alone=True)))


def by_keypoint(clips: Sequence[Rows], engine: str) -> str:
    """How many points of each keypoint the calibrated radius holds, in the skeleton's order."""
    found = judged(clips, "tested", calibrated(engine))
    held = found.error <= found.radius
    return " ".join(f"{held[found.keypoint == one].mean():.0%}" for one in np.unique(found.keypoint))


def section(clips: Sequence[Clip], engines: Sequence[str], every: int, folder: Path, at_once: int) -> None:
    """Measure a group and print its tables."""
    measured = {engine: collect(clips, engine, every, folder, at_once) for engine in engines}
    some = next(iter(measured.values()))
    inner = [one.hidden.select(one.hidden.regime != Regime.OUTSIDE).keyframes()[1] for one in some]
    print(
        f"\n## {clips[0].group}, {len(clips)} clips, a keyframe every {every} frames\n\n{min(inner)} to {max(inner)} "
        f"keyframes of a clip were hidden with labels on both sides.\n\n{HEADER}",
        flush=True,
    )
    for engine, rows in measured.items():
        print("\n".join(lines(engine, rows, "tested")), flush=True)
    for engine, rows in measured.items():
        print(f"\n{engine}, calibrated, by keypoint: {by_keypoint(rows, engine)}")
    print(f"\nAfter the last keyframe, up to {every} frames or so:\n\n{HEADER}")
    for engine, rows in measured.items():
        print("\n".join(lines(engine, rows, "beyond")), flush=True)


LEGEND = f"""\
`holds`: share of points within `radius90`, on frames of which no label was used for anything. `by third`: of
the gap between keyframes. The hardest quarter of frames is taken `foreseen`, by the engine's own radii, and `by
error`, by the errors themselves, which nobody knows beforehand. `keypoints`: the worst and the best one.
`radius / oracle`: the mean radius over that of an oracle that gives each third of the gap of each clip one
radius, so that as many points are held. `mean radius`: a share of the subject's size. `AUROC`: probability that
a point off by more than 5 % of the truth's box diagonal has a lower score than one that is not. `ECE`: expected
calibration error of `score`, ten bins.

`as given`: what engines say. `calibrated`: from the clip's hidden keyframes and those of the other clips of its
group, the project. `n hidden of the clip`: with so many of its own only, drawn at random. `the only clip`: a
project of one video, filled up with shipped, rendered videos. At most {MOST} keyframes of a clip are hidden in
each way. `flies_long` is cut into blocks of {BLOCK} frames, each a clip: the same two flies, so they are more
alike than videos of a project may be. The two exponents of the scale were chosen on a coarse grid with these
same clips, and rendered ones, in view.
"""


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of clips with truth")
    parser.add_argument("--rows", type=Path, required=True, help="folder where what engines made is kept")
    parser.add_argument("--measure", action="append", help="ENGINES:GAPS:GROUPS, each with commas; no groups for all")
    parser.add_argument("--at-once", type=int, default=1, help="clips at a time, which share the cores")
    wish = parser.parse_args()
    measures = wish.measure or ["linear,flow:10,20:"]
    clips = filmed(wish.data)
    print("# Trust: what radii hold and scores mean\n")
    told = " ".join(f"--measure {one}" for one in measures)
    print(f"Command: `python -m benchmarks.trust --data DIR --rows FOLDER {told}`\n")
    print(
        f"{os.cpu_count()} cores ({processor()}), Python {platform.python_version()}, NumPy {np.__version__}, ", end=""
    )
    print(f"{sys.platform}; load {os.getloadavg()[1]:.0f}: the machine was shared. No figure depends on time.\n")
    print(LEGEND)
    for one in measures:
        engines, gaps, groups = (part.split(",") if part else [] for part in one.split(":"))
        for group in groups or dict.fromkeys(clip.group for clip in clips):
            for every in gaps:
                some = [clip for clip in clips if clip.group == group]
                section(some, engines, int(every), wish.rows, wish.at_once)


def processor() -> str:
    """The processor's name, or its architecture where the machine does not tell."""
    told = Path("/proc/cpuinfo")
    named = [line for line in told.read_text().splitlines() if line.startswith("model name")] if told.exists() else []
    return named[0].partition(":")[2].strip() if named else platform.machine()


if __name__ == "__main__":
    main()
