"""Hidden keyframes as files: nothing is lost but digits, and what is no such file is refused."""

from __future__ import annotations

import numpy as np
import pytest

from pose.calibration.residuals import Residuals
from pose.formats import npy
from pose.formats.hidden import Uncovered, decode, encode, errors_of
from pose.track import Track


def uncovered(track: int, frame: int, count: int) -> Uncovered:
    """A hidden keyframe with so many points."""
    rng = np.random.default_rng(frame)
    errors = Residuals(
        track=np.full(count, track, dtype=np.int64),
        frame=np.full(count, frame, dtype=np.int64),
        keypoint=np.arange(count, dtype=np.int64),
        regime=(np.arange(count) % 3).astype(np.uint8),
        gap=rng.uniform(1, 100, count),
        raw=rng.uniform(0.01, 1, count),
        error=rng.uniform(0, 1, count),
    )
    return Uncovered(f"{frame:064x}", track, frame, errors)


SOME = [uncovered(2**40, 7, 3), uncovered(1, 2**40, 0), uncovered(1, 9, 17)]


def test_what_is_written_is_read_again():
    data = encode(SOME)
    found = decode(data)
    assert [(one.input_sha256, one.track, one.frame) for one in found] == [
        (one.input_sha256, one.track, one.frame) for one in SOME
    ]
    for name in ("track", "frame", "keypoint", "regime"):
        np.testing.assert_array_equal(getattr(errors_of(found), name), getattr(errors_of(SOME), name))
    for name in ("gap", "raw", "error"):
        np.testing.assert_allclose(getattr(errors_of(found), name), getattr(errors_of(SOME), name), rtol=1e-6)
    assert encode(found) == data


def test_nothing_is_a_file_too():
    assert decode(encode([])) == []
    assert len(errors_of([])) == 0


def test_a_digest_is_one():
    with pytest.raises(ValueError, match="64 characters"):
        encode([Uncovered("abc", 1, 2, Residuals.empty())])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no file",
        encode(SOME)[:-1],
        encode(SOME)[:400],
        npy.encode(Track.empty(2)),
        npy.encode(Track.empty(2)) * 2,
    ],
    ids=["empty", "words", "without the end", "half of it", "poses", "poses twice"],
)
def test_what_is_no_such_file_is_refused(data: bytes):
    with pytest.raises(ValueError, match="no whole file"):
        decode(data)
