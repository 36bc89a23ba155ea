from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pose.decoder import Decoder
from pose.frame_table import FrameTable, VideoError, scan
from pose.video import VideoReader, VideoWriter

Number = Callable[[np.ndarray], int]


def test_frames_in_order(hard_clip: tuple[Path, list[int]], number: Number) -> None:
    path, expected = hard_clip
    with VideoReader(path) as video:
        assert video.num_frames == len(expected)
        assert [number(frame) for frame in video.frames()] == expected
        assert [number(frame) for frame in video.frames(gray=True)] == expected
        assert video.table.damage is None
        picture = video.read(0)
    assert picture.shape == (video.height, video.width, 3)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous


@pytest.mark.parametrize("keep_passed", [False, True], ids=["those asked for", "those passed too"])
@pytest.mark.parametrize("recent_bytes", [0, 2**20, 2**30], ids=["forgets", "remembers some", "remembers all"])
def test_frames_in_any_order(
    hard_clip: tuple[Path, list[int]], number: Number, recent_bytes: int, keep_passed: bool
) -> None:
    path, expected = hard_clip
    table = FrameTable.from_bytes(scan(path).to_bytes())
    order = np.random.default_rng(1).choice(table.num_frames, 25)
    with VideoReader(path, table, recent_bytes=recent_bytes, keep_passed=keep_passed) as video:
        assert [number(video.read(int(index))) for index in order] == [expected[index] for index in order]


def test_sequence_from_the_middle(hard_clip: tuple[Path, list[int]], number: Number) -> None:
    path, expected = hard_clip
    with VideoReader(path) as video:
        frames = video.frames(11, 29)
        first = number(next(frames))
        elsewhere = number(video.read(2))
        assert [first, *(number(frame) for frame in frames)] == expected[11:29]
        assert elsewhere == expected[2]


def test_frames_decoded_last_are_not_decoded_again(write_clip: Callable[..., Path], number: Number) -> None:
    path = write_clip("a.mp4")
    with VideoReader(path) as video:
        seen = [number(frame) for frame in video.frames(20, 40)]
        video._decoder.close()
        assert [number(frame) for frame in video.frames(20, 40, gray=True)] == seen
        assert number(video.read(25)) == 25


def test_frames_on_the_way_are_kept_where_that_is_wished_until_they_are_let_go(
    write_clip: Callable[..., Path], number: Number
) -> None:
    with VideoReader(write_clip("a.mp4", options={"g": "20", "bf": "2"}), keep_passed=True) as video:
        assert number(video.read(39)) == 39
        video._decoder.close()
        assert [number(video.read(index)) for index in (38, 21, 25)] == [38, 21, 25]
        video._decoder.rewind()
        video.forget()
        assert not video._recent
        assert number(video.read(21)) == 21


@pytest.mark.parametrize("size", [(64, 36), (111, 62), (240, 139)])
@pytest.mark.parametrize("width", [320, 319])
def test_a_frame_shrinks_as_a_whole(write_clip: Callable[..., Path], size: tuple[int, int], width: int) -> None:
    path = write_clip("clip.mp4", 3, size=(320, 180))
    table = replace(scan(path), width=width, checksum=None)
    with VideoReader(path, table, threads=1) as video:
        whole, small = video.read(2), video.read(2, size)
    assert small.shape == (size[1], size[0], 3)
    assert small.flags.c_contiguous
    expected = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    assert np.abs(small.astype(int) - expected).mean() < 3


def test_wrong_keyframe_flags_cost_time_not_truth(write_clip: Callable[..., Path], number: Number) -> None:
    path = write_clip("a.mp4", options={"g": "250", "bf": "3"})
    table = replace(scan(path), keyframe=np.ones(60, dtype=bool))
    with VideoReader(path, table) as video:
        assert [number(video.read(index)) for index in (50, 10, 41, 3)] == [50, 10, 41, 3]


