"""SLEAP's analysis HDF5, ``VIDEO.analysis.h5``: every frame of a video, with a score for each point.

What Posetween writes there as score of a point is the probability that it is within tolerance; what is not known is
NaN.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from formats.dataset import MAX_FRAMES, Dataset, RowError, Video
from formats.errors import refuse
from formats.files import files_of
from formats.hdf5 import Hdf5, decoded, module, read_hdf5
from formats.individuals import individuals, numbered
from formats.names import folder_names
from formats.rows import MAX_POINTS
from pose.skeleton import Skeleton, SkeletonError

LOSES = (
    "retired", "human", "radius90", "run", "hidden", "absent", "track_numbers", "empty_frames", "sizes", "video_names",
    "video_order", "skeleton_name", "swap", "sigmas",
)  # fmt: skip

_ENDINGS = (".analysis.h5", ".hdf5", ".h5")
_AXES = {"tracks": ["track", "xy", "node", "frame"], "point_scores": ["track", "node", "frame"]}


def read(path: Path) -> Dataset:
    """Read a file, or those of a folder; videos are in the order of their names.

    Args:
        path: Of the file or folder.

    Raises:
        FormatError: It cannot be read.
    """
    files = files_of(path, *_ENDINGS)
    found = sorted(((_name(file), file) for file in files), key=lambda pair: pair[0])
    parts = [(name, read_hdf5(file, _columns)) for name, file in found]
    skeletons = {skeleton for _, (skeleton, *_) in parts}
    if len(skeletons) > 1:
        raise refuse(path, "node_names", "the files have different keypoints or edges")
    names = list(dict.fromkeys(name for _, (_, names, *_) in parts for name in names))
    number_of = dict(zip(names, numbered(names), strict=True))
    skeleton, videos, tables = parts[0][1][0], [], []
    for number, (name, (_, tracks, length, table)) in enumerate(parts):
        numbers = np.array([number_of[track][0] for track in tracks] or [0], dtype=np.int64)
        table["track"] = numbers[table["track"]]
        table["video"] = np.full(len(table["frame"]), number)
        tables.append(table)
        named = {number_of[track][0]: number_of[track][1] for track in tracks}
        called = {track: text for track, text in named.items() if text is not None}
        videos.append(Video(name=name, num_frames=length, tracks=called))
    columns = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    human = np.zeros(columns["visibility"].shape, dtype=bool)
    try:
        return Dataset.of(skeleton, tuple(videos), **columns, human=human)
    except RowError as error:
        raise refuse(path, "tracks", error.sentence) from None


def _name(path: Path) -> str:
    return next((path.name.removesuffix(ending) for ending in _ENDINGS if path.name.endswith(ending)), path.stem)


def _columns(file: Hdf5) -> tuple[Skeleton, list[str], int, dict[str, np.ndarray]]:
    """Skeleton, names of the tracks, length, and columns in which tracks count from 0."""
    nodes = file.texts("node_names")
    edges = file.array("edge_inds").reshape(-1, 2).tolist() if file.has("edge_inds") else []
    try:
        skeleton = Skeleton(name="", keypoints=tuple(nodes), edges=tuple((int(a), int(b)) for a, b in edges))
    except SkeletonError as error:
        raise refuse(file.path, "node_names", str(error)) from None
    xy = np.moveaxis(_ordered(file, "tracks"), (0, 3), (1, 0))  # frame, xy -> frame, track
    frames, tracks = xy.shape[0], xy.shape[1]
    xy = np.swapaxes(xy, 2, 3)
    if xy.shape[2:] != (skeleton.size, 2) or frames > MAX_FRAMES:
        raise refuse(file.path, "tracks", f"the shape does not fit {skeleton.size} keypoints")
    names = file.texts("track_names") if file.has("track_names") else []
    if not names:
        names = ["individual1"] if tracks == 1 else [f"track_{number}" for number in range(tracks)]
    if len(names) != tracks or len({*names}) != tracks:
        raise refuse(file.path, "track_names", f"{len({*names})} different names for {tracks} tracks")
    known = np.isfinite(xy).all(axis=-1)
    score = np.ones(known.shape)
    if file.has("point_scores"):
        score = np.moveaxis(_ordered(file, "point_scores"), (0, 2), (1, 0))
        if score.shape != known.shape:
            raise refuse(file.path, "point_scores", "the shape does not fit that of tracks")
    frame, track = np.nonzero(known.any(axis=2))
    known, score = known[frame, track], np.nan_to_num(score[frame, track], nan=0.0, posinf=2.0, neginf=-1.0)
    # Peaks of networks may pass 1 a little.
    score = np.where((score > 1) & (score < 1.5), 1, score)
    places = np.clip(np.where(known[..., None], xy[frame, track], 0), -1e30, 1e30)
    table = {"frame": frame, "track": track, "xy": places, "visibility": 2 * known, "score": score}
    return skeleton, names, frames, table


def _ordered(file: Hdf5, name: str) -> np.ndarray:
    """A dataset in the order of axes that SLEAP writes; its attribute ``dims`` says where they are in another."""
    values, axes = file.array(name), _AXES[name]
    said = file.attribute(name, "dims")
    dims = json.loads(decoded(said)) if said is not None else axes
    if values.ndim != len(axes) or sorted(dims) != sorted(axes) or values.dtype.kind not in "fiu":
        raise refuse(file.path, name, f"expected numbers by {', '.join(axes)}")
    return np.transpose(values, [dims.index(axis) for axis in axes]).astype(np.float64)


def write(dataset: Dataset, target: Path) -> None:
    """Write a file for each video.

    Args:
        dataset: What.
        target: An empty folder.

    Raises:
        FormatError: There are too many frames for so many tracks, or h5py is not installed.
    """
    h5py = module(target)
    names, name_of = individuals(dataset)
    column = {name: place for place, name in enumerate(names)}
    skeleton = dataset.skeleton
    for number, folder in enumerate(folder_names(video.name for video in dataset.videos)):
        rows = np.arange(len(dataset))[dataset.rows_of(number)]
        frames = dataset.frame[rows]
        length = dataset.videos[number].num_frames or int(frames.max(initial=-1)) + 1
        if length * max(len(names), 1) * skeleton.size > MAX_POINTS:
            raise refuse(target, "", f"{length} frames of {len(names)} tracks are too many for one file")
        tracks = np.array([column[name_of[number, track]] for track in dataset.track[rows].tolist()], dtype=np.int64)
        known = dataset.known[rows]
        xy = np.full((len(names), 2, skeleton.size, length), np.nan)
        xy[tracks, :, :, frames] = np.swapaxes(np.where(known[..., None], dataset.xy[rows], np.nan), 1, 2)
        scores = np.full((len(names), skeleton.size, length), np.nan)
        scores[tracks, :, frames] = np.where(known, dataset.score[rows], np.nan)
        occupied = np.zeros((length, len(names)), dtype=np.uint8)
        occupied[frames, tracks] = 1
        total = np.full((len(names), length), np.nan)
        total[tracks, frames] = np.where(known, dataset.score[rows], 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        edges = [(skeleton.keypoints[a], skeleton.keypoints[b]) for a, b in skeleton.edges]
        values = {
            "track_names": _bytes(names),
            "node_names": _bytes(skeleton.keypoints),
            "edge_names": _bytes(edges),
            "edge_inds": np.array(skeleton.edges, dtype=np.int64).reshape(-1, 2),
            "tracks": xy,
            "track_occupancy": occupied,
            "point_scores": scores,
            "instance_scores": total,
            "tracking_scores": np.full_like(total, np.nan),
            "video_path": f"{folder}.mp4",
            "video_ind": 0,
            "labels_path": "",
            "provenance": "{}",
        }
        with h5py.File(target / f"{folder}.analysis.h5", "w") as file:
            for name, value in values.items():
                file.create_dataset(name, data=value)
            file.attrs["score"] = "probability that a point is within tolerance"


def _bytes(names: object) -> np.ndarray:
    texts = np.array(names, dtype=object)
    if not texts.size:
        return np.zeros(texts.shape, dtype="S1")
    encoded: np.ndarray = np.vectorize(str.encode, otypes=[object])(texts).astype("S")
    return encoded
