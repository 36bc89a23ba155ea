"""Damaged packets cost their own frames and those that refer to them; all others keep their places."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from pose.damage import inside, ranges_of, told
from pose.frame_table import FrameTable, scan
from pose.proxy import write_proxy
from pose.video import VideoReader

Number = Callable[[np.ndarray], int]
Places = list[tuple[int, int]]

_B = {"g": "12", "bf": "2"}
_OPEN = {"g": "15", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}
_HEVC = {"preset": "ultrafast", "x265-params": "log-level=none:open-gop=1:keyint=15:bframes=3"}
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "motion jpeg avi": ("a.avi", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    "motion jpeg mov": ("a.mov", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    "motion jpeg mkv": ("a.mkv", {"codec": "mjpeg", "pix_fmt": "yuvj420p"}),
    "prores": ("a.mov", {"codec": "prores_ks", "pix_fmt": "yuv422p10le"}),
    "h264": ("a.mp4", {"options": {"g": "12", "bf": "0"}}),
    "h264 with b-frames": ("a.mp4", {"options": _B}),
    "h264 open gop": ("a.mp4", {"options": _OPEN}),
    "h264 mkv": ("a.mkv", {"options": _B}),
    "h264 avi": ("a.avi", {"options": {"g": "12", "bf": "0"}}),
    "hevc": ("a.mp4", {"codec": "libx265", "options": _HEVC}),
    "mpeg4 avi": ("a.avi", {"codec": "mpeg4", "options": {"g": "12"}}),
    "mpeg4 mp4": ("a.mp4", {"codec": "mpeg4", "options": _B}),
}
INTRA = ("motion jpeg avi", "motion jpeg mov", "motion jpeg mkv", "prores")


def packets(path: Path) -> Places:
    """Place and length of each packet of the video, without what the container puts in front."""
    head = 16 if path.suffix in (".mkv", ".webm") else 0
    with av.open(path) as container:
        return [(packet.pos + head, packet.size - head) for packet in container.demux(video=0) if packet.size]


def spoil(path: Path, start: int, length: int, seed: int) -> None:
    """Overwrite bytes with noise."""
    data = bytearray(path.read_bytes())
    data[start : start + length] = np.random.default_rng(seed).bytes(length)
    path.write_bytes(data)


def shown(path: Path, table: FrameTable, number: Number) -> list[int]:
    """The number in each picture."""
    with VideoReader(path, table) as video:
        return [number(frame) for frame in video.frames()]


def good(table: FrameTable) -> np.ndarray:
    """The frames that are not damaged."""
    frames = np.arange(table.num_frames)
    return frames[~inside(table.damaged, frames)]


@pytest.fixture(params=FORMATS)
def clip(request: pytest.FixtureRequest, write_clip: Callable[..., Path]) -> tuple[str, Path]:
    """A file of 60 numbered frames, and the name of its format."""
    name, options = FORMATS[request.param]
    return request.param, write_clip(name, **options)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("place", [17, 40, 58])
def test_frames_keep_their_places_around_a_damaged_packet(
    clip: tuple[str, Path], number: Number, place: int, seed: int
) -> None:
    kind, path = clip
    spoil(path, *packets(path)[place], seed)
    table = scan(path)
    assert (table.num_frames, table.damage) == (60, None)
    assert 0 < len(good(table)) < 60
    assert "damaged" in (table.reason or "")
    numbers = shown(path, table, number)
    assert [numbers[frame] for frame in good(table)] == good(table).tolist()
    if kind in INTRA:
        assert table.damaged == ((place, place + 1),)
        assert numbers[place] == place - 1
    else:  # what refers to it ends with the next keyframe
        assert all(stop - start <= 16 for start, stop in table.damaged)


@pytest.mark.parametrize("clip", [kind for kind in FORMATS if "mkv" not in kind and "avi" not in kind], indirect=True)
def test_a_damaged_first_keyframe_moves_nothing(clip: tuple[str, Path], number: Number) -> None:
    _, path = clip
    spoil(path, *packets(path)[0], 3)
    table = scan(path)
    assert table.num_frames == 60
    assert table.damaged[0][0] == 0
    numbers = shown(path, table, number)
    assert [numbers[frame] for frame in good(table)] == good(table).tolist()
    assert numbers[0] == table.damaged[0][1]  # the first good picture stands for those before it


@pytest.mark.parametrize("clip", ["motion jpeg avi", "motion jpeg mkv", "h264 avi", "mpeg4 avi"], indirect=True)
def test_a_run_of_packets_lost_with_their_heads_leaves_a_gap_of_its_length(
    clip: tuple[str, Path], number: Number
) -> None:
    _, path = clip
    places = packets(path)
    spoil(path, places[20][0] - 16, places[24][0] - places[20][0] - 8, 1)
    table = scan(path)
    assert table.num_frames == 60
    numbers = shown(path, table, number)
    assert [numbers[frame] for frame in good(table)] == good(table).tolist()
    assert inside(table.damaged, np.arange(20, 24)).all()


def test_an_empty_packet_of_single_pictures_keeps_its_place(write_clip: Callable[..., Path], number: Number) -> None:
    path = write_clip("a.avi", codec="mjpeg", pix_fmt="yuvj420p")
    data = bytearray(path.read_bytes())
    place, length = packets(path)[12]
    index = data.index(b"idx1") + 8 + 16 * 12 + 12
    data[index : index + 4] = data[place - 4 : place] = bytes(4)
    data[place : place + 8] = b"JUNK" + (length - 8 + length % 2).to_bytes(4, "little")
    path.write_bytes(data)
    table = scan(path)
    assert (table.num_frames, table.damaged) == (60, ((12, 13),))
    assert shown(path, table, number)[11:15] == [11, 11, 13, 14]


def test_lost_packets_of_a_transport_stream_show_no_invented_pictures(
    write_clip: Callable[..., Path], number: Number
) -> None:
    path = write_clip("a.ts", options=_B)
    place = packets(path)[25][0]
    spoil(path, place, 2 * 188, 5)
    table = scan(path)
    assert table.damaged
    for frame, picture in zip(good(table), np.array(shown(path, table, number))[good(table)], strict=True):
        assert picture == round(float(table.times[frame]) * 25)


def test_damaged_frames_are_read_in_any_order(write_clip: Callable[..., Path], number: Number) -> None:
    path = write_clip("a.mp4", options=_B)
    spoil(path, *packets(path)[30], 2)
    table = FrameTable.from_bytes(scan(path).to_bytes())
    start, stop = table.damaged[0]
    with VideoReader(path, table, recent_bytes=0) as video:
        order = np.random.default_rng(0).permutation(60).tolist()
        assert [number(video.read(frame)) for frame in order] == [
            start - 1 if start <= frame < stop else frame for frame in order
        ]


def test_a_proxy_has_a_picture_for_each_damaged_frame(
    write_clip: Callable[..., Path], number: Number, tmp_path: Path
) -> None:
    path = write_clip("a.mp4", options=_B)
    spoil(path, *packets(path)[0], 3)
    spoil(path, *packets(path)[40], 3)
    work = write_proxy(path, tmp_path / "proxy.mp4")
    while True:
        try:
            next(work)
        except StopIteration as end:
            source, proxy = end.value
            break
    assert source.to_bytes() == scan(path).to_bytes()
    assert (len(source.damaged), proxy.damaged, proxy.num_frames) == (2, (), 60)
    np.testing.assert_allclose(proxy.times, source.times, atol=1e-4)
    assert shown(tmp_path / "proxy.mp4", proxy, number) == shown(path, source, number)


def test_a_frame_of_another_size_between_others_is_damaged(write_clip: Callable[..., Path], tmp_path: Path) -> None:
    small = write_clip("small.mov", 1, codec="mjpeg", pix_fmt="yuvj420p", size=(64, 48))
    source = write_clip("a.mov", 20, codec="mjpeg", pix_fmt="yuvj420p")
    path = tmp_path / "mixed.mov"
    with av.open(small) as other, av.open(source) as old, av.open(path, "w") as new:
        foreign = bytes(next(iter(other.demux(video=0))))
        stream = new.add_stream_from_template(old.streams.video[0])
        for index, packet in enumerate(old.demux(video=0)):
            if packet.dts is not None:
                copied = packet if index != 7 else av.Packet(foreign)
                copied.pts, copied.dts, copied.time_base = packet.pts, packet.dts, packet.time_base
                copied.is_keyframe, copied.stream = True, stream
                new.mux(copied)
    table = scan(path)
    assert (table.num_frames, table.damaged, table.damage) == (20, ((7, 8),), None)


def test_good_frame_tables_keep_their_bytes(write_clip: Callable[..., Path]) -> None:
    data = scan(write_clip("a.mp4")).to_bytes()
    assert b"damaged" not in data
    assert FrameTable.from_bytes(data).to_bytes() == data


def test_ranges_of_frames() -> None:
    assert ranges_of([]) == ()
    assert ranges_of([0, 1, 2, 5, 9, 10]) == ((0, 3), (5, 6), (9, 11))
    assert inside(((0, 3), (5, 6)), np.arange(7)).tolist() == [True, True, True, False, False, True, False]
    assert not inside((), np.arange(3)).any()
    many = ranges_of([*range(0, 10_000, 2), 20_000])
    assert len(many) == 1000
    assert many[-1] == (20_000, 20_001)
    assert inside(many, np.arange(0, 10_000, 2)).all()


def test_sentences_on_damaged_frames() -> None:
    assert told((), 30) is None
    assert told(((10, 11),), 30) == "Frame 10 of 30 is damaged or missing: the last good picture is shown there."
    assert (told(((0, 2), (7, 8)), 30) or "").startswith("Frames 0 to 1 and 7, 3 of 30, are damaged or missing")
    assert "and others" in (told(tuple((frame, frame + 1) for frame in range(0, 40, 2)), 60) or "")


@pytest.mark.parametrize("ranges", [((3, 3),), ((5, 2),), ((0, 2), (2, 4)), ((0, 61),), ((0, 60),)])
def test_ranges_that_no_video_has_are_refused(
    write_clip: Callable[..., Path], ranges: tuple[tuple[int, int], ...]
) -> None:
    table = scan(write_clip("a.mp4"))
    with pytest.raises(ValueError, match="ranges"):
        FrameTable(pts=table.pts, keyframe=table.keyframe, time_base=table.time_base, width=2, height=2, damaged=ranges)


def test_a_long_run_of_lost_packets_keeps_its_length(write_clip: Callable[..., Path], number: Number) -> None:
    path = write_clip("a.avi", 700, codec="mjpeg", pix_fmt="yuvj420p", size=(32, 24))
    places = packets(path)
    spoil(path, places[20][0] - 8, places[660][0] - places[20][0], 1)
    table = scan(path)
    assert (table.num_frames, table.damaged) == (700, ((20, 660),))
