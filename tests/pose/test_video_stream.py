"""Containers are read as players read them: their largest stream, from their own first frame to their last."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from pose.decoder import Decoder
from pose.frame_table import Limits, VideoError, scan
from pose.frame_times import varies
from pose.video import VideoReader
from pose.video_stream import StreamChoice

Number = Callable[[np.ndarray], int]

_B = {"g": "20", "bf": "2"}


def join(path: Path, *parts: tuple[Path, Disposition | None]) -> Path:
    """One file with the video streams of several."""
    with av.open(path, "w") as new:
        open_parts = [av.open(part) for part, _ in parts]
        packets = []
        for old, (_, disposition) in zip(open_parts, parts, strict=True):
            stream = new.add_stream_from_template(old.streams.video[0])
            if disposition is not None:
                stream.disposition = disposition
            packets += [(packet, stream) for packet in old.demux(video=0) if packet.dts is not None]
        for packet, stream in sorted(packets, key=lambda each: float(each[0].dts * each[0].time_base)):
            packet.stream = stream
            new.mux(packet)
        for old in open_parts:
            old.close()
    return path


def choice(path: Path) -> tuple[StreamChoice, tuple[int, int]]:
    """What is taken, and its size."""
    with closing(Decoder(path)) as decoder:
        return decoder.choice, (decoder.stream.width, decoder.stream.height)


@pytest.fixture
def small(write_clip: Callable[..., Path]) -> Path:
    return write_clip("small.mp4", 20, size=(64, 48), options=_B)


@pytest.fixture
def large(write_clip: Callable[..., Path]) -> Path:
    return write_clip("large.mp4", 20, size=(160, 96), options=_B)


def test_the_only_stream_is_taken(large: Path) -> None:
    assert choice(large) == (StreamChoice(0, 1, "only"), (160, 96))


@pytest.mark.parametrize("name", ["two.mp4", "two.mkv", "two.mov", "two.ts"])
def test_a_preview_in_front_of_the_video_is_passed_over(
    small: Path, large: Path, tmp_path: Path, number: Number, name: str
) -> None:
    path = join(tmp_path / name, (small, None), (large, None))
    assert choice(path) == (StreamChoice(1, 2, "largest"), (160, 96))
    with VideoReader(path) as video:
        assert [number(frame) for frame in video.frames()] == list(range(20))
        assert number(video.read(13)) == 13


@pytest.mark.parametrize("name", ["two.mp4", "two.mkv"])
def test_a_stream_that_is_marked_as_default_is_taken(small: Path, large: Path, tmp_path: Path, name: str) -> None:
    path = join(tmp_path / name, (large, Disposition(0)), (small, Disposition.default))
    assert choice(path) == (StreamChoice(1, 2, "default"), (64, 48))


def test_a_first_stream_of_about_the_same_size_is_taken_where_it_is_marked(
    write_clip: Callable[..., Path], large: Path, tmp_path: Path
) -> None:
    other = write_clip("other.mp4", 20, size=(144, 96), options=_B)
    path = join(tmp_path / "two.mkv", (other, Disposition.default), (large, Disposition(0)))
    assert choice(path) == (StreamChoice(0, 2, "default"), (144, 96))


@pytest.mark.parametrize("offset", [2480, 100_000_000])
def test_the_clock_of_a_matroska_piece_may_begin_late(
    write_clip: Callable[..., Path], number: Number, offset: int
) -> None:
    path = write_clip(
        "late.mkv", options=_B, pts=[offset + 40 * index for index in range(60)], time_base=Fraction(1, 1000)
    )
    table = scan(path, Limits(max_seconds=2.4))
    assert (table.num_frames, table.reason) == (60, None)
    assert table.duration == pytest.approx(2.4)
    with VideoReader(path, table) as video:
        assert [number(frame) for frame in video.frames()] == list(range(60))
        assert number(video.read(47)) == 47


def test_a_piece_of_a_recording_has_all_its_frames(
    write_clip: Callable[..., Path], number: Number, tmp_path: Path
) -> None:
    source = write_clip("a.mp4", 120, options={"g": "30", "bf": "2", "x264-params": "scenecut=0"})
    path = tmp_path / "piece.mkv"
    with av.open(source) as old, av.open(path, "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        stored = [packet for packet in old.demux(video=0) if packet.dts is not None][60:]
        for packet in stored:
            packet.stream = stream
            new.mux(packet)
    table = scan(path)
    assert (table.num_frames, table.reason) == (60, None)
    with VideoReader(path, table) as video:
        assert [number(frame) for frame in video.frames()] == list(range(60, 120))


def test_a_clock_that_begins_before_zero(write_clip: Callable[..., Path], number: Number) -> None:
    path = write_clip("early.mkv", pts=[40 * index - 400 for index in range(60)], time_base=Fraction(1, 1000))
    with VideoReader(path) as video:
        assert [number(frame) for frame in video.frames()] == list(range(60))
        assert float(video.times[0]) == 0


def test_a_transport_stream_whose_clock_starts_over(write_clip: Callable[..., Path], number: Number) -> None:
    start = (1 << 33) - 30 * 3600 - 63_000
    pts = [start + 3600 * index for index in range(60)]
    path = write_clip("wrap.ts", options={"g": "20", "bf": "0"}, pts=pts, time_base=Fraction(1, 90_000))
    with VideoReader(path) as video:
        assert [number(frame) for frame in video.frames()] == list(range(60))
        np.testing.assert_allclose(np.diff(video.times), 0.04, atol=1e-3)


@pytest.mark.parametrize(
    ("pts", "unit", "variable"),
    [
        (np.arange(100) * 512, 1 / 15360, False),
        (np.round(np.arange(1000) * 1000 / 30), 1e-3, False),
        (np.round(np.arange(1000) * 1000 / 240), 1e-3, False),
        (np.round(np.arange(1000) * 1000 / 59.94) * 16, 1 / 16_000, False),
        (np.delete(np.arange(100), 40), 1 / 25, True),
        (np.delete(np.arange(1000), 400), 1e-3, True),
        (np.concatenate([np.arange(20), 20 + 24 * np.arange(5), 140 + np.arange(30)]) * 10, 1 / 600, True),
        (np.concatenate([np.arange(50) * 20, 1000 + np.arange(50) * 21]), 1 / 600, True),
        (np.arange(2) * 5, 1 / 25, False),
        (np.arange(1), 1 / 25, False),
    ],
)
def test_a_rate_that_varies_is_told_from_rounding(pts: np.ndarray, unit: float, variable: bool) -> None:
    assert varies(pts * unit, unit) is variable


@pytest.mark.parametrize(
    ("codec", "muxer", "ending", "word"),
    [
        ("libx264", "h264", "h264", "raw H.264"),
        ("libx265", "hevc", "hevc", "raw H.265"),
        ("mjpeg", "mjpeg", "mjpeg", "Motion"),
    ],
)
def test_a_stream_without_a_container_is_refused_with_the_remedy(
    tmp_path: Path, codec: str, muxer: str, ending: str, word: str
) -> None:
    path = tmp_path / "file"
    with av.open(path, "w", format=muxer) as container:
        options = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        stream = container.add_stream(codec, rate=30, options=options)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(64, 48, stream.pix_fmt)))
        container.mux(stream.encode())
    with pytest.raises(VideoError, match=rf"{word}.*ffmpeg .*-r 30 -i file\.{ending} -c copy"):
        scan(path)


@pytest.mark.parametrize(("scale", "frames"), [(1, 1), (100, 1), (1_000_000_000, 60)])
def test_a_lying_time_scale_is_noticed(write_clip: Callable[..., Path], scale: int, frames: int) -> None:
    path = write_clip("a.mp4", options=_B)
    data = bytearray(path.read_bytes())
    at = data.index(b"mdhd") + 16
    data[at : at + 4] = scale.to_bytes(4, "big")
    path.write_bytes(data)
    table = scan(path)
    assert table.num_frames == frames
    assert "time" in (table.damage or "")


def test_what_an_edit_list_cuts_away_in_front_is_no_lie(
    write_clip: Callable[..., Path], remux: Callable[..., Path]
) -> None:
    source = write_clip("a.mp4", options={"g": "60", "bf": "2"})
    table = scan(remux(source, "cut.mp4", show_from=50))
    assert (table.num_frames, table.reason) == (10, None)
