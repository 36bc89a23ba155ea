"""Poses of consecutive frames as one NumPy array file: how a finished segment is stored.

The file is a structured ``.npy`` array, one record a frame. It holds no clock and no pickles, so equal poses are equal
bytes, and it can be mapped into memory.
"""

from __future__ import annotations

import io

import numpy as np

from pose.track import Track

_FIELDS = ("xy", "score", "radius90", "visibility")


def encode(track: Track) -> bytes:
    """Write a track as an array file."""
    k = track.num_keypoints
    layout = np.dtype(
        [
            ("frame", "<i8"),
            ("xy", "<f4", (k, 2)),
            ("score", "<f4", (k,)),
            ("radius90", "<f4", (k,)),
            ("visibility", "u1", (k,)),
        ]
    )
    records = np.zeros(len(track), dtype=layout)
    records["frame"] = track.frames
    for field in _FIELDS:
        records[field] = getattr(track, field)
    stream = io.BytesIO()
    np.save(stream, records, allow_pickle=False)
    return stream.getvalue()


def decode(data: bytes) -> Track:
    """Read a track from an array file.

    Raises:
        ValueError: The bytes are not such a file.
    """
    records = np.load(io.BytesIO(data), allow_pickle=False)
    if records.dtype.names is None or not {"frame", *_FIELDS} <= set(records.dtype.names):
        raise ValueError("this array file holds no poses")
    return Track(
        frames=records["frame"].astype(np.int64),
        **{field: np.ascontiguousarray(records[field]) for field in _FIELDS},
    )
