"""Blocks of poses as arrays."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from posetween.poses import ABSENT, HUMAN, NOTHING, PSEUDO, decode, joined


def block(tracks, values, *, start=0, more=2**32 - 1, version=1):
    """As ``app.labels.binary`` writes it; ``values`` is (T, F, K, 5)."""
    count, frames, points, _ = values.shape
    header = struct.pack("<4s7I", b"PTPW", version, count, frames, points, start, more, 7)
    runs = np.full((2, count, frames), 3, dtype="<u4")
    return header + np.array(tracks, dtype="<u4").tobytes() + runs.tobytes() + values.astype("<f4").tobytes()


def points(*rows):
    """(1, F, 1, 5): one track and one keypoint, a row each frame."""
    return np.array(rows, dtype=float).reshape(1, len(rows), 1, 5)


def test_a_block_says_who_made_each_point_and_what_is_hidden():
    poses, more = decode(block([4], points([1, 2, 1, 0, HUMAN], [3, 4, 0.5, 6, PSEUDO + 8], [0, 0, 0, 0, ABSENT])))
    assert more is None
    assert poses.tracks.tolist() == [4]
    assert poses.source[0, :, 0].tolist() == [HUMAN, PSEUDO, ABSENT]
    assert poses.hidden[0, :, 0].tolist() == [False, True, False]
    np.testing.assert_array_equal(poses.xy[0, :, 0], [[1, 2], [3, 4], [np.nan, np.nan]])
    assert poses.score[0, :, 0].tolist() == [1, 0.5, 0]
    assert poses.frames.tolist() == [0, 1, 2]
    assert poses.revision == 7


def test_windows_are_put_together_by_track():
    one, more = decode(block([1], points([1, 1, 1, 0, HUMAN]), more=1))
    other, _ = decode(block([2], points([2, 2, 1, 0, HUMAN]), start=1))
    assert more == 1
    both = joined([one, other])
    assert both.tracks.tolist() == [1, 2]
    assert both.source[..., 0].tolist() == [[HUMAN, NOTHING], [NOTHING, HUMAN]]
    assert both.xy[0, 0, 0].tolist() == [1, 1]
    assert np.isnan(both.xy[0, 1]).all()


@pytest.mark.parametrize("data", [b"", b"PTPW", block([1], points([1, 1, 1, 0, 1]))[:-1], b"{}" * 40])
def test_what_is_no_block_is_refused(data):
    with pytest.raises(ValueError, match="block of poses"):
        decode(data)


def test_a_later_layout_is_refused():
    with pytest.raises(ValueError, match="layout 2"):
        decode(block([1], points([1, 1, 1, 0, 1]), version=2))
