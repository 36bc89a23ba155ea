"""SLEAP's projects, ``.slp`` and ``.pkg.slp``: people's instances and predicted ones, tracks, frames without anybody.

Skeletons stand in the file as the text of a Python object; they are read as plain JSON. Packages keep the numbers that
frames have in their videos. Pictures in them are not read. Older files count from the corner of the first pixel, half a
pixel is taken off.
"""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from formats.dataset import COLUMNS, Dataset, RowError, Video
from formats.errors import refuse
from formats.hdf5 import Hdf5, decoded, module, read_hdf5
from formats.individuals import individuals, numbered
from formats.layers import merged
from formats.names import folder_names
from formats.slp_skeleton import read_skeleton, write_skeleton
from pose.skeleton import Skeleton

LOSES = ("retired", "radius90", "run", "absent", "track_numbers", "video_names", "sigmas")

_USER, _PREDICTED = 0, 1
_POINT = [("x", "f8"), ("y", "f8"), ("visible", "?"), ("complete", "?")]
_INSTANCE = [
    ("instance_id", "i8"), ("instance_type", "u1"), ("frame_id", "u8"), ("skeleton", "u4"), ("track", "i4"),
    ("from_predicted", "i8"), ("score", "f4"), ("point_id_start", "u8"), ("point_id_end", "u8"),
    ("tracking_score", "f4"),
]  # fmt: skip
_FRAME = [
    ("frame_id", "u8"), ("video", "u4"), ("frame_idx", "u8"), ("instance_id_start", "u8"), ("instance_id_end", "u8"),
]  # fmt: skip


def read(path: Path) -> Dataset:
    """Read a project.

    Args:
        path: The file.

    Raises:
        FormatError: It cannot be read.
    """
    return read_hdf5(path, _dataset)


def _dataset(file: Hdf5) -> Dataset:
    metadata = file.attribute("metadata", "json")
    if metadata is None:
        raise refuse(file.path, "metadata", "this is missing: it is no project of SLEAP")
    text = metadata.tobytes() if isinstance(metadata, np.ndarray) else metadata
    version = float(np.asarray(file.attribute("metadata", "format_id") or 1.0).reshape(-1)[0])
    skeleton = read_skeleton(file.path, json.loads(decoded(text)))
    said = [json.loads(one) for one in file.texts("videos_json")]
    place = {_sparse_id(one, number): number for number, one in enumerate(said)}
    frames, rows = file.array("frames"), file.array("instances")
    start, stop = (rows[name].astype(np.int64) for name in ("point_id_start", "point_id_end"))
    video, frame = _where(file, frames, rows, place)
    tracks = [str(json.loads(one)[1]) for one in file.texts("tracks_json")] if file.has("tracks_json") else []
    called: list[tuple[int, str | None]] = [*enumerate(tracks, start=1)]
    if len({*tracks}) == len(tracks):
        called = numbered(tracks)
    track = _tracks(rows, frame, video, called)
    parts = []
    for kind, name in ((_USER, "points"), (_PREDICTED, "pred_points")):
        chosen = np.flatnonzero(rows["instance_type"] == kind)
        points = file.array(name)
        if np.any(stop[chosen] - start[chosen] != skeleton.size):
            raise refuse(file.path, "instances", f"an instance has not {skeleton.size} points")
        index = start[chosen][:, None] + np.arange(skeleton.size)
        if index.size and (index.min() < 0 or index.max() >= len(points)):
            raise refuse(file.path, "instances", f"an instance has points that are not in {name}")
        parts.append(_part(points[index], kind, video[chosen], frame[chosen], track[chosen], version))
    negative = file.array("negative_frames") if file.has("negative_frames") else None
    names = {number: text for number, text in called if text}
    videos = tuple(
        _video(source_of(file, one), names, _empty(number, frames, place, negative)) for number, one in enumerate(said)
    )
    try:
        return Dataset.of(skeleton, videos, **merged(parts, skeleton.size))
    except RowError as error:
        raise refuse(file.path, "instances", error.sentence) from None