def test_picture_decoded_without_its_reference_is_not_believed(
    write_clip: Callable[..., Path], number: Number, tmp_path: Path
) -> None:
    # A Matroska file that calls a P-frame a keyframe: the decoder starts there and invents what it refers to.
    source = write_clip("a.mp4", options={"g": "250", "bf": "0"})
    path = tmp_path / "liar.mkv"
    with av.open(source) as old, av.open(path, "w", options={"cluster_time_limit": "400"}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for index, packet in enumerate(old.demux(old.streams.video[0])):
            if packet.dts is not None:
                packet.is_keyframe, packet.stream = index % 10 == 0, stream
                new.mux(packet)
    table = scan(path)
    with VideoReader(path, replace(table, keyframe=np.arange(60) % 10 == 0), recent_bytes=0) as video:
        truth = list(video.frames())
        for index in (55, 25, 48, 12, 31):
            np.testing.assert_array_equal(video.read(index), truth[index])


def test_another_file_under_the_same_name_is_noticed(write_clip: Callable[..., Path]) -> None:
    table = scan(write_clip("a.mp4"))
    path = write_clip("a.mp4", pts=list(range(0, 180, 3)), time_base=Fraction(1, 75))
    with VideoReader(path, replace(table, pts=table.pts + 7)) as video, pytest.raises(VideoError, match="changed"):
        video.read(30)


def test_frame_numbers_out_of_range(write_clip: Callable[..., Path]) -> None:
    with VideoReader(write_clip("a.mp4", 10)) as video:
        for index in (-1, 10):
            with pytest.raises(IndexError, match="10 frames"):
                video.read(index)
        with pytest.raises(IndexError, match="10 frames"):
            video.frames(3, 11)
        assert list(video.frames(4, 4)) == []


@pytest.mark.parametrize("degrees", [90, -90, 180])
def test_turned_as_opencv_turns(write_clip: Callable[..., Path], degrees: int) -> None:
    path = write_clip("a.mp4", 3, rotation=(degrees, False))
    capture = cv2.VideoCapture(str(path))
    _, theirs = capture.read()
    capture.release()
    with VideoReader(path) as video:
        ours = video.read(0)
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs[..., ::-1]).mean() < 2


def test_luma_of_ten_bits_is_the_upper_eight(write_clip: Callable[..., Path]) -> None:
    path = write_clip("a.mkv", 2, codec="ffv1", pix_fmt="yuv420p10le")
    with av.open(path) as container:
        coded = next(container.decode(video=0)).to_ndarray()[:96]
    with VideoReader(path) as video:
        np.testing.assert_array_equal(next(video.frames(gray=True)), coded >> 2)


@pytest.mark.parametrize("size", [(160, 96), (161, 97), (1, 1)])
def test_writer_keeps_size_rate_and_pictures(size: tuple[int, int], tmp_path: Path) -> None:
    width, height = size
    rng = np.random.default_rng(0)
    colours = rng.integers(30, 220, (4, 1, 1, 3), dtype=np.uint8)
    pictures = np.broadcast_to(colours, (4, height, width, 3))
    with VideoWriter(tmp_path / "a.mp4", Fraction(30000, 1001), width, height) as writer:
        for one in pictures:
            writer.write(one)
    table = scan(tmp_path / "a.mp4")
    assert (table.width, table.height) == (width + width % 2, height + height % 2)
    assert table.fps == pytest.approx(30000 / 1001)
    with VideoReader(tmp_path / "a.mp4", replace(table, width=width, height=height)) as video:
        for frame, one in zip(video.frames(), pictures, strict=True):
            assert np.abs(frame.astype(int) - one).max() <= 6


def test_writer_refuses_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with pytest.raises(ValueError, match="cannot be written"):
        VideoWriter(path, 0, 10, 10)
    with pytest.raises(ValueError, match="takes"), VideoWriter(path, 25, 10, 10) as writer:
        writer.write(np.zeros((10, 12, 3), dtype=np.uint8))
    assert not path.exists()
    with pytest.raises(ValueError, match="at least one"), VideoWriter(path, 25, 10, 10):
        pass
    assert not path.exists()


def test_what_one_reader_frees_is_not_taken_from_another(tmp_path):
    """Two readers of one process are at the same packet numbers; one frees its packets while the other decodes."""
    path = tmp_path / "noise.mp4"
    rng = np.random.default_rng(0)
    with VideoWriter(path, 25, 64, 48) as writer:
        for _ in range(60):
            writer.write(rng.integers(0, 255, (48, 64, 3), dtype=np.uint8))
    one, other = Decoder(path), Decoder(path)
    frames = one.frames()
    read = [next(frames) for _ in range(10)]
    assert len(list(other.frames())) == 60
    other.close()
    read += frames
    one.close()
    assert [found.frame is not None for found in read] == [True] * 60
    assert [found.pts for found in read] == sorted({found.pts for found in read})
