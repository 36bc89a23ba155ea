"""What formats cannot hold: counted before a data set is written, and what is left of it when it is read again.

A format names its losses by kind. ``report`` counts, ``forget`` gives the data set without them, so that reading what
was written in a format gives ``forget`` of it; tests hold each format to that.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from formats.dataset import BELOW_ONE, COLUMNS, Dataset
from formats.individuals import individuals, numbered
from formats.names import folder_names
from formats.sessions import session_names
from pose.formats.coco_layout import counted
from pose.skeleton import POSETRACK_15, Skeleton


@dataclass(frozen=True)
class Loss:
    """A kind of loss.

    Attributes:
        what: What is lost, for people.
        unit: What is counted.
        forget: Gives the number of these and the data set without them.
    """

    what: str
    unit: str
    forget: Callable[[Dataset], tuple[int, Dataset]]


def settle(dataset: Dataset, kinds: Collection[str]) -> tuple[dict[str, int], Dataset]:
    """Count what a format would lose of a data set, and take it away.

    Args:
        dataset: What is to be written.
        kinds: Keys of ``LOSSES``.

    Returns:
        The counts by kind, without those of which nothing is there, and what is left.
    """
    counts = {}
    for kind, loss in LOSSES.items():
        if kind in kinds:
            count, dataset = loss.forget(dataset)
            if count:
                counts[kind] = count
    return counts, dataset


def report(dataset: Dataset, kinds: Collection[str]) -> dict[str, int]:
    """What a format that loses ``kinds`` would lose of a data set, see ``settle``."""
    return settle(dataset, kinds)[0]


def forget(dataset: Dataset, kinds: Collection[str]) -> Dataset:
    """What is left of a data set in a format that loses ``kinds``."""
    return settle(dataset, kinds)[1]


def sentences(losses: dict[str, int]) -> list[str]:
    """A report for people, such as ``hidden: 3 points: that a known point is hidden``."""
    told = []
    for kind, count in losses.items():
        told.append(f"{kind}: {counted(count, LOSSES[kind].unit)}: {LOSSES[kind].what}")
    return told


def _retired(dataset: Dataset) -> tuple[int, Dataset]:
    count = len(dataset.skeleton.retired)
    if not count:
        return 0, dataset
    columns = {name: getattr(dataset, name) for name in ("video", "frame", "track", "run")}
    points = {
        name: getattr(dataset, name)[:, dataset.skeleton.points]
        for name in ("xy", "visibility", "absent", "score", "radius90", "human")
    }
    return count, Dataset.of(dataset.skeleton.active(), dataset.videos, **columns, **points)


def _own_skeleton(dataset: Dataset) -> tuple[int, Dataset]:
    """PoseTrack's joints as it has them; joints that are others stay, and are refused where they are written."""
    skeleton = dataset.skeleton
    if skeleton == POSETRACK_15 or {*skeleton.keypoints} != {*POSETRACK_15.keypoints}:
        return 0, dataset
    order = [skeleton.keypoints.index(name) for name in POSETRACK_15.keypoints]
    columns = {name: getattr(dataset, name) for name in COLUMNS}
    points = {name: values[:, order] for name, values in columns.items() if COLUMNS[name][1]}
    return 1, Dataset.of(POSETRACK_15, dataset.videos, **{**columns, **points})


def _machine(dataset: Dataset) -> tuple[int, Dataset]:
    count = int(dataset.machine.sum())
    return count, dataset.with_columns(human=dataset.known) if count else dataset


def _human(dataset: Dataset) -> tuple[int, Dataset]:
    count = int(dataset.human.sum())
    if not count:
        return 0, dataset
    score = np.where(dataset.human, BELOW_ONE, dataset.score)
    return count, dataset.with_columns(human=np.zeros_like(dataset.human), score=score)


def _radius90(dataset: Dataset) -> tuple[int, Dataset]:
    count = int((dataset.radius90 > 0).sum())
    return count, dataset.with_columns(radius90=np.zeros_like(dataset.radius90)) if count else dataset


def _run(dataset: Dataset) -> tuple[int, Dataset]:
    count = int((dataset.run > 0).sum())
    return count, dataset.with_columns(run=np.zeros_like(dataset.run)) if count else dataset


def _hidden(dataset: Dataset) -> tuple[int, Dataset]:
    hidden = dataset.visibility == 1
    count = int(hidden.sum())
    return count, dataset.with_columns(visibility=np.where(hidden, 2, dataset.visibility)) if count else dataset


def _hidden_in_corner(dataset: Dataset) -> tuple[int, Dataset]:
    corner = (dataset.visibility == 1) & (dataset.xy == 0).all(axis=-1)
    count = int(corner.sum())
    return count, dataset.with_columns(visibility=np.where(corner, 0, dataset.visibility)) if count else dataset


