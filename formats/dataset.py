"""The table that every format is read into and written from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from pose.skeleton import Skeleton

#: A later frame is refused: this is four days at 25 frames a second.
MAX_FRAMES = 10_000_000

#: A coordinate or radius beyond this is refused, as in ``pose.formats.coco``.
MAX_COORDINATE = 100_000.0

MAX_NUMBER = 2**53

#: A machine's score is below 1, however sure it is; a person's is 1 (``pose.track``).
BELOW_ONE = float(np.nextafter(np.float32(1), np.float32(0)))

#: Type and trailing axes of each column; ``K`` keypoints, 2 axes.
COLUMNS: dict[str, tuple[type[Any], str]] = {
    "video": (np.int64, ""),
    "frame": (np.int64, ""),
    "track": (np.int64, ""),
    "xy": (np.float32, "K2"),
    "visibility": (np.uint8, "K"),
    "absent": (np.bool_, "K"),
    "score": (np.float32, "K"),
    "radius90": (np.float32, "K"),
    "human": (np.bool_, "K"),
    "run": (np.int64, ""),
}


@dataclass(frozen=True, kw_only=True)
class Video:
    """A video that rows of a ``Dataset`` are of; a still picture is a video of one frame.

    Attributes:
        name: What it is called; several may be called alike.
        width: Pixels; None where the file does not say.
        height: Pixels; None where the file does not say.
        num_frames: Frames it has; None where the file does not say.
        tracks: Names of those tracks that have one, by track number.
        empty: Frames, ascending, that the file lists without anybody on them: they were looked at.
    """

    name: str
    width: int | None = None
    height: int | None = None
    num_frames: int | None = None
    tracks: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    empty: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False, kw_only=True)
class Dataset:
    """Poses of any number of videos: ``N`` rows, each one subject on one frame, of ``K`` keypoints.

    Rows ascend by video, frame and track, and none of these is there twice. Each says something: that a point is known
    or that one is absent. Where ``visibility`` is 0 the point is not known, and ``xy``, ``score``, ``radius90`` and
    ``human`` are 0. ``of`` makes a table that keeps to that.

    Attributes:
        skeleton: The keypoints, in the order of every array.
        videos: What ``video`` counts.
        video: ``(N,)`` int64 index into ``videos``.
        frame: ``(N,)`` int64 frame of the video, from 0 in order of display.
        track: ``(N,)`` int64 which subject of the video, from 1.
        xy: ``(N, K, 2)`` float32 pixels of the displayed frame, pixel centres at integers.
        visibility: ``(N, K)`` uint8: 0 not known, 1 known but hidden, 2 visible.
        absent: ``(N, K)`` bool: a person said that the point is not on the frame.
        score: ``(N, K)`` float32 probability that the point is within tolerance; 1 for a person's, below 1 for a
            machine's.
        radius90: ``(N, K)`` float32 pixels that hold the true point 90 % of the time; 0 for a person's.
        human: ``(N, K)`` bool: a person made the point.
        run: ``(N,)`` int64 number of the run that the machine's points are of; 0 for none.
    """

    skeleton: Skeleton
    videos: tuple[Video, ...]
    video: np.ndarray
    frame: np.ndarray
    track: np.ndarray
    xy: np.ndarray
    visibility: np.ndarray
    absent: np.ndarray
    score: np.ndarray
    radius90: np.ndarray
    human: np.ndarray
    run: np.ndarray

    @classmethod
    def of(cls, skeleton: Skeleton, videos: tuple[Video, ...], **columns: Any) -> Dataset:
        """Make a table of columns in any order of rows.

        Rows that say nothing are dropped, and so are what stands at points that are not known, and names of tracks
        without a row. Columns after ``visibility`` may be left out: nothing is absent, and people made the points.

        Args:
            skeleton: See above.
            videos: See above.
            columns: By name, see above; anything that NumPy takes for an array of their shape.

        Raises:
            RowError: A row is out of its range, or there twice, or an empty frame is out of its range.
        """
        table = _shaped(skeleton.size, columns)
        _check(table, videos)
        known = table["visibility"] > 0
        table["human"] &= known
        machine = known & ~table["human"]
        table["xy"] = np.where(known[..., None], table["xy"] + np.float32(0), np.float32(0))  # -0.0 becomes 0.0
        sure = np.minimum(table["score"], np.float32(BELOW_ONE))
        table["score"] = np.where(machine, sure, table["human"]).astype(np.float32)
        table["radius90"] = np.where(machine, table["radius90"], 0).astype(np.float32)
        table["run"] = np.where(machine.any(axis=1), table["run"], 0)
        order = np.lexsort((table["track"], table["frame"], table["video"]))
        order = order[(known | table["absent"])[order].any(axis=1)]
        table = {name: values[order] for name, values in table.items()}
        keys = np.stack([table["video"], table["frame"], table["track"]])
        twice = np.flatnonzero((np.diff(keys, axis=1) == 0).all(axis=0))
        if len(twice):
            row = int(order[twice[0] + 1])
            video, frame, track = keys[:, twice[0]].tolist()
            name = videos[video].name
            raise RowError(row, f"track {track} is on frame {frame} of video {name!r} already")
        return cls(skeleton=skeleton, videos=_as_shown(videos, table), **table)

    def __len__(self) -> int:
        return len(self.video)

    @property
    def known(self) -> np.ndarray:
        """``(N, K)`` bool: points that are known."""
        known: np.ndarray = self.visibility > 0
        return known

    @property
    def machine(self) -> np.ndarray:
        """``(N, K)`` bool: known points that a machine made."""
        machine: np.ndarray = self.known & ~self.human
        return machine

    def with_columns(self, **columns: Any) -> Dataset:
        """The same with other columns, made as by ``of``."""
        present = {name: getattr(self, name) for name in COLUMNS}
        return Dataset.of(self.skeleton, self.videos, **{**present, **columns})

    def with_videos(self, videos: tuple[Video, ...]) -> Dataset:
        """The same with other things said of its videos."""
        return replace(self, videos=videos)

    def rows_of(self, video: int) -> slice:
        """The rows of a video."""
        low, high = np.searchsorted(self.video, (video, video + 1))
        return slice(int(low), int(high))

    def shape_of(self, video: int) -> tuple[int, int, int]:
        """Frames, height and width of a video; where it does not say, the least that hold what is said of it."""
        about, rows = self.videos[video], self.rows_of(video)
        least = np.ceil(self.xy[rows].reshape(-1, 2).max(axis=0, initial=0)).astype(int) + 1
        last = int(max(self.frame[rows].max(initial=-1), max(about.empty, default=-1)))
        return about.num_frames or last + 1, about.height or int(least[1]), about.width or int(least[0])


def stacked(parts: Sequence[Mapping[str, np.ndarray]], size: int) -> dict[str, np.ndarray]:
    """Columns of a table whose rows come in parts.

    Args:
        parts: All of ``COLUMNS`` by name.
        size: ``K`` keypoints.
    """
    return {
        name: np.concatenate([np.zeros((0, *_axes(trail, size)), dtype=kind), *(part[name] for part in parts)])
        for name, (kind, trail) in COLUMNS.items()
    }


class RowError(ValueError):
    """A row that no table can hold; ``row`` is its place among the rows given, None where it is none of them."""

    def __init__(self, row: int | None, sentence: str) -> None:
        super().__init__(sentence)
        self.row = row
        self.sentence = sentence


def _axes(trail: str, size: int) -> tuple[int, ...]:
    """The trailing axes of a column, see ``COLUMNS``."""
    return {"": (), "K": (size,), "K2": (size, 2)}[trail]


def _shaped(size: int, columns: Mapping[str, Any]) -> dict[str, np.ndarray]:
    count = len(columns["video"])
    table = {}
    for name, (kind, trail) in COLUMNS.items():
        shape = (count, *_axes(trail, size))
        values = np.asarray(columns[name]) if name in columns else np.full(shape, name == "human")
        if values.shape != shape:
            raise ValueError(f"{name} has shape {values.shape}, not {shape}")
        table[name] = values.astype(kind)
    return table


def _check(table: Mapping[str, np.ndarray], videos: tuple[Video, ...]) -> None:
    for one in videos:
        most = MAX_FRAMES if one.num_frames is None else min(one.num_frames, MAX_FRAMES)
        strange = next((frame for frame in one.empty if not 0 <= frame < most), None)
        if strange is not None:
            raise RowError(None, f"frame {strange} shows nobody and is not in the video {one.name!r}")
    known, frame = table["visibility"] > 0, table["frame"]
    machine = known & ~table["human"]
    lengths = np.array([MAX_FRAMES if video.num_frames is None else video.num_frames for video in videos] or [0])
    end = lengths[np.clip(table["video"], 0, len(lengths) - 1)]
    xy, score, radius90 = table["xy"], table["score"], table["radius90"]
    for bad, sentence in (
        ((table["video"] < 0) | (table["video"] >= len(videos)), "there is no such video"),
        ((frame < 0) | (frame >= np.minimum(end, MAX_FRAMES)), "the frame is not in the video"),
        ((table["track"] < 1) | (table["track"] > MAX_NUMBER), "tracks count from 1"),
        ((table["run"] < 0) | (table["run"] > MAX_NUMBER), "runs count from 1"),
        (table["visibility"] > 2, "visibility is 0, 1 or 2"),
        (known & table["absent"], "a point is absent and has a place"),
        (known & ~(np.abs(xy) <= MAX_COORDINATE).all(axis=-1), "a coordinate is no pixel of a video"),
        (machine & ~((score >= 0) & (score <= 1)), "a score is no probability from 0 to 1"),
        (machine & ~((radius90 >= 0) & (radius90 <= MAX_COORDINATE)), "a radius is no number of pixels"),
    ):
        rows = np.flatnonzero(bad if bad.ndim == 1 else bad.any(axis=1))
        if len(rows):
            raise RowError(int(rows[0]), sentence)


def _as_shown(videos: tuple[Video, ...], table: Mapping[str, np.ndarray]) -> tuple[Video, ...]:
    """The videos, a frame that has a row no longer among the empty ones, and names for tracks that have rows alone."""
    kept = []
    for number, video in enumerate(videos):
        if video.empty or video.tracks:
            low, high = np.searchsorted(table["video"], (number, number + 1))
            shown, used = {*table["frame"][low:high].tolist()}, {*table["track"][low:high].tolist()}
            tracks = {track: name for track, name in sorted(video.tracks.items()) if track in used}
            video = replace(video, empty=tuple(sorted({*video.empty} - shown)), tracks=tracks)
        kept.append(video)
    return tuple(kept)
