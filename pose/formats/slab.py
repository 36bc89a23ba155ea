"""Poses of a few tracks on 1024 consecutive frames as one object: how a finished run is kept for reading.

A slab is a Zarr v3 group in a ZIP that is not compressed once more: the arrays ``xy``, ``score``, ``radius90`` and
``visibility`` by track, frame and keypoint, one chunk each (Blosc, Zstandard). Slabs side by side are the chunks of the
run's Zarr arrays, see ``pose.formats.run_zarr``. Frames that the run does not cover are 0 throughout.

The file holds no clock, and Blosc runs on one thread, so equal poses are equal bytes. Zarr writes it. It is read with
the codec alone: a read passes through Zarr's event loop and threads four times an array, which takes four times as long
on an idle machine and more on a busy one, and importing it takes a tenth of a second (``benchmarks/dense_reads.py``).
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from pose.track import Track

#: Frames of a slab. The first one is a multiple of it.
FRAMES = 1024

#: Tracks of a slab, at most.
TRACKS = 8

#: Dimensions of each array; the data type is that of ``pose.track.Track``.
FIELDS = {
    "xy": ("track", "frame", "keypoint", "axis"),
    "score": ("track", "frame", "keypoint"),
    "radius90": ("track", "frame", "keypoint"),
    "visibility": ("track", "frame", "keypoint"),
}

#: The earliest moment a ZIP can name: a file must not depend on when it was written.
NO_TIME = (1980, 1, 1, 0, 0, 0)

_LEVEL = 5  # of Zstandard


@dataclass(frozen=True, eq=False)
class Slab:
    """Poses of ``T`` tracks on the frames from ``start`` on; 0 where nothing is known.

    Attributes:
        start: First frame.
        tracks: Track numbers.
        xy: ``(T, FRAMES, K, 2)`` float32.
        score: ``(T, FRAMES, K)`` float32.
        radius90: ``(T, FRAMES, K)`` float32.
        visibility: ``(T, FRAMES, K)`` uint8.
    """

    start: int
    tracks: tuple[int, ...]
    xy: np.ndarray
    score: np.ndarray
    radius90: np.ndarray
    visibility: np.ndarray

    @classmethod
    def blank(cls, start: int, tracks: tuple[int, ...], num_keypoints: int) -> Slab:
        """A slab in which nothing is known."""
        shape = len(tracks), FRAMES, num_keypoints
        return cls(
            start,
            tracks,
            np.zeros((*shape, 2), dtype=np.float32),
            np.zeros(shape, dtype=np.float32),
            np.zeros(shape, dtype=np.float32),
            np.zeros(shape, dtype=np.uint8),
        )

    def lay(self, track: int, poses: Track) -> None:
        """Write a track's poses, those that fall into the slab; they are of consecutive frames."""
        part = poses.between(self.start, self.start + FRAMES)
        if len(part):
            first = int(part.frames[0]) - self.start
            for field in FIELDS:
                getattr(self, field)[self.tracks.index(track), first : first + len(part)] = getattr(part, field)

    def poses(self, track: int, start: int, stop: int) -> Track:
        """A track's poses on the frames ``start <= frame < stop``, which are the slab's."""
        row, frames = self.tracks.index(track), slice(start - self.start, stop - self.start)
        values = {field: getattr(self, field)[row, frames] for field in FIELDS}
        return Track(frames=np.arange(start, stop, dtype=np.int64), **values)


def encode(slab: Slab, room: int) -> bytes:
    """Write a slab.

    Args:
        slab: What.
        room: Tracks of a full slab of the same run: a chunk's length along the tracks, which all chunks share.
    """
    import zarr  # takes its time, and who only reads does without
    from zarr.codecs import BloscCodec
    from zarr.storage import MemoryStore

    kept: dict[str, Any] = {}
    about = {"start": slab.start, "tracks": list(slab.tracks)}
    group = zarr.create_group(MemoryStore(kept), attributes=about)
    for field, dimensions in FIELDS.items():
        values = getattr(slab, field)
        array = group.create_array(
            field,
            shape=values.shape,
            dtype=values.dtype,
            chunks=(room, *values.shape[1:]),
            compressors=BloscCodec(cname="zstd", clevel=_LEVEL),
            dimension_names=dimensions,
            # A chunk of zeros may hold the sign of one.
            config={"write_empty_chunks": True},
        )
        array[...] = values
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(kept):
            archive.writestr(entry(name), kept[name].to_bytes())
    return stream.getvalue()


def decode(data: bytes) -> Slab:
    """Read a slab.

    Raises:
        ValueError: The bytes are not a slab.
    """
    start, tracks, arrays = decode_fields(data, FIELDS)
    return Slab(start, tracks, **arrays)


def decode_fields(data: bytes, fields: Collection[str]) -> tuple[int, tuple[int, ...], dict[str, np.ndarray]]:
    """Read some arrays of a slab: its first frame, its tracks, and the arrays by name, see ``Slab``.

    Raises:
        ValueError: The bytes are not a slab.
    """
    from numcodecs import blosc  # only who reads what a machine made needs it

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            about = json.loads(archive.read("zarr.json"))["attributes"]
            arrays = {}
            for field in fields:
                layout = json.loads(archive.read(f"{field}/zarr.json"))
                values = np.frombuffer(
                    blosc.decompress(archive.read(chunk_name(field, 0, 0))),
                    dtype=np.dtype(layout["data_type"]).newbyteorder("<"),
                )
                shape = layout["chunk_grid"]["configuration"]["chunk_shape"]
                arrays[field] = values.reshape(shape)[: layout["shape"][0]]
    except (zipfile.BadZipFile, zlib.error, KeyError, RuntimeError) as error:
        raise ValueError("these bytes are no slab of poses") from error
    return int(about["start"]), tuple(about["tracks"]), arrays


def entry(name: str) -> zipfile.ZipInfo:
    """An entry of a ZIP that says nothing of when and where it was made."""
    info = zipfile.ZipInfo(name, NO_TIME)
    info.external_attr = 0o644 << 16
    return info


def chunk_name(field: str, block: int, chunk: int) -> str:
    """Where Zarr keeps a chunk of an array: the ``block``-th along the tracks, the ``chunk``-th along the frames."""
    return f"{field}/c/{block}/{chunk}/" + "/".join("0" * (len(FIELDS[field]) - 2))
