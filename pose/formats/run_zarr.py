"""A whole run as one Zarr v3 group in a ZIP, put together from its slabs without unpacking them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from pose.formats.slab import FIELDS, chunk_name, entry


def write_run(
    attributes: Mapping[str, Any],
    num_tracks: int,
    num_frames: int,
    slabs: Iterable[tuple[int, int, bytes]],
    *,
    times: np.ndarray | None = None,
) -> Iterator[bytes]:
    """Write a run's Zarr group, ``(T, F, K)`` arrays of which a frame's place is its index in the video.

    One slab is in memory at a time. The same arguments give the same bytes.

    Args:
        attributes: What the group says about itself.
        num_tracks: ``T``.
        num_frames: ``F`` of the video; frames for which there is no slab are 0.
        slabs: Number of the slab along the tracks and along the frames, and the slab; at least one.
        times: ``(F,)`` seconds from the first frame, as one more array.

    Yields:
        The file, in pieces.
    """
    drain = _Drain()
    with zipfile.ZipFile(drain, "w", zipfile.ZIP_STORED) as archive:
        group = {"attributes": dict(attributes), "zarr_format": 3, "node_type": "group"}
        archive.writestr(entry("zarr.json"), json.dumps(group, indent=2))
        if times is not None:
            _write_times(archive, times)
        described = False
        for block, chunk, data in slabs:
            with zipfile.ZipFile(io.BytesIO(data)) as slab:
                for field in FIELDS:
                    if not described:
                        layout = json.loads(slab.read(f"{field}/zarr.json"))
                        layout["shape"][:2] = num_tracks, num_frames
                        archive.writestr(entry(f"{field}/zarr.json"), json.dumps(layout, indent=2))
                    name = chunk_name(field, block, chunk)
                    archive.writestr(entry(name), slab.read(chunk_name(field, 0, 0)))
            described = True
            yield drain.flow()
    yield drain.flow()


def _write_times(archive: zipfile.ZipFile, times: np.ndarray) -> None:
    layout = {
        "shape": [len(times)],
        "data_type": "float64",
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [len(times)]}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": 0.0,
        "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
        "attributes": {},
        "dimension_names": ["frame"],
        "zarr_format": 3,
        "node_type": "array",
        "storage_transformers": [],
    }
    archive.writestr(entry("times/zarr.json"), json.dumps(layout, indent=2))
    archive.writestr(entry("times/c/0"), times.astype("<f8").tobytes())


class _Drain(io.RawIOBase):
    """A file from which what was written is taken away again; a ZIP goes back no further than its last entry."""

    def __init__(self) -> None:
        self._held = io.BytesIO()
        self._gone = 0

    def flow(self) -> bytes:
        """Take what was written."""
        data = self._held.getvalue()
        self._gone += len(data)
        self._held = io.BytesIO()
        return data

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._held.write(data)

    def tell(self) -> int:
        return self._gone + self._held.tell()

    def seek(self, place: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET or place < self._gone:
            raise io.UnsupportedOperation("what has flowed is gone")
        return self._gone + self._held.seek(place - self._gone)
