"""Propagation by the protocol of the literature: a label every T frames, mean average precision as PoseTrack has it.

Run ``python -m benchmarks.keyframe_protocol --posetrack DIR --data DIR --intervals 4,7 > FILE``. ``--posetrack`` is a
copy of PoseTrack18 or 21 (see ``pose.formats.posetrack``), ``--data`` a folder of clips (see
``benchmarks.labelled_videos``).

The protocol is that of PoseWarper's published scripts (Bertasius et al., NeurIPS 2019), which STDPose (AAAI 2025)
most probably follows. Of each video, the longest run of consecutively labelled frames counts. Every T-th frame keeps
its labels, from the frame T // 2 of the run on, and so does the last one where the labels before do not reach it; with
T = 7 no frame is then more than 3 frames from a label. A person is looked for on the frames where the truth has them,
as with true boxes. T = 7 is theirs; T = 4 keeps 8 of 30 frames, the 26.7 % of labelled data that STDPose reports.

Where there are no head boxes, head sizes are those of ``pose.posetrack_ap.stand_in``: such figures compare engines with
each other, not with PoseTrack's.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import cv2
import numpy as np

from benchmarks.labelled_videos import LabelledVideo, find, frames
from benchmarks.posewarper.engine import PoseWarperEngine
from models.engines.engine import Engine
from models.propagate import propagate
from models.registry import NAMES, resolve
from pose.formats.coco import read_coco
from pose.formats.posetrack import PoseTrackVideo, find_posetrack
from pose.frames import FrameSource
from pose.posetrack_ap import Detections, MeanAp, head_sizes, join, judge, mean_ap, stand_in
from pose.skeleton import POSETRACK_15
from pose.track import Track
from pose.track import join as join_tracks
from pose.video import VideoReader


@dataclass(frozen=True, eq=False)
class Clip:
    """A video with truth on a run of consecutive frames.

    Attributes:
        group: What is reported together.
        keypoints: ``K`` names.
        source: Its frames: a file, or images.
        run: ``(F,)`` the frames that count.
        truth: Labels on them, by track id.
        head_size: ``(F,)`` pixels, by track id, on the frames of its track.
        ignored: Corners of regions that do not count, by frame.
    """

    group: str
    keypoints: tuple[str, ...]
    source: LabelledVideo | PoseTrackVideo
    run: np.ndarray
    truth: dict[int, Track]
    head_size: dict[int, np.ndarray]
    ignored: Mapping[int, Sequence[np.ndarray]]

    def open(self) -> AbstractContextManager[FrameSource]:
        """The frames."""
        if isinstance(self.source, LabelledVideo):
            return VideoReader(self.source.video)
        return self.source.open()


def labelled_clip(video: LabelledVideo) -> Clip:
    """A clip of ``benchmarks.labelled_videos``."""
    poses = read_coco(video.truth.read_bytes())
    run = longest_run(frames(poses.tracks))
    truth = _within(poses.tracks, run)
    size = {number: stand_in(track) for number, track in truth.items()}
    return Clip(video.group, poses.skeleton.keypoints, video, run, truth, size, {})


def posetrack_clip(video: PoseTrackVideo, group: str) -> Clip:
    """A clip of PoseTrack; a person without a head box gets the head size that ``stand_in`` gives."""
    run = longest_run(video.labelled)
    truth = _within(video.tracks, run)
    size = {}
    for number, track in truth.items():
        known = head_sizes(video.head_boxes[number][np.isin(video.tracks[number].frames, run)])
        size[number] = np.where(known > 0, known, stand_in(track))
    return Clip(group, POSETRACK_15.keypoints, video, run, truth, size, video.ignored)


def longest_run(labelled: np.ndarray) -> np.ndarray:
    """The longest run of consecutive frames, the first of equally long ones."""
    runs = np.split(labelled, np.flatnonzero(np.diff(labelled) != 1) + 1)
    return max(runs, key=len)


def chosen(run: np.ndarray, interval: int) -> np.ndarray:
    """The frames of a run that keep their labels; none where the run is too short."""
    reach = interval // 2
    kept = run[reach::interval]
    return np.append(kept, run[-1]) if len(kept) and run[-1] - kept[-1] > reach else kept


def _within(tracks: Mapping[int, Track], run: np.ndarray) -> dict[int, Track]:
    parts = {number: track.select(np.isin(track.frames, run)) for number, track in tracks.items()}
    return {number: track for number, track in parts.items() if track.visibility.any()}


def measure(clip: Clip, engine: Engine, interval: int) -> tuple[Detections, Detections] | None:
    """Detections on all frames of the run, and on those without labels; None where the run is too short."""
    kept = chosen(clip.run, interval)
    given = _within(clip.truth, kept)
    if not given:
        return None
    parts: dict[int, list[Track]] = {number: [] for number in given}
    with clip.open() as video:
        start, stop = int(clip.run[0]), int(clip.run[-1]) + 1
        for number, _, poses in propagate(video, given, engine=engine, start=start, stop=stop):
            parts[number].append(poses)
    guess = {number: join_tracks(pieces) for number, pieces in parts.items()}
    guess = {number: poses.select(np.isin(poses.frames, clip.truth[number].frames)) for number, poses in guess.items()}
    everything, between = (
        judge(clip.truth, guess, clip.head_size, frames=counted, ignored=clip.ignored)
        for counted in (clip.run, np.setdiff1d(clip.run, kept))
    )
    return everything, between


def row(engine: str, counted: str, result: MeanAp) -> str:
    """A line of the table."""
    cells = [f"{100 * share:.1f}" if share == share else "" for share in (*result.groups.values(), result.mean)]
    return "| " + " | ".join((engine, counted, *cells)) + " |"


def report(clips: Sequence[Clip], engines: Sequence[Engine], intervals: Sequence[int]) -> None:
    """Measure and print a table for each group, skeleton and interval."""
    for (group, keypoints), members in groupby(clips, key=lambda clip: (clip.group, clip.keypoints)):
        together = list(members)
        for interval in intervals:
            print(f"\n## {group}, {len(together)} videos, a label every {interval} frames\n", flush=True)
            for number, engine in enumerate(engines):
                measured = [measure(clip, engine, interval) for clip in together]
                pairs = [pair for pair in measured if pair is not None]
                if not pairs:
                    print("The runs of labelled frames are too short.")
                    break
                if number == 0:
                    columns = ["engine", "frames", *mean_ap(pairs[0][0], keypoints).groups, "Mean"]
                    print("| " + " | ".join(columns) + " |\n|" + "---|" * len(columns))
                    if len(pairs) < len(measured):
                        print(f"{group}: {len(measured) - len(pairs)} videos are too short", file=sys.stderr)
                for counted, parts in zip(("all", "unlabelled"), zip(*pairs, strict=True), strict=True):
                    print(row(engine.name, counted, mean_ap(join(parts), keypoints)), flush=True)


LEGEND = """Average precision in percent at PCKh 0.5. `all` counts the labelled frames too, as the literature does, and
they are right by themselves; `unlabelled` leaves them out. Columns are PoseTrack's groups of joints, then, where a
skeleton has them, keypoints that PoseTrack lacks; `Mean` is over joints. PoseWarper uses the nearest label only, the
other engines those before and after.

