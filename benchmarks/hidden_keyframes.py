"""What calibration is measured on: errors on hidden keyframes and, apart from them, on all frames between keyframes.

For a clip, an engine and a distance between keyframes, the labels on those are given to the engine. It propagates, and
what it makes of the other frames is compared with the truth: the frames that are tested. Then each keyframe is hidden
in turn, as ``models.hiding`` has it: what a lab could know. Both are kept in a folder, since engines take long and
calibration takes a moment; a folder is for one version of the engines.
"""

from __future__ import annotations

import hashlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch

from benchmarks.labelled_videos import LabelledVideo, find, keyframes
from benchmarks.variants import build
from models.engines.cuts import Cuts
from models.engines.engine import Engine
from models.hiding import choose, folds, hide
from models.propagate import propagate_segment
from pose import boxes
from pose.calibration.residuals import Residuals, compare, concatenate
from pose.calibration.situation import sizes
from pose.frame_table import scan
from pose.frames import FrameSource, InMemoryFrames, RecentFrames, Shot
from pose.segments import Segment, anchors, plan
from pose.synthetic import Scene, SceneSpec
from pose.track import Track, join
from pose.video import VideoReader

#: Keyframes of a clip that are hidden at most in each way: as many as a worker would have time for.
MOST = 24

#: Fits of an engine that is fitted to the labels, each of which has not seen a share of them.
FOLDS = 3

#: Frames of the blocks that a long video is cut into, each a clip of its own.
BLOCK = 100


@dataclass(frozen=True)
class Clip:
    """Frames of a labelled video, or of a rendered one.

    Attributes:
        name: Of the clip.
        group: What is reported together, as videos of one project.
        video: Where the frames are; None where they are rendered.
        spec: What is rendered.
        start: First frame.
        stop: Frame after the last; None for the whole video.
    """

    name: str
    group: str
    video: LabelledVideo | None = None
    spec: SceneSpec | None = None
    start: int = 0
    stop: int | None = None

    def open(self) -> tuple[FrameSource, dict[int, Track]]:
        """The frames, and the truth by track id."""
        if self.spec is not None:
            scene = Scene(self.spec)
            return _Rendered(np.stack(list(scene.frames())), self.name), scene.tracks
        assert self.video is not None
        source = RecentFrames(VideoReader(self.video.video, scan(self.video.video)))
        if self.stop is None:
            return source, self.video.tracks()
        parts = {number: track.between(self.start, self.stop) for number, track in self.video.tracks().items()}
        moved = {number: replace(track, frames=track.frames - self.start) for number, track in parts.items()}
        return Shot(source, self.start, self.stop), moved


@dataclass(frozen=True, eq=False)
class _Rendered(InMemoryFrames):
    name: str

    @property
    def key(self) -> str:  # type: ignore[override]
        """By which an engine remembers what it saw."""
        return self.name


def filmed(root: Path) -> list[Clip]:
    """The clips below a folder; one of more than two blocks is cut into blocks. All flies are one group."""
    clips = []
    for video in find(root):
        group = "flies" if "flies" in video.group else video.group
        length = 1 + max(int(track.frames[-1]) for track in video.tracks().values())
        if length <= 2 * BLOCK:
            clips.append(Clip(video.name, group, video))
            continue
        edges = range(0, length - BLOCK + 1, BLOCK)
        clips += [Clip(f"{video.name}@{first}", group, video, None, first, first + BLOCK) for first in edges]
    return clips


def rendered(count: int, first_seed: int = 7_000_000) -> list[Clip]:
    """Rendered clips, of which no training saw any."""
    specs = [
        SceneSpec.random(first_seed + number, num_frames=61, width=320, height=240, subjects=1)
        for number in range(count)
    ]
    return [Clip(f"rendered/{spec.seed}", "rendered", None, spec) for spec in specs]


@dataclass(frozen=True, eq=False)
class Tested:
    """What an engine made of frames between keyframes, by the truth.

    Attributes:
        points: Errors of points as calibration sees them, relative to the size that the labels tell.
        unit: ``(N,)`` the truth's box diagonal over that size: what tolerances are shares of.
        elapsed: ``(N,)`` share of the way from the label before to the label after; 1 outside the labels.
    """

    points: Residuals
    unit: np.ndarray
    elapsed: np.ndarray


@dataclass(frozen=True, eq=False)
class Rows:
    """A clip with an engine.

    Attributes:
        name: Of the clip.
        group: Of the clip.
        keyframes: How many were given.
        hidden: Errors on hidden keyframes.
        tested: Errors on the frames between keyframes.
        beyond: Errors on the frames after the last keyframe, with the last one taken away.
    """

    name: str
    group: str
    keyframes: int
    hidden: Residuals
    tested: Tested
    beyond: Tested


