"""Instances, one subject on one frame each, from which a COCO file is written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

import numpy as np

from pose.track import Track

Source = Literal["human", "accepted", "pseudo"]


@dataclass(frozen=True, eq=False)
class Instance:
    """One subject on one frame.

    Attributes:
        frame_index: From 0.
        track_id: From 1.
        xy: ``(K, 2)`` pixels, ignored where the point is not known.
        visibility: ``(K,)`` 0 not known, 1 hidden, 2 visible.
        source: Who made it; where points differ, the machine: ``pseudo``.
        scores: ``(K,)`` probability that the point is within tolerance; None for a person's label.
        radius90: ``(K,)`` pixels that hold the true point 90 % of the time.
        run_id: The propagation it comes from.
        point_sources: ``K`` sources, only where they differ.
        stale_points: The known points, from 0, that were computed from labels which do not stand any more, if any.
        absent: The points, from 0, of which a person said that they are absent; all of them where the subject is.
        radius90_states: ``K`` words for what radii and scores rest on, None for points of people; None where nothing is
            said of it.
    """

    frame_index: int
    track_id: int
    xy: np.ndarray
    visibility: np.ndarray
    source: Source
    scores: np.ndarray | None = None
    radius90: np.ndarray | None = None
    run_id: int | None = None
    point_sources: tuple[Source, ...] | None = None
    stale_points: tuple[int, ...] | None = None
    absent: tuple[int, ...] = ()
    radius90_states: tuple[str | None, ...] | None = None


@dataclass(frozen=True)
class VideoInfo:
    """The fields that images carry about the video whose frames they are.

    Attributes:
        id: From 1.
        slug: Folder of the images.
        width: Pixels.
        height: Pixels.
        num_frames: ``F``.
        times: ``(F,)`` seconds from the first frame, where images shall say when they are shown.
        damaged: Ranges of frames ``start <= i < stop`` that show another one's picture.
        empty: Frames, ascending, that are images though nobody is on them.
    """

    id: int
    slug: str
    width: int
    height: int
    num_frames: int
    times: np.ndarray | None = field(default=None, compare=False)
    damaged: Sequence[Sequence[int]] = ()
    empty: Sequence[int] = ()


def instances(
    labels: Mapping[int, Track],
    pseudo: Mapping[int, Track] = MappingProxyType({}),
    *,
    run_id: int | None = None,
) -> Iterator[Instance]:
    """Labels laid over pseudo-labels as instances, in the order ``write_coco`` wants.

    Args:
        labels: What people labelled, by track id; comes out unchanged.
        pseudo: What propagation made of it, by track id; fills in the points that have no label.
        run_id: The propagation, noted on every instance that holds a point of it.
    """
    merged: dict[int, Track] = {}
    for track_id in labels.keys() | pseudo.keys():
        layers = [layer[track_id] for layer in (labels, pseudo) if track_id in layer]
        merged[track_id] = layers[0].over(layers[-1])
    ids = np.repeat([*merged], [len(track) for track in merged.values()])
    rows = np.concatenate([np.arange(len(track)) for track in merged.values()] or [np.zeros(0, dtype=int)])
    frames = np.concatenate([track.frames for track in merged.values()] or [np.zeros(0, dtype=int)])
    for place in np.lexsort((ids, frames)):
        track_id, frame, row = int(ids[place]), int(frames[place]), rows[place]
        track = merged[track_id]
        yield _instance(track, row, track_id, _labelled(labels.get(track_id), frame, track.num_keypoints), run_id)


def _labelled(labels: Track | None, frame: int, count: int) -> np.ndarray:
    human = np.zeros(count, dtype=bool)
    if labels is not None:
        row = int(np.searchsorted(labels.frames, frame))
        if row < len(labels) and labels.frames[row] == frame:
            human[:] = labels.visibility[row] > 0
    return human


def _instance(track: Track, row: int, track_id: int, human: np.ndarray, run_id: int | None) -> Instance:
    known = track.visibility[row] > 0
    machine = known & ~human
    absent = tuple(np.flatnonzero(track.absent[row]).tolist())
    if not machine.any():
        return Instance(int(track.frames[row]), track_id, track.xy[row], track.visibility[row], "human", absent=absent)
    return Instance(
        frame_index=int(track.frames[row]),
        track_id=track_id,
        xy=track.xy[row],
        visibility=track.visibility[row],
        source="pseudo",
        scores=track.score[row],
        radius90=track.radius90[row],
        run_id=run_id,
        point_sources=tuple("human" if label else "pseudo" for label in human) if human.any() else None,
        absent=absent,
    )