def _absent(dataset: Dataset) -> tuple[int, Dataset]:
    count = int(dataset.absent.sum())
    return count, dataset.with_columns(absent=np.zeros_like(dataset.absent)) if count else dataset


def _outside(dataset: Dataset) -> tuple[int, Dataset]:
    sizes = [(video.width or np.inf, video.height or np.inf) for video in dataset.videos]
    size = np.array(sizes or [(0, 0)], dtype=np.float64)[dataset.video][:, None]
    outside = dataset.known & ~((dataset.xy >= 0) & (dataset.xy <= size)).all(axis=-1)
    count = int(outside.sum())
    return count, dataset.with_columns(visibility=np.where(outside, 0, dataset.visibility)) if count else dataset


def _decimals(dataset: Dataset) -> tuple[int, Dataset]:
    rounded = {
        name: np.round(getattr(dataset, name).astype(np.float64), decimals).astype(np.float32)
        for name, decimals in (("xy", 2), ("radius90", 2), ("score", 4))
    }
    after = dataset.with_columns(**rounded)
    changed = (after.xy != dataset.xy).any(axis=-1)
    changed |= (after.radius90 != dataset.radius90) | (after.score != dataset.score)
    return int(changed.sum()), after


def _ranks(dataset: Dataset) -> np.ndarray:
    """``(N,)`` the place of each row among those of its frame, from 1."""
    places = np.arange(len(dataset))
    fresh = np.ones(len(dataset), dtype=bool)
    fresh[1:] = (np.diff(dataset.video) != 0) | (np.diff(dataset.frame) != 0)
    ranks: np.ndarray = places - np.maximum.accumulate(np.where(fresh, places, 0)) + 1
    return ranks


def _other_subjects(dataset: Dataset) -> tuple[int, Dataset]:
    others = _ranks(dataset) > 1
    nothing = others[:, None] & np.ones((1, dataset.skeleton.size), dtype=bool)
    alone = dataset.with_columns(
        visibility=np.where(nothing, 0, dataset.visibility),
        absent=dataset.absent & ~nothing,
    )
    return int(others.sum()), alone


def _track_numbers(dataset: Dataset) -> tuple[int, Dataset]:
    names, name_of = individuals(dataset)
    number_of = dict(zip(names, numbered(names), strict=True))
    tracks: list[dict[int, str]] = [{} for _ in dataset.videos]
    changed = sum(len(video.tracks) for video in dataset.videos)
    renumbered = dataset.track.copy()
    for (video, track), name in name_of.items():
        number, called = number_of[name]
        rows = dataset.rows_of(video)
        renumbered[rows][dataset.track[rows] == track] = number
        if called is not None:
            tracks[video][number] = called
        before = dataset.videos[video].tracks.get(track)
        changed += (number != track or before != called) - (before is not None)
    named = (replace(one, tracks=dict(sorted(each.items()))) for one, each in zip(dataset.videos, tracks, strict=True))
    return changed, dataset.with_columns(track=renumbered).with_videos(tuple(named))


def _tracks(dataset: Dataset) -> tuple[int, Dataset]:
    rank = _ranks(dataset)
    count = int((rank != dataset.track).sum())
    return count, _track_names(dataset.with_columns(track=rank))[1] if count else dataset


def _track_names(dataset: Dataset) -> tuple[int, Dataset]:
    count = sum(len(video.tracks) for video in dataset.videos)
    nameless = tuple(replace(video, tracks=MappingProxyType({})) for video in dataset.videos)
    return count, dataset.with_videos(nameless)


def _empty_frames(dataset: Dataset) -> tuple[int, Dataset]:
    count = sum(len(video.empty) for video in dataset.videos)
    return count, dataset.with_videos(tuple(replace(video, empty=()) for video in dataset.videos))


def _sizes(dataset: Dataset) -> tuple[int, Dataset]:
    count = sum(video.width is not None or video.height is not None for video in dataset.videos)
    return count, dataset.with_videos(tuple(replace(video, width=None, height=None) for video in dataset.videos))


def _lengths(dataset: Dataset) -> tuple[int, Dataset]:
    count = sum(video.num_frames is not None for video in dataset.videos)
    return count, dataset.with_videos(tuple(replace(video, num_frames=None) for video in dataset.videos))


def _video_names(dataset: Dataset) -> tuple[int, Dataset]:
    return _renamed(dataset, folder_names(video.name for video in dataset.videos))


def _sessions(dataset: Dataset) -> tuple[int, Dataset]:
    """Names of PoseMark, whose order is that of the videos when they are read."""
    count, renamed = _renamed(dataset, session_names(video.name for video in dataset.videos))
    moved, ordered = _video_order(renamed)
    return max(count, moved), ordered