For comparison: with T = 7, all frames counted, on PoseTrack17's validation set, PoseWarper's authors report a mean of
88.7 for PoseWarper, 83.8 for FlowNet2 and 79.3 for pseudo-labels of HRNet. They propagate with networks trained on
PoseTrack and HRNet-W48 at 384 x 288 pixels. STDPose's figures are not known to us.
"""


def main() -> None:
    """Measure and print a Markdown page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of clips with truth.json and video.*")
    parser.add_argument("--posetrack", type=Path, help="folder of PoseTrack18 or PoseTrack21")
    parser.add_argument("--split", default="val", help="of PoseTrack")
    parser.add_argument("--intervals", default="4,7", help="frames from one label to the next")
    parser.add_argument("--engines", default=",".join(NAMES))
    parser.add_argument("--posewarper", type=Path, help="checkpoint of the baseline")
    wish = parser.parse_args()
    if wish.data is None and wish.posetrack is None:
        parser.error("nothing to measure: give --data, --posetrack or both")
    engines: list[Engine] = [resolve(name) for name in wish.engines.split(",")]
    if wish.posewarper is not None:
        engines.append(PoseWarperEngine.from_checkpoint(wish.posewarper))
    clips = [labelled_clip(video) for video in find(wish.data)] if wish.data else []
    if wish.posetrack:
        group = f"PoseTrack {wish.split}"
        videos = [video for video in find_posetrack(wish.posetrack, wish.split) if video.tracks]
        clips += [posetrack_clip(video, group) for video in videos]
    folders = "".join(f" --{name} DIR" for name in ("data", "posetrack") if getattr(wish, name))
    baseline = " --posewarper FILE" if wish.posewarper else ""
    print(f"# Keyframe protocol: {', '.join(f'{engine.name} {engine.version}' for engine in engines)}\n")
    print(
        f"Command: `python -m benchmarks.keyframe_protocol{folders} --intervals {wish.intervals} "
        f"--engines {wish.engines}{baseline}`\n"
    )
    print(
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, NumPy {np.__version__}, "
        f"OpenCV {cv2.__version__}, {sys.platform}.\n\n{LEGEND}"
    )
    report(clips, engines, [int(interval) for interval in wish.intervals.split(",")])


if __name__ == "__main__":
    main()
