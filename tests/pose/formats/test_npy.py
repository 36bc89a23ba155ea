import io

import numpy as np
import pytest

from pose.formats import npy
from pose.track import Track


@pytest.fixture
def track():
    draw = np.random.default_rng(4)
    visibility = draw.integers(0, 3, (9, 5)).astype(np.uint8)
    return Track(
        frames=np.arange(40, 49),
        xy=draw.normal(100, 50, (9, 5, 2)).astype(np.float32),
        visibility=visibility,
        score=draw.random((9, 5), dtype=np.float32),
        radius90=draw.random((9, 5), dtype=np.float32) * 20,
    )


def test_poses_come_back_bit_for_bit(track):
    again = npy.decode(npy.encode(track))
    for name in ("frames", "xy", "visibility", "score", "radius90"):
        assert getattr(again, name).dtype == getattr(track, name).dtype
        assert (getattr(again, name) == getattr(track, name)).all()


def test_equal_poses_are_equal_bytes(track):
    assert npy.encode(track) == npy.encode(npy.decode(npy.encode(track)))


def test_a_track_of_no_frames_survives():
    assert len(npy.decode(npy.encode(Track.empty(3)))) == 0


def test_other_arrays_are_refused():
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    with pytest.raises(ValueError, match="no poses"):
        npy.decode(stream.getvalue())


def test_pickles_are_not_loaded():
    stream = io.BytesIO()
    np.save(stream, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="allow_pickle"):
        npy.decode(stream.getvalue())