def _where(file: Hdf5, frames: np.ndarray, rows: np.ndarray, place: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The video and frame of each instance."""
    number = {int(one): row for row, one in enumerate(frames["frame_id"])}
    try:
        of = np.array([number[int(one)] for one in rows["frame_id"]], dtype=np.int64)
        video = np.array([place[int(one)] for one in frames["video"]], dtype=np.int64)
    except KeyError as error:
        raise refuse(file.path, "frames", f"there is no frame or video {error}") from None
    return video[of], frames["frame_idx"].astype(np.int64)[of]


def _tracks(rows: np.ndarray, frame: np.ndarray, video: np.ndarray, called: list[tuple[int, str | None]]) -> np.ndarray:
    """The track of each instance; those without one are numbered on their frame, people's and predicted ones apart."""
    numbers = np.array([number for number, _ in called] or [0], dtype=np.int64)
    said = rows["track"].astype(np.int64)
    if np.any(said >= len(called)):
        raise ValueError("an instance has a track that there is not")
    track = np.where(said >= 0, numbers[np.clip(said, 0, None)], 0)
    after = int(numbers.max())
    linked = {int(one) for one in rows["from_predicted"] if one >= 0}
    seen: dict[tuple[int, int, int], int] = {}
    loose = np.flatnonzero(said < 0).tolist()
    counts: dict[tuple[int, int, int], int] = {}
    for row in loose:
        key = int(video[row]), int(frame[row]), int(rows["instance_type"][row])
        counts[key] = counts.get(key, 0) + 1
    alone = max(counts.values(), default=0) < 2
    for row in sorted(loose, key=lambda row: int(rows["instance_type"][row])):
        key = int(video[row]), int(frame[row]), int(rows["instance_type"][row]) if alone else 0
        if not alone and int(rows["instance_id"][row]) in linked:
            continue  # a person's instance was made from it
        seen[key] = seen.get(key, 0) + 1
        track[row] = after + seen[key]
    return track


def _part(
    points: np.ndarray, kind: int, video: np.ndarray, frame: np.ndarray, track: np.ndarray, version: float
) -> dict[str, np.ndarray]:
    xy = np.stack([points["x"], points["y"]], axis=-1).astype(np.float64) - (0.5 if version < 1.1 else 0.0)
    known = np.isfinite(xy).all(axis=-1) & (track > 0)[:, None]
    score = points["score"].astype(np.float64) if kind == _PREDICTED else np.ones(known.shape)
    score = np.nan_to_num(score, nan=0.0)
    values: dict[str, Any] = {
        "video": video,
        "frame": frame,
        "track": np.maximum(track, 1),
        "xy": np.clip(np.where(known[..., None], xy, 0), -1e30, 1e30),
        "visibility": np.where(known, np.where(points["visible"], 2, 1), 0),
        "absent": np.zeros_like(known),
        "score": np.where((score > 1) & (score < 1.5), 1, score),  # peaks of networks may pass 1 a little
        "radius90": np.zeros(known.shape),
        "human": known & (kind == _USER),
        "run": np.zeros(len(video)),
    }
    some = known.any(axis=1)
    return {name: np.asarray(values[name])[some].astype(kind_) for name, (kind_, _) in COLUMNS.items()}


def _sparse_id(said: dict[str, Any], number: int) -> int:
    """What frames call a video: in packages the number in the name of its pictures, ``video15/video``."""
    group = str(said.get("backend", {}).get("dataset") or "").partition("/")[0]
    return int(group[5:]) if group.startswith("video") and group[5:].isdecimal() else number


def source_of(file: Hdf5, said: dict[str, Any]) -> dict[str, Any]:
    """What is said of a video; where it is a package's pictures, of the video that they were taken from.

    A package counts its pictures where a project counts the frames of its videos; the length of the source is told.
    """
    group = str(said.get("backend", {}).get("dataset") or "").partition("/")[0]
    if not group:
        return said
    text = file.attribute(f"{group}/source_video", "json") if file.has(f"{group}/source_video") else None
    source = said.get("source_video") if text is None else json.loads(decoded(text))
    if isinstance(source, dict) and source:
        return source
    shape = said["backend"].get("shape")
    return said | {"backend": said["backend"] | ({"shape": [None, *shape[1:]]} if shape else {})}


def _video(said: dict[str, Any], names: dict[int, str], empty: tuple[int, ...]) -> Video:
    backend = said.get("backend", {})
    file = said.get("filename") or backend.get("filename") or "video"
    first = file[0] if isinstance(file, list) and file else file
    path = PurePosixPath(str(first).replace("\\", "/"))
    shape = [int(side) if side and side > 0 else None for side in (backend.get("shape") or [None] * 4)]
    return Video(
        name=(path.parent.name if isinstance(file, list) else path.stem) or "video",
        width=shape[2],
        height=shape[1],
        num_frames=shape[0],
        tracks=names,
        empty=empty,
    )


def _empty(number: int, frames: np.ndarray, place: dict[int, int], negative: np.ndarray | None) -> tuple[int, ...]:
    """Frames that are listed or marked without anybody on them."""
    bare = frames["instance_id_start"] == frames["instance_id_end"]
    found = {
        int(f)
        for f, v in zip(frames["frame_idx"][bare], frames["video"][bare], strict=True)
        if place.get(int(v)) == number
    }
    if negative is not None:
        found |= {int(one["frame_idx"]) for one in negative if place.get(int(one["video_id"])) == number}
    return tuple(sorted(found))


def write(dataset: Dataset, target: Path) -> None:
    """Write a project; the videos are ``VIDEO.mp4``, which SLEAP asks for where they are not beside it.

    Args:
        dataset: What.
        target: The file.
    """
    h5py = module(target)
    names, name_of = individuals(dataset)
    column = {name: place for place, name in enumerate(names)}
    frames: list[tuple[Any, ...]] = []
    instances: list[tuple[Any, ...]] = []
    points: list[tuple[Any, ...]] = []
    predicted: list[tuple[Any, ...]] = []
    negative: list[tuple[Any, ...]] = []
    for number, video in enumerate(dataset.videos):
        rows = dataset.rows_of(number)
        by_frame: dict[int, list[int]] = {frame: [] for frame in video.empty}
        for row in range(rows.start, rows.stop):
            by_frame.setdefault(int(dataset.frame[row]), []).append(row)
        for frame, shown in sorted(by_frame.items()):
            first = len(instances)
            for kind, wanted, into in ((_USER, dataset.human, points), (_PREDICTED, dataset.machine, predicted)):
                for row in shown:
                    if not wanted[row].any():
                        continue
                    begin = len(into)
                    into += _points(dataset, row, wanted[row], kind)
                    score = float(dataset.score[row][wanted[row]].mean()) if kind == _PREDICTED else 0.0
                    track = column[name_of[number, int(dataset.track[row])]]
                    instances.append((len(instances), kind, len(frames), 0, track, -1, score, begin, len(into), 0.0))
            if not shown:
                negative.append((number, frame))
            frames.append((len(frames), number, frame, first, len(instances)))
    tables: dict[str, tuple[list[tuple[Any, ...]], list[tuple[str, str]]]] = {
        "points": (points, _POINT),
        "pred_points": (predicted, [*_POINT, ("score", "f8")]),
        "instances": (instances, _INSTANCE),
        "frames": (frames, _FRAME),
        "negative_frames": (negative, [("video_id", "u4"), ("frame_idx", "u8")]),
    }
    texts = {
        "videos_json": _videos(dataset),
        "tracks_json": [json.dumps([0, name]) for name in names],
        "suggestions_json": [],
    }
    with h5py.File(target, "w") as file:
        group = file.create_group("metadata")
        group.attrs["format_id"] = 1.2
        group.attrs["json"] = np.bytes_(json.dumps(_metadata(dataset.skeleton), separators=(",", ":")))
        for name, lines in texts.items():
            file.create_dataset(name, data=lines, dtype=h5py.string_dtype(), maxshape=(None,))
        for name, (values, columns) in tables.items():
            file.create_dataset(name, data=np.array(values, dtype=np.dtype(columns)))


def _points(dataset: Dataset, row: int, wanted: np.ndarray, kind: int) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for k in range(dataset.skeleton.size):
        x, y = dataset.xy[row, k].tolist() if wanted[k] else (np.nan, np.nan)
        score = float(dataset.score[row, k]) if wanted[k] else 0.0
        point = (x, y, bool(wanted[k] and dataset.visibility[row, k] == 2), bool(wanted[k]))
        found.append((*point, score) if kind == _PREDICTED else point)
    return found


def _videos(dataset: Dataset) -> list[str]:
    lines = []
    for number, folder in enumerate(folder_names(video.name for video in dataset.videos)):
        about: dict[str, Any] = {"type": "MediaVideo", "filename": f"{folder}.mp4", "grayscale": False, "bgr": True}
        backend = about | {"shape": [*dataset.shape_of(number), 3], "dataset": "", "input_format": ""}
        lines.append(json.dumps({"filename": f"{folder}.mp4", "backend": backend}))
    return lines


def _metadata(skeleton: Skeleton) -> dict[str, Any]:
    empty: dict[str, Any] = {"videos": [], "tracks": [], "suggestions": [], "negative_anchors": {}, "provenance": {}}
    return {"version": "2.0.0", **write_skeleton(skeleton), **empty}
