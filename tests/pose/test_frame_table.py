from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pose.frame_table import FrameTable, Limits, VideoError, scan
from pose.video import VideoReader

Number = Callable[[np.ndarray], int]


def test_groups_reach_from_a_keyframe_to_the_next() -> None:
    keyframe = np.zeros(9, dtype=bool)
    keyframe[[2, 5]] = True
    table = FrameTable(pts=np.arange(9), keyframe=keyframe, time_base=Fraction(1, 30), width=2, height=2)
    assert [table.group(index) for index in range(9)] == [(0, 2)] * 2 + [(2, 5)] * 3 + [(5, 9)] * 4
    assert replace(table, seekable=False).group(4) == (0, 9)


@given(
    steps=st.lists(st.integers(1, 10**12), min_size=1, max_size=40),
    start=st.integers(-(10**9), 10**9),
    rotation=st.sampled_from([0, 90, 180, 270]),
    damage=st.none() | st.text(),
    flags=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    seed=st.integers(0, 2**32 - 1),
)
def test_bytes_give_the_table_back(
    steps: list[int], start: int, rotation: int, damage: str | None, flags: tuple[bool, bool, bool], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    count = len(steps)
    table = FrameTable(
        pts=start + np.cumsum(steps, dtype=np.int64),
        keyframe=rng.random(count) < 0.3,
        time_base=Fraction(1001, 30000),
        width=1279,
        height=719,
        rotation=rotation,
        damage=damage,
        mirrored=flags[0],
        seekable=flags[1],
        checksum=rng.integers(0, 2**32, count, dtype=np.uint32) if flags[2] else None,
    )
    back = FrameTable.from_bytes(table.to_bytes())
    for name in ("pts", "keyframe", "checksum"):
        np.testing.assert_array_equal(getattr(back, name), getattr(table, name))
    for name in ("time_base", "width", "height", "rotation", "damage", "mirrored", "seekable"):
        assert getattr(back, name) == getattr(table, name)


def _table(count: int = 100) -> FrameTable:
    pts = np.arange(count, dtype=np.int64) * 512
    return FrameTable(pts=pts, keyframe=pts % 5120 == 0, time_base=Fraction(1, 12800), width=64, height=48)


def test_hour_of_video_packs_small() -> None:
    assert len(_table(108_000).to_bytes()) < 4000


@pytest.mark.parametrize("cut", [0, 3, 8, 30, -1])
def test_cut_bytes_are_refused(cut: int) -> None:
    with pytest.raises(ValueError, match="frame table"):
        FrameTable.from_bytes(_table().to_bytes()[:cut])


def test_foreign_bytes_are_refused() -> None:
    data = _table().to_bytes()
    with pytest.raises(ValueError, match="not a frame table"):
        FrameTable.from_bytes(b"RIFF" + data[4:])
    with pytest.raises(ValueError, match="version 9"):
        FrameTable.from_bytes(data[:4] + b"\x09" + data[5:])
    with pytest.raises(ValueError, match="damaged"):
        FrameTable.from_bytes(data[:-20] + bytes(20))


def test_contradictory_tables_are_refused() -> None:
    table = _table()
    for change in (
        {"keyframe": table.keyframe[1:]},
        {"pts": table.pts[::-1]},
        {"rotation": 45},
        {"checksum": np.zeros(3, dtype=np.uint32)},
        {"pts": table.pts[:0], "keyframe": table.keyframe[:0]},
    ):
        with pytest.raises(ValueError, match=r"."):
            replace(table, **change)


def test_times_and_rates_of_variable_rate(write_clip: Callable[..., Path]) -> None:
    table = scan(write_clip("a.mkv", 5, pts=[200, 240, 300, 1000, 1200], time_base=Fraction(1, 1000)))
    np.testing.assert_allclose(table.times, [0, 0.04, 0.1, 0.8, 1.0])
    assert table.fps == pytest.approx(4.0)
    assert table.duration == pytest.approx(1.25)
    single = scan(write_clip("b.mkv", 1))
    assert (single.num_frames, single.fps, single.duration) == (1, 1.0, 1.0)


def test_keyframes_are_where_decoding_can_begin(write_clip: Callable[..., Path]) -> None:
    table = scan(write_clip("a.mp4", options={"g": "20", "bf": "3", "x264-params": "scenecut=0"}))
    assert np.flatnonzero(table.keyframe).tolist() == [0, 20, 40]
    assert table.seekable


def test_repeated_and_backward_times_are_moved_along(write_clip: Callable[..., Path], tmp_path: Path) -> None:
    # Two transport streams glued together: the clock starts again.
    write_clip("a.ts", 20, options={"bf": "0"})
    glued = tmp_path / "glued.ts"
    glued.write_bytes((tmp_path / "a.ts").read_bytes() * 2)
    table = scan(glued)
    assert table.num_frames == 40
    assert not table.seekable
    np.testing.assert_allclose(np.diff(table.times), 0.04, atol=1e-3)


@pytest.mark.parametrize("share", [0.4, 0.5, 0.6, 0.7, 0.8])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_truncated_file_is_good_up_to_its_break(
    write_clip: Callable[..., Path], remux: Callable[..., Path], number: Number, name: str, share: float
) -> None:
    if name == "a.avi":
        path = write_clip(name, 100, codec="mpeg4", options={"g": "20"})
    else:
        source = write_clip("source.mp4", 100, options={"g": "20", "bf": "2"})
        path = remux(source, name, **({"movflags": "faststart"} if name == "a.mp4" else {}))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    table = scan(path)
    assert 0 < table.num_frames < 100
    assert table.damage is not None
    assert f"Frames 0 to {table.num_frames - 1} " in table.damage
    with VideoReader(path, table) as video:
        assert [number(frame) for frame in video.frames()] == list(range(table.num_frames))
        assert number(video.read(table.num_frames - 1)) == table.num_frames - 1


def test_stream_that_begins_between_keyframes(
    write_clip: Callable[..., Path], remux: Callable[..., Path], number: Number
) -> None:
    path = remux(write_clip("a.mp4", options={"g": "20", "bf": "2", "x264-params": "scenecut=0"}), "a.ts")
    data = path.read_bytes()
    path.write_bytes(data[: 3 * 188] + data[len(data) // 188 // 10 * 188 :])
    with VideoReader(path) as video:
        assert [number(frame) for frame in video.frames()] == list(range(20, 60))
        assert number(video.read(31)) == 51
        assert video.table.damage is None


def test_change_of_picture_size_ends_the_good_range(write_clip: Callable[..., Path], tmp_path: Path) -> None:
    first = write_clip("a.ts", 12, options={"bf": "0"}).read_bytes()
    second = write_clip("b.ts", 12, options={"bf": "0"}, size=(320, 192)).read_bytes()
    path = tmp_path / "c.ts"
    path.write_bytes(first + second)
    table = scan(path)
    assert (table.num_frames, table.width, table.height) == (12, 160, 96)
    assert table.damage is not None
    assert "320 x 192" in table.damage


def _still(path: Path) -> None:
    av.VideoFrame(64, 48, "rgb24").save(path)


def _sound(path: Path) -> None:
    with av.open(path, "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("name", "write", "message"),
    [
        ("empty.mp4", lambda path: path.write_bytes(b""), "is empty"),
        ("text.mp4", lambda path: path.write_bytes(b"hello " * 500), "not a video"),
        ("still.png", _still, "still image"),
        ("still.jpg", _still, "still image"),
        ("sound.m4a", _sound, "no video in it"),
    ],
)
def test_what_is_no_video_is_refused(tmp_path: Path, name: str, write: Callable[[Path], object], message: str) -> None:
    write(tmp_path / name)
    with pytest.raises(VideoError, match=message):
        scan(tmp_path / name)


def test_recording_without_index_is_refused(write_clip: Callable[..., Path]) -> None:
    path = write_clip("a.mp4")
    data = path.read_bytes()
    path.write_bytes(data[: data.rindex(b"moov") - 4])
    with pytest.raises(VideoError, match="cut off before its index"):
        scan(path)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\na.ts\n#EXT-X-ENDLIST\n"),
        ("list.txt", "ffconcat version 1.0\nfile a.ts\n"),
    ],
)
def test_lists_that_open_other_files_are_refused(
    write_clip: Callable[..., Path], tmp_path: Path, name: str, text: str
) -> None:
    write_clip("a.ts", 5)
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(VideoError, match="not a video"):
        scan(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        scan(tmp_path / "nothing.mp4")


def test_limits(write_clip: Callable[..., Path]) -> None:
    path = write_clip("a.mkv")
    for limits, message in (
        (Limits(max_pixels=160 * 96 - 1), "160 x 96 pixels"),
        (Limits(max_frames=59), "59 frames"),
        (Limits(max_seconds=2.0), "2 seconds"),
    ):
        with pytest.raises(VideoError, match=message):
            scan(path, limits)
    assert scan(path, Limits(max_pixels=160 * 96, max_frames=60, max_seconds=2.4)).num_frames == 60
    Limits().check_size(7680, 4320)
    with pytest.raises(VideoError, match="megapixels"):
        Limits().check_size(20000, 20000)


def test_huge_picture_is_never_allocated(write_clip: Callable[..., Path]) -> None:
    path = write_clip("a.gif", 2, codec="gif", pix_fmt="rgb8")
    data = path.read_bytes()
    path.write_bytes(data[:6] + struct.pack("<HH", 20000, 20000) + data[10:])
    with pytest.raises(VideoError, match="larger than the 67 megapixels"):
        scan(path)


def test_cover_picture_is_passed_over(write_clip: Callable[..., Path], number: Number, tmp_path: Path) -> None:
    source = write_clip("a.mp4", 10)
    path = tmp_path / "covered.mp4"
    with av.open(source) as old, av.open(path, "w") as new:
        cover = new.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        stream = new.add_stream_from_template(old.streams.video[0])
        new.mux(cover.encode(av.VideoFrame(64, 48, "yuvj420p")))
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    with VideoReader(path) as video:
        assert [number(frame) for frame in video.frames()] == list(range(10))
