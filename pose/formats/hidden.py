"""Encoding of the errors of a machine on hidden keyframes: the file in which the measurement of a video is stored.

The file is two NumPy array files, one after the other: a record for each hidden keyframe, and one for each point. It
holds no clock and no pickles, so equal errors are equal bytes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose.calibration.residuals import Residuals, concatenate

_DIGEST = 64  # characters

_KEYFRAME = np.dtype([("input_sha256", f"S{_DIGEST}"), ("track", "<i8"), ("frame", "<i8")])
_POINT = np.dtype(
    [
        ("keyframe", "<i4"),  # its place among the keyframes
        ("keypoint", "<u2"),
        ("regime", "u1"),
        ("gap", "<f4"),
        ("raw", "<f4"),
        ("error", "<f4"),
    ]
)
_NONE = "these bytes are no whole file of hidden keyframes"
_MEASURED = ("keypoint", "regime", "gap", "raw", "error")


@dataclass(frozen=True, eq=False)
class Uncovered:
    """A keyframe that was hidden, and what came to light.

    Attributes:
        input_sha256: Digest of all that the errors depend on: equal digests mean equal errors.
        track: Whose.
        frame: Where.
        errors: Of its points; of none where nothing was carried to it.
    """

    input_sha256: str
    track: int
    frame: int
    errors: Residuals


def errors_of(uncovered: Sequence[Uncovered]) -> Residuals:
    """All errors on some hidden keyframes."""
    return concatenate([one.errors for one in uncovered])


def encode(uncovered: Sequence[Uncovered]) -> bytes:
    """Write hidden keyframes with their errors, which are rounded to float32.

    Raises:
        ValueError: A digest is none.
    """
    keyframes = np.zeros(len(uncovered), dtype=_KEYFRAME)
    points = np.zeros(sum(len(one.errors) for one in uncovered), dtype=_POINT)
    at = 0
    for place, one in enumerate(uncovered):
        if len(one.input_sha256) != _DIGEST:
            raise ValueError(f"a digest has {_DIGEST} characters")
        keyframes[place] = one.input_sha256.encode(), one.track, one.frame
        rows = slice(at, at + len(one.errors))
        points["keyframe"][rows] = place
        for name in _MEASURED:
            points[name][rows] = getattr(one.errors, name)
        at += len(one.errors)
    stream = io.BytesIO()
    for array in (keyframes, points):
        np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def decode(data: bytes) -> list[Uncovered]:
    """Read what was written, in the same order.

    Raises:
        ValueError: The bytes are not such a file.
    """
    stream = io.BytesIO(data)
    try:
        keyframes, points = (np.load(stream, allow_pickle=False) for _ in range(2))
    except (EOFError, ValueError) as error:
        raise ValueError(_NONE) from error
    if keyframes.dtype != _KEYFRAME or points.dtype != _POINT:
        raise ValueError(_NONE)
    edges = np.searchsorted(points["keyframe"], np.arange(len(keyframes) + 1))
    found = []
    for place, (digest, track, frame) in enumerate(keyframes.tolist()):
        rows = points[edges[place] : edges[place + 1]]
        errors = Residuals(
            track=np.full(len(rows), track, dtype=np.int64),
            frame=np.full(len(rows), frame, dtype=np.int64),
            keypoint=rows["keypoint"].astype(np.int64),
            regime=rows["regime"].copy(),
            gap=rows["gap"].astype(np.float64),
            raw=rows["raw"].astype(np.float64),
            error=rows["error"].astype(np.float64),
        )
        found.append(Uncovered(digest.decode(), track, frame, errors))
    return found
