"""Reading NWB with ndx-pose: no class of the file's own schema is made, and no link out of the file is followed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from formats.dataset import Dataset, RowError, Video
from formats.errors import refuse
from formats.files import files_of
from formats.hdf5 import Hdf5, decoded, read_hdf5
from formats.individuals import numbered
from formats.names import folder_names
from formats.nwb_times import frames_of
from formats.rows import MAX_POINTS
from pose.skeleton import Skeleton, SkeletonError

MODULE, VIDEO = "behavior", "source_video"

#: Series beside the poses, by column of the table: type, unit, and what it says.
BESIDE: dict[str, tuple[str, str, str]] = {
    "radius90": ("float32", "pixels", "radius that holds the true point 90 % of the time; 0 for a person's"),
    "visibility": ("uint8", "n.a.", "0 not known, 1 known but hidden, 2 visible"),
    "human": ("uint8", "n.a.", "1 where a person placed the point"),
}

_PIXELS = ("pixels", "pixel", "px")
_MODULES = 1000


@dataclass(frozen=True, eq=False)
class _Found:
    """The poses of one subject of a video."""

    path: Path
    skeleton: Skeleton
    video: str
    size: tuple[int, int] | None
    length: int
    subject: str
    named: list[str]
    columns: dict[str, np.ndarray]  # without video and track


def dataset_of(path: Path) -> Dataset:
    """Read a file, or those of a folder; videos are in the order of their names.

    Raises:
        FormatError: It cannot be read.
    """
    found = [one for file in files_of(path, ".nwb") for one in read_hdf5(file, _poses)]
    found.sort(key=lambda one: one.video)
    if len({one.skeleton for one in found}) > 1:
        raise refuse(path, "nodes", "there are different keypoints or edges")
    subjects = {one.subject: None for one in found}
    # Ours say all subjects of all videos, in the order of their numbers.
    names = list(dict.fromkeys([*(name for one in found for name in one.named if name in subjects), *subjects]))
    number_of = dict(zip(names, numbered(names), strict=True))
    places = {name: place for place, name in enumerate(dict.fromkeys(one.video for one in found))}
    videos: dict[str, Video] = {}
    there: set[tuple[str, str]] = set()
    for one in found:
        number, called = number_of[one.subject]
        before = videos.get(one.video, Video(name=one.video))
        if number in before.tracks or (one.video, one.subject) in there:
            raise refuse(one.path, "subject_id", f"subject {one.subject!r} of video {one.video!r} is there twice")
        there.add((one.video, one.subject))
        videos[one.video] = Video(
            name=one.video,
            width=one.size[0] if one.size else before.width,
            height=one.size[1] if one.size else before.height,
            num_frames=max(one.length, before.num_frames or 0),
            tracks={**before.tracks, **({number: called} if called else {})},
        )
        count = len(one.columns["frame"])
        one.columns["video"] = np.full(count, places[one.video])
        one.columns["track"] = np.full(count, number)
    columns = {name: np.concatenate([one.columns[name] for one in found]) for name in found[0].columns}
    try:
        return Dataset.of(found[0].skeleton, tuple(videos.values()), **columns)
    except RowError as error:
        raise refuse(path, "", error.sentence) from None


def _poses(file: Hdf5) -> list[_Found]:
    places = [
        f"processing/{module}/{name}"
        for module in file.names("processing")[:_MODULES]
        for name in file.names(f"processing/{module}")[:_MODULES]
    ]
    poses = [place for place in places if file.kind(place) == "PoseEstimation"]
    if not poses:
        raise refuse(file.path, "processing", "there is no PoseEstimation of ndx-pose")
    return [_pose(file, place, alone=len(poses) == 1) for place in poses]


def _pose(file: Hdf5, place: str, *, alone: bool) -> _Found:
    skeleton = _skeleton(file, place)
    series = [name for name in file.names(place) if file.kind(f"{place}/{name}") == "PoseEstimationSeries"]
    others = folder_names(skeleton.keypoints)
    called = [
        next((name for name in (node, other) if name in series), None)
        for node, other in zip(skeleton.keypoints, others, strict=True)
    ]
    if not any(called):
        raise refuse(file.path, place, "no PoseEstimationSeries is called as a node of the skeleton")
    source = file.target(f"{place}/source_video")
    frames = frames_of(file, next(f"{place}/{name}" for name in called if name), source)
    if len(frames) * skeleton.size > MAX_POINTS:
        raise refuse(file.path, place, f"{len(frames)} frames of {skeleton.size} keypoints are too many for one file")
    xy = np.full((len(frames), skeleton.size, 2), np.nan)
    score = np.zeros(xy.shape[:2])
    for k, name in enumerate(called):
        if name is not None:
            xy[:, k], score[:, k] = _series(file, f"{place}/{name}", frames)
    known = np.isfinite(xy).all(axis=-1)
    # Peaks of networks may pass 1 a little.
    score = np.nan_to_num(score, nan=0.0, posinf=2.0, neginf=-1.0)
    score = np.where((score > 1) & (score < 1.5), 1, score)
    table = {
        "frame": frames,
        "xy": np.clip(np.where(known[..., None], xy, 0), -1e30, 1e30),
        "visibility": 2 * known,
        "score": score,
        "radius90": np.zeros(known.shape),
        "human": np.zeros(known.shape, dtype=bool),
    }
    for name in BESIDE if alone else ():
        beside = str(PurePosixPath(place).parent / name)
        if file.kind(beside) == "TimeSeries":
            values = file.array(f"{beside}/data")
            if values.shape != known.shape or values.dtype.kind not in "fiu":
                raise refuse(file.path, beside, "the shape does not fit that of the poses")
            table[name] = np.where(known, values, 0)
    table["human"] = table["human"] > 0
    some = known.any(axis=1)
    video, size = _video(file, place)
    length = int(frames[-1]) + 1 if len(frames) else 0
    subject = _text(file, "general/subject/subject_id") if alone else ""
    subject = subject or PurePosixPath(place).name.removeprefix("track=")
    columns = {name: values[some] for name, values in table.items()}
    named = file.texts("general/keywords") if file.has("general/keywords") else []
    return _Found(file.path, skeleton, video, size, length, subject or "individual1", named, columns)


def _skeleton(file: Hdf5, place: str) -> Skeleton:
    """The skeleton that a pose links to; files of old versions have it among the series."""
    linked = [file.target(f"{place}/{name}") for name in file.names(place)]
    there = next((one for one in linked if file.kind(one) == "Skeleton"), place)
    nodes = file.texts(f"{there}/nodes")
    edges = file.array(f"{there}/edges").reshape(-1, 2).tolist() if file.has(f"{there}/edges") else []
    try:
        return Skeleton(name="", keypoints=tuple(nodes), edges=tuple((int(a), int(b)) for a, b in edges))
    except SkeletonError as error:
        raise refuse(file.path, there, str(error)) from None


def _series(file: Hdf5, series: str, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """``(F, 2)`` pixels and ``(F,)`` scores."""
    place = file.target(f"{series}/data")
    data = file.array(place)
    unit = decoded(file.attribute(place, "unit") or "pixels")
    if unit not in _PIXELS:
        raise refuse(file.path, f"{series}/data", f"places in {unit[:60]!r} are none in a picture")
    if data.shape != (len(frames), 2) or data.dtype.kind not in "fiu":
        raise refuse(file.path, f"{series}/data", f"expected x and y of {len(frames)} frames")
    score = np.ones(len(frames))
    confidence = file.target(f"{series}/confidence")
    if file.has(confidence):
        score = file.array(confidence)
        if score.shape != (len(frames),) or score.dtype.kind not in "fiu":
            raise refuse(file.path, f"{series}/confidence", f"expected the confidence of {len(frames)} frames")
    return data.astype(np.float64), score.astype(np.float64)


def _video(file: Hdf5, place: str) -> tuple[str, tuple[int, int] | None]:
    """Name and size of the video."""
    source = file.target(f"{place}/source_video")
    names = file.texts(f"{source}/external_file") if file.has(f"{source}/external_file") else []
    if not names and file.has(f"{place}/original_videos"):
        names = file.texts(f"{place}/original_videos")
    size = None
    if file.has(f"{source}/dimension"):
        sides = file.array(f"{source}/dimension").reshape(-1)
        if len(sides) == 2 and sides.dtype.kind in "iu" and (sides > 0).all() and (sides < 2**31).all():
            size = int(sides[0]), int(sides[1])
    stem = PurePosixPath(names[0].replace("\\", "/")).stem if names else ""
    return stem or _text(file, "session_id") or file.path.stem, size


def _text(file: Hdf5, name: str) -> str:
    place = f"general/{name}" if "/" not in name else name
    texts = file.texts(place) if file.has(place) else []
    return texts[0] if texts else ""
