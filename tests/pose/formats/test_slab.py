import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import zarr

from pose.formats import slab
from pose.formats.run_zarr import write_run
from pose.formats.slab import FIELDS, FRAMES, Slab
from pose.track import Track


def poses(start, stop, keypoints=5, seed=4):
    """Any bits that a track may hold, signed zeros and the smallest numbers among them."""
    draw = np.random.default_rng(seed + start)
    shape = stop - start, keypoints
    xy = draw.normal(100, 50, (*shape, 2)).astype(np.float32)
    xy[::7] = -0.0
    xy[::11] = np.float32(1e-42)
    return Track(
        frames=np.arange(start, stop),
        xy=xy,
        visibility=draw.integers(0, 3, shape).astype(np.uint8),
        score=draw.random(shape, dtype=np.float32),
        radius90=draw.random(shape, dtype=np.float32) * 20,
    )


def same(one, other):
    return all(
        getattr(one, name).dtype == getattr(other, name).dtype
        and getattr(one, name).tobytes() == getattr(other, name).tobytes()
        for name in ("frames", "xy", "visibility", "score", "radius90")
    )


@pytest.fixture
def packed():
    """Three tracks, of which the second is known on some frames only and the third nowhere."""
    made = Slab.blank(FRAMES, (2, 5, 9), 5)
    made.lay(2, poses(FRAMES - 40, 2 * FRAMES + 40))
    made.lay(5, poses(1100, 1200))
    made.lay(9, poses(100, 200))
    return made


def test_poses_come_back_bit_for_bit(packed):
    again = slab.decode(slab.encode(packed, 3))
    assert (again.start, again.tracks) == (FRAMES, (2, 5, 9))
    assert same(again.poses(2, FRAMES, 2 * FRAMES), poses(FRAMES - 40, 2 * FRAMES + 40).between(FRAMES, 2 * FRAMES))
    assert same(again.poses(5, 1150, 1170), poses(1100, 1200).between(1150, 1170))
    assert not again.poses(9, FRAMES, 2 * FRAMES).visibility.any()
    assert not again.poses(5, 1200, 2 * FRAMES).visibility.any()


def test_zarr_reads_the_same(packed, tmp_path):
    (tmp_path / "slab.zip").write_bytes(slab.encode(packed, 8))
    with zarr.storage.ZipStore(tmp_path / "slab.zip", mode="r") as store:
        group = zarr.open_group(store, mode="r")
        assert dict(group.attrs) == {"start": FRAMES, "tracks": [2, 5, 9]}
        for field in FIELDS:
            assert group[field][...].tobytes() == getattr(packed, field).tobytes()


def test_equal_poses_are_equal_bytes_in_another_process(packed):
    code = (
        "import sys; from pose.formats import slab;"
        "data = sys.stdin.buffer.read(); sys.stdout.buffer.write(slab.encode(slab.decode(data), 3))"
    )
    data = slab.encode(packed, 3)
    environment = {**os.environ, "TZ": "Pacific/Auckland"}
    child = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=True, env=environment)
    assert child.stdout == data


def test_other_bytes_are_refused(packed):
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("zarr.json", '{"attributes": {}}')
    good = slab.encode(packed, 3)
    damaged = bytearray(good)
    damaged[len(good) // 2] ^= 1
    for data in (b"", b"PK", other.getvalue(), good[:-30], bytes(damaged)):
        with pytest.raises(ValueError, match="no slab"):
            slab.decode(data)


def test_slabs_side_by_side_are_one_zarr_group(tmp_path):
    """Ten tracks in blocks of eight, and a last slab that the video does not fill."""
    tracks, num_frames = tuple(range(1, 11)), 2 * FRAMES + 100
    truth = {track: poses(30, num_frames, 3, seed=track) for track in tracks}
    slabs = []
    for chunk in range(3):
        for block, mine in enumerate((tracks[:8], tracks[8:])):
            part = Slab.blank(chunk * FRAMES, mine, 3)
            for track in mine:
                part.lay(track, truth[track])
            slabs.append((block, chunk, slab.encode(part, 8)))
    pieces = list(write_run({"tracks": list(tracks)}, 10, num_frames, slabs))
    assert max(map(len, pieces)) < 2 * max(len(data) for _, _, data in slabs)
    assert b"".join(write_run({"tracks": list(tracks)}, 10, num_frames, slabs)) == b"".join(pieces)
    path = tmp_path / "run.zarr.zip"
    path.write_bytes(b"".join(pieces))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    with zarr.storage.ZipStore(path, mode="r") as store:
        group = zarr.open_group(store, mode="r")
        assert group.attrs["tracks"] == list(tracks)
        for field, dimensions in FIELDS.items():
            array = group[field]
            assert array.metadata.dimension_names == dimensions
            assert array.shape[:3] == (10, num_frames, 3)
            assert not array[:, :30].any()
            for row, track in enumerate(tracks):
                assert array[row, 30:].tobytes() == getattr(truth[track], field).tobytes()


def test_a_run_says_when_its_frames_are_shown(tmp_path):
    part = Slab.blank(0, (1,), 2)
    times = np.cumsum(np.linspace(0.01, 0.5, 60))
    path = tmp_path / "run.zarr.zip"
    path.write_bytes(b"".join(write_run({"tracks": [1]}, 1, 60, [(0, 0, slab.encode(part, 1))], times=times)))
    with zarr.storage.ZipStore(path, mode="r") as store:
        array = zarr.open_group(store, mode="r")["times"]
        assert array.metadata.dimension_names == ("frame",)
        assert array[:].tobytes() == times.tobytes()
