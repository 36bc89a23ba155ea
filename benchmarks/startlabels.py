"""PoseMark's task of start labels: the poses on the first frame are given, and the rest of a clip is tracked.

Run ``python -m benchmarks.startlabels --data DIR --out FILES``. Below ``DIR``, every folder with
``truth.json`` (COCO, every frame labelled) and ``video.*`` is a clip. Below ``FILES`` each subject of a clip gets what
was given and what was found as PoseMark has them (``…_startlabels.json``, ``…_cliplabels.json``). Nothing is fitted to
a clip, and the engines see no later label.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from benchmarks.labelled_videos import LabelledVideo, find
from benchmarks.variants import build
from formats.dataset import Dataset, Video
from formats.posemark import labels
from formats.sessions import session_names
from models.propagate import propagate
from pose.formats.coco import read_coco
from pose.frame_table import scan
from pose.frames import RecentFrames
from pose.metrics import normalised_errors, summarise
from pose.track import Track, join
from pose.video import VideoReader

ENGINES = "linear,flow,stdpose"

#: Distances of TAP-Vid, in pixels of a picture that is scaled to 256 by 256.
DISTANCES, SIDE = (1, 2, 4, 8, 16), 256


LEGEND = f"""The poses on the first labelled frame are given, the rest is tracked, each subject for itself; `linear`
holds the pose still. Errors are shares of the truth's box diagonal; δavg is the mean share of points within
{", ".join(map(str, DISTANCES))} pixels of a picture scaled to {SIDE} by {SIDE} (TAP-Vid). All labelled points count,
hidden ones too. A point that is not labelled on the first frame is given by no engine, and counts as missed: `coverage`
is the least share of points that an engine gave on a clip.
"""


@dataclass(frozen=True, eq=False)
class Tracked:
    """One subject of a clip by one engine.

    Attributes:
        name: Of the clip.
        errors: ``(P,)`` distances over the box diagonal.
        present: ``(P,)`` whether the engine gave the point.
        within: Share of the points that are within the distances of TAP-Vid, the mean over these.
        rate: Frames a second, decoding included.
    """

    name: str
    errors: np.ndarray
    present: np.ndarray
    within: float
    rate: float


def sessions(clips: Sequence[LabelledVideo]) -> dict[tuple[str, int], str]:
    """What PoseMark may call each subject of each clip, by the clip's name and the subject's number; no two alike."""
    subjects = [(clip.name, number) for clip in clips for number in clip.tracks()]
    return dict(zip(subjects, session_names(f"{clip}{number}" for clip, number in subjects), strict=True))


def track(
    clip: LabelledVideo, engine: str, out: Path | None, session_of: Mapping[tuple[str, int], str]
) -> list[Tracked]:
    """Track each subject of a clip from the first frame on which it is labelled.

    Args:
        clip: The clip.
        engine: Name in ``benchmarks.variants``.
        out: Folder for label files.
        session_of: See ``sessions``.
    """
    truth = clip.tracks()
    table, found = scan(clip.video), []
    for number, whole in truth.items():
        given = {number: whole.select(whole.frames == whole.frames[0])}
        with VideoReader(clip.video, table) as video:
            size = video.width, video.height
            made = build(engine, RecentFrames(video), given, None, clip.keypoints())
            began = time.perf_counter()
            guess = join([poses for _, _, poses in propagate(video, given, engine=made)])
            seconds = time.perf_counter() - began
        errors = normalised_errors(whole, guess, given[number].frames)
        known = errors.known
        within = _within(whole, guess, size)
        found.append(
            Tracked(clip.name, errors.errors[known], errors.present[known], within, table.num_frames / seconds)
        )
        if out is not None:
            _write(out / engine, clip, session_of[clip.name, number], whole, guess, size)
    return found


def _within(truth: Track, guess: Track, size: tuple[int, int]) -> float:
    """Mean share of the known points, past the first frame, that lie within each of ``DISTANCES``."""
    later = truth.select(truth.frames > truth.frames[0])
    rows = np.searchsorted(guess.frames, later.frames)
    there = (later.visibility > 0) & np.isin(later.frames, guess.frames)[:, None]
    rows = np.minimum(rows, len(guess.frames) - 1)
    apart = (guess.xy[rows] - later.xy) * (SIDE / np.array(size))
    distance = np.where(there & (guess.visibility[rows] > 0), np.linalg.norm(apart, axis=-1), np.inf)
    known = distance[later.visibility > 0]
    return float(np.mean([(known < one).mean() for one in DISTANCES]))


def _write(out: Path, clip: LabelledVideo, name: str, truth: Track, guess: Track, size: tuple[int, int]) -> None:
    """Write what was given and what was found as PoseMark has them."""
    skeleton = read_coco(clip.truth.read_bytes()).skeleton
    first, frames = int(truth.frames[0]), [int(frame) for frame in truth.frames]
    place = out / name.rpartition("_cam-")[0] / "Clips"
    place.mkdir(parents=True, exist_ok=True)
    about = Video(name=name, width=size[0], height=size[1])
    for poses, shown, ending in ((truth, [first], "startlabels"), (guess, frames, "cliplabels")):
        poses = poses.select(np.isin(poses.frames, shown))
        table = Dataset.of(
            skeleton,
            (about,),
            video=np.zeros(len(poses)),
            frame=poses.frames,
            track=np.ones(len(poses)),
            xy=poses.xy,
            visibility=poses.visibility,
        )
        called = f"{name}_start-{first:04d}_dur-{len(frames)}_{ending}.json"
        (place / called).write_text(json.dumps(labels(table, 0, name, shown)))


def row(engine: str, results: Sequence[Tracked]) -> str:
    """A line of the table: means over subjects."""
    figures = [summarise(one.errors, one.present) for one in results]
    cells = (
        engine,
        f"{np.mean([one.mean for one in figures]):.2%}",
        f"{np.mean([one.median for one in figures]):.2%}",
        *(f"{np.mean([one.pck[share] for one in figures]):.1%}" for share in (0.05, 0.1)),
        f"{np.mean([one.within for one in results]):.1%}",
        f"{min(one.coverage for one in figures):.0%}",
        f"{np.median([one.rate for one in results]):.0f}",
    )
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of clips with truth")
    parser.add_argument("--engines", default=ENGINES, help="names of benchmarks.variants, with commas")
    parser.add_argument("--out", type=Path, help="folder for label files")
    parser.add_argument("--group", help="only the clips of this group")
    wish = parser.parse_args()
    said = f" --group {wish.group}" * bool(wish.group) + " --out FILES" * bool(wish.out)
    print("# Start labels\n")
    print(f'Command: `python -m benchmarks.startlabels --data DIR --engines "{wish.engines}"{said}`\n')
    print(LEGEND)
    print(
        f"{os.cpu_count()} cores ({platform.machine()}), load average {os.getloadavg()[0]:.0f} before: where others"
        " used them too, rates are lower bounds."
    )
    clips = [clip for clip in find(wish.data) if wish.group in (None, clip.group)]
    session_of = sessions(clips)
    for group, members in groupby(clips, key=lambda clip: clip.group):
        together = [*members]
        header = "| engine | mean error | median | PCK@0.05 | PCK@0.1 | δavg | coverage | frames/s |"
        print(f"\n## {group}, {len(together)} clips\n\n{header}\n|{'---|' * 8}", flush=True)
        for engine in wish.engines.split(","):
            results = [one for clip in together for one in track(clip, engine, wish.out, session_of)]
            print(row(engine, results), flush=True)


if __name__ == "__main__":
    main()