def rows_of(clip: Clip, engine: str, every: int, folder: Path) -> Rows:
    """Read the rows of a clip, or propagate and write them."""
    told = repr((clip.name, clip.spec, engine, every, MOST, BLOCK))
    path = folder / f"{hashlib.sha256(told.encode()).hexdigest()[:24]}.npz"
    if path.exists():
        with np.load(path) as kept:
            arrays = dict(kept)
    else:
        arrays = _measure(clip, engine, every)
        path.with_suffix(".tmp.npz").unlink(missing_ok=True)
        np.savez_compressed(path.with_suffix(".tmp.npz"), **arrays)
        path.with_suffix(".tmp.npz").rename(path)
    return Rows(
        name=clip.name,
        group=clip.group,
        keyframes=int(arrays["keyframes"]),
        hidden=_residuals(arrays, "hidden"),
        tested=Tested(_residuals(arrays, "tested"), arrays["tested_unit"], arrays["tested_elapsed"]),
        beyond=Tested(_residuals(arrays, "beyond"), arrays["beyond_unit"], arrays["beyond_elapsed"]),
    )


def collect(clips: list[Clip], engine: str, every: int, folder: Path, at_once: int) -> list[Rows]:
    """The rows of some clips, those that are not kept yet in processes of their own."""
    folder.mkdir(parents=True, exist_ok=True)
    work = partial(
        _alone, engine=engine, every=every, folder=folder, threads=max(1, torch.get_num_threads() // at_once)
    )
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(at_once, mp_context=context) as pool:
        list(pool.map(work, clips))
    return [rows_of(clip, engine, every, folder) for clip in clips]


def _alone(clip: Clip, engine: str, every: int, folder: Path, threads: int) -> None:
    torch.set_num_threads(threads)
    cv2.setNumThreads(threads)
    rows_of(clip, engine, every, folder)


def _measure(clip: Clip, name: str, every: int) -> dict[str, np.ndarray]:
    video, truth = clip.open()
    truth = {number: track for number, track in truth.items() if len(track)}
    given = keyframes(truth, every)
    engine, cuts = build(name, video, given), Cuts()
    hidden = _hidden(name, engine, video, given, cuts)
    tested, beyond = [], []
    diagonal = float(np.hypot(video.width, video.height))
    for number, labels in given.items():
        shown = labels.select(labels.visibility.any(axis=1))
        if len(shown) < 3:
            continue
        first, last = int(shown.frames[0]), int(shown.frames[-1])
        segments = plan(labels, first, last + 1)
        poses = join([propagate_segment(engine, video, labels, segment, cuts) for segment in segments])
        tested.append(_judge(number, truth[number], poses, labels, diagonal))
        fewer = labels.select(labels.frames < last)
        open_end = Segment(int(shown.frames[-2]) + 1, last + 1)
        poses = propagate_segment(engine, video, fewer, open_end, cuts)
        beyond.append(_judge(number, truth[number], poses, fewer, diagonal))
    arrays = {"keyframes": np.array(len({int(f) for labels in given.values() for f in labels.frames}))}
    for kind, parts in (("tested", tested), ("beyond", beyond)):
        some = concatenate([part.points for part in parts])
        arrays |= _arrays(kind, some)
        arrays[f"{kind}_unit"] = np.concatenate([np.zeros(0), *(part.unit for part in parts)])
        arrays[f"{kind}_elapsed"] = np.concatenate([np.zeros(0), *(part.elapsed for part in parts)])
    return arrays | _arrays("hidden", hidden)


def _hidden(name: str, engine: Engine, video: FrameSource, given: dict[int, Track], cuts: Cuts) -> Residuals:
    chosen = choose(given, MOST)
    if name != "stdpose adapted":
        return concatenate(list(hide(video, given, engine, chosen, cuts)))
    # What is hidden must not have been fitted to; beyond the labels that would be a fit for each keyframe.
    parts = []
    for left in folds(given, FOLDS):
        away = [one for one in chosen if one.way == "between" and one.frame not in left[one.track].frames]
        parts += list(hide(video, given, build(name, video, left), away, cuts))
    return concatenate(parts)


def _judge(number: int, truth: Track, poses: Track, given: Track, diagonal: float) -> Tested:
    unlabelled = truth.select(~np.isin(truth.frames, given.frames) & ((truth.visibility > 0).sum(axis=1) >= 2))
    points = compare(number, unlabelled, poses, given, diagonal)
    rows = np.searchsorted(unlabelled.frames, points.frame)
    box = boxes.around(unlabelled.xy, unlabelled.visibility)
    unit = np.linalg.norm(box[rows, 2:], axis=-1)
    near = anchors(given, unlabelled.frames)
    before = given.frames[near.before[rows, points.keypoint]]
    after = given.frames[near.after[rows, points.keypoint]]
    closed = (near.before[rows, points.keypoint] >= 0) & (near.after[rows, points.keypoint] >= 0)
    length = np.where(closed, np.maximum(after - before, 1), 1)
    elapsed = np.where(closed, (points.frame - before) / length, 1.0)
    size = sizes(given, unlabelled.frames, diagonal)[rows]
    return Tested(points, unit / size, elapsed)


def _arrays(kind: str, residuals: Residuals) -> dict[str, np.ndarray]:
    return {f"{kind}_{name.name}": getattr(residuals, name.name) for name in fields(residuals)}


def _residuals(arrays: dict[str, np.ndarray], kind: str) -> Residuals:
    return Residuals(*(arrays[f"{kind}_{name.name}"] for name in fields(Residuals)))
