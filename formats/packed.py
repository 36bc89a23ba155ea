"""A table as two files: how a process that reads files of strangers hands on what it found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from formats.dataset import COLUMNS, Dataset, Video
from pose.skeleton import Skeleton

_ABOUT, _COLUMNS = "about.json", "columns.npz"


class _Video(msgspec.Struct):
    name: str
    width: int | None
    height: int | None
    num_frames: int | None
    tracks: dict[int, str]
    empty: tuple[int, ...]


class _Skeleton(msgspec.Struct):
    name: str
    keypoints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]
    swap: tuple[tuple[int, int], ...]
    sigmas: tuple[float, ...]
    retired: tuple[str, ...]


class _About(msgspec.Struct):
    skeleton: _Skeleton
    videos: list[_Video]


def pack(dataset: Dataset, folder: Path) -> None:
    """Write a table.

    Args:
        dataset: The table.
        folder: Where to; it is there.
    """
    skeleton = dataset.skeleton
    about = _About(
        skeleton=_Skeleton(**{name: getattr(skeleton, name) for name in _Skeleton.__struct_fields__}),
        videos=[
            _Video(video.name, video.width, video.height, video.num_frames, dict(video.tracks), video.empty)
            for video in dataset.videos
        ],
    )
    (folder / _ABOUT).write_bytes(msgspec.json.encode(about))
    columns: dict[str, Any] = {name: getattr(dataset, name) for name in COLUMNS}
    np.savez(folder / _COLUMNS, **columns)


def unpack(folder: Path) -> Dataset:
    """Read a table that was packed; it is checked anew.

    Raises:
        ValueError: It is none.
        OSError: A file is not there.
    """
    about = msgspec.json.decode((folder / _ABOUT).read_bytes(), type=_About)
    # NumPy leaves a file open that is none of its own.
    with (folder / _COLUMNS).open("rb") as file, np.load(file, allow_pickle=False) as found:
        columns = {name: found[name] for name in COLUMNS}
    skeleton = Skeleton(**{name: getattr(about.skeleton, name) for name in _Skeleton.__struct_fields__})
    videos = tuple(Video(**{name: getattr(video, name) for name in _Video.__struct_fields__}) for video in about.videos)
    return Dataset.of(skeleton, videos, **columns)