def _renamed(dataset: Dataset, names: list[str]) -> tuple[int, Dataset]:
    count = sum(video.name != name for video, name in zip(dataset.videos, names, strict=True))
    renamed = tuple(replace(video, name=name) for video, name in zip(dataset.videos, names, strict=True))
    return count, dataset.with_videos(renamed)


def _video_order(dataset: Dataset) -> tuple[int, Dataset]:
    names = [video.name for video in dataset.videos]
    order = sorted(range(len(names)), key=lambda number: names[number])
    count = sum(place != number for place, number in enumerate(order))
    if not count:
        return 0, dataset
    moved = replace(dataset, videos=tuple(dataset.videos[number] for number in order))
    return count, moved.with_columns(video=np.argsort(order)[dataset.video])


def _bare_videos(dataset: Dataset) -> tuple[int, Dataset]:
    """Without the videos of which nothing is said."""
    rows = [dataset.rows_of(number) for number in range(len(dataset.videos))]
    kept = [n for n, video in enumerate(dataset.videos) if video.empty or rows[n].stop > rows[n].start]
    count = len(dataset.videos) - len(kept)
    if not count:
        return 0, dataset
    number = np.searchsorted(kept, dataset.video)
    return count, replace(dataset, videos=tuple(dataset.videos[n] for n in kept), video=number.astype(np.int64))


def _skeleton_name(dataset: Dataset) -> tuple[int, Dataset]:
    return int(bool(dataset.skeleton.name)), _with_skeleton(dataset, replace(dataset.skeleton, name=""))


def _edges(dataset: Dataset) -> tuple[int, Dataset]:
    return len(dataset.skeleton.edges), _with_skeleton(dataset, replace(dataset.skeleton, edges=()))


def _swap(dataset: Dataset) -> tuple[int, Dataset]:
    return len(dataset.skeleton.swap), _with_skeleton(dataset, replace(dataset.skeleton, swap=()))


def _sigmas(dataset: Dataset) -> tuple[int, Dataset]:
    return len(dataset.skeleton.sigmas), _with_skeleton(dataset, replace(dataset.skeleton, sigmas=()))


def _with_skeleton(dataset: Dataset, skeleton: Skeleton) -> Dataset:
    return replace(dataset, skeleton=skeleton)


#: The kinds, in the order in which they are counted: what is lost with an earlier one is not counted once more.
LOSSES = {
    "retired": Loss("keypoints that are used no more", "keypoint", _retired),
    "own_skeleton": Loss("order, edges, mirrored pairs and name of PoseTrack's joints", "skeleton", _own_skeleton),
    "machine": Loss("that a machine made a point, and how sure it is", "point", _machine),
    "human": Loss("that a person made a point", "point", _human),
    "radius90": Loss("the radius that holds the true point 90 % of the time", "point", _radius90),
    "run": Loss("the run that a machine's points are of", "pose", _run),
    "hidden": Loss("that a known point is hidden", "point", _hidden),
    "hidden_in_corner": Loss("a hidden point at exactly (0, 0), which means not labelled", "point", _hidden_in_corner),
    "absent": Loss("that a subject or keypoint is not on the frame", "point", _absent),
    "outside": Loss("a point outside the picture", "point", _outside),
    "decimals": Loss("more than two decimals of a pixel, and four of a score", "point", _decimals),
    "other_subjects": Loss("all but the first subject of a frame", "pose", _other_subjects),
    "track_numbers": Loss("numbers of subjects of whom some have names", "track", _track_numbers),
    "tracks": Loss("which subject of a frame is which of another", "pose", _tracks),
    "track_names": Loss("what subjects are called", "track", _track_names),
    "empty_frames": Loss("that a frame was looked at and shows nobody", "frame", _empty_frames),
    "sizes": Loss("how large the pictures are", "video", _sizes),
    "lengths": Loss("how many frames there are", "video", _lengths),
    "bare_videos": Loss("a video of which no frame is labelled", "video", _bare_videos),
    "video_names": Loss(
        "letters that a folder's name cannot have, and videos that are named alike", "video", _video_names
    ),
    "video_order": Loss("the order of the videos", "video", _video_order),
    "sessions": Loss("names that are no subject, session and camera, and the order of the videos", "video", _sessions),
    "skeleton_name": Loss("what the skeleton is called", "skeleton", _skeleton_name),
    "edges": Loss("which keypoints are joined", "edge", _edges),
    "swap": Loss("which keypoints mirror each other", "pair", _swap),
    "sigmas": Loss("how exactly each keypoint can be labelled", "keypoint", _sigmas),
}
