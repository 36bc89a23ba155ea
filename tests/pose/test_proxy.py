from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from pose.frame_table import FrameTable, Limits, VideoError, scan
from pose.proxy import ENCODERS, Encoder, group_length, write_proxy
from pose.video import VideoReader

CODECS = {"libx264": "h264", "libvpx-vp9": "vp9"}

Number = Callable[[np.ndarray], int]
Tables = tuple[FrameTable, FrameTable]


def run(work: Generator[int, None, Tables]) -> tuple[list[int], Tables]:
    done = []
    while True:
        try:
            done.append(next(work))
        except StopIteration as end:
            return done, end.value


@pytest.mark.parametrize("encoder", ENCODERS)
def test_proxy_has_the_frames_of_its_source(
    hard_clip: tuple[Path, list[int]], number: Number, tmp_path: Path, encoder: Encoder
) -> None:
    path, expected = hard_clip
    done, (source, proxy) = run(write_proxy(path, tmp_path / "proxy.mp4", encoder=encoder))
    with av.open(str(tmp_path / "proxy.mp4")) as written:
        assert written.streams.video[0].codec_context.name.replace("libvpx-", "") == CODECS[encoder]
        assert max(np.diff(np.flatnonzero(proxy.keyframe)), default=1) <= 30
    assert done == list(range(1, len(expected) + 1))
    assert source.to_bytes() == scan(path).to_bytes()
    assert (proxy.num_frames, proxy.width, proxy.height) == (source.num_frames, source.width, source.height)
    assert (proxy.rotation, proxy.mirrored) == (0, False)
    np.testing.assert_allclose(proxy.times, source.times, atol=1e-4)
    order = np.random.default_rng(2).permutation(proxy.num_frames)[:20]
    with (
        VideoReader(path, source) as original,
        VideoReader(tmp_path / "proxy.mp4", FrameTable.from_bytes(proxy.to_bytes())) as copy,
    ):
        assert [number(frame) for frame in copy.frames()] == expected
        assert [number(copy.read(int(index))) for index in order] == [expected[index] for index in order]
        # Blurred, since the proxy's chroma is coarser than some sources'.
        one, other = (cv2.blur(video.read(5), (5, 5)).astype(int) for video in (original, copy))
    assert np.abs(one - other).mean() < 3


def test_large_frames_have_keyframes_oftener(write_clip: Callable[..., Path], tmp_path: Path) -> None:
    assert [group_length(*size) for size in ((320, 240), (1920, 1080), (2560, 1440), (3840, 2160), (7680, 4320))] == [
        *(30, 30, 16, 7, 6)
    ]
    path = write_clip("large.mp4", 9, size=(3840, 2160), options={"preset": "ultrafast"})
    _, (_, proxy) = run(write_proxy(path, tmp_path / "proxy.mp4"))
    assert np.flatnonzero(proxy.keyframe).tolist() == [0, 7]


def test_proxy_is_quick_to_seek_and_fit_for_browsers(write_clip: Callable[..., Path], tmp_path: Path) -> None:
    path = write_clip("a.mkv", 100, pix_fmt="yuv444p", options={"g": "250", "bf": "3"})
    target = tmp_path / "proxy"
    run(write_proxy(path, target))
    data = target.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(target) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.pix_fmt) == ("h264", "yuv420p")
        packets = [packet for packet in container.demux(stream) if packet.size]
    assert all(packet.pts == packet.dts for packet in packets)
    assert packets[0].pts == 0
    assert packets[-1].duration == packets[-1].pts - packets[-2].pts
    assert np.diff(np.flatnonzero([packet.is_keyframe for packet in packets])).max() <= 30


def test_pixels_of_odd_sizes_stay_where_they_are(write_clip: Callable[..., Path], tmp_path: Path) -> None:
    path = write_clip("a.mkv", 2, codec="ffv1", size=(161, 97), pix_fmt="yuv444p")
    _, (_, proxy) = run(write_proxy(path, tmp_path / "proxy.mp4"))
    with VideoReader(path) as original, VideoReader(tmp_path / "proxy.mp4", proxy) as copy:
        one, other = next(original.frames(gray=True)), next(copy.frames(gray=True))
    assert other.shape == (97, 161)
    assert np.abs(one.astype(int) - other).mean() < 2
    with av.open(tmp_path / "proxy.mp4") as container:
        padded = next(container.decode(video=0)).to_ndarray()[:98]
    assert np.abs(padded[:, -1].astype(int) - padded[:, -2]).mean() < 2


def test_colours_keep_their_tags(write_clip: Callable[..., Path], tmp_path: Path) -> None:
    params = "colorprim=bt709:transfer=bt709:colormatrix=bt709"
    path = write_clip("a.mp4", 3, options={"x264-params": params})
    run(write_proxy(path, tmp_path / "proxy.mp4"))
    with av.open(tmp_path / "proxy.mp4") as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)


def test_damaged_source_gives_its_good_range(
    write_clip: Callable[..., Path], remux: Callable[..., Path], number: Number, tmp_path: Path
) -> None:
    path = remux(write_clip("a.mp4", options={"g": "20"}), "front.mp4", movflags="faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    _, (source, proxy) = run(write_proxy(path, tmp_path / "proxy.mp4"))
    assert source.damage is not None
    assert proxy.damage is None
    assert 0 < proxy.num_frames == source.num_frames < 60
    with VideoReader(tmp_path / "proxy.mp4", proxy) as video:
        assert [number(frame) for frame in video.frames()] == list(range(proxy.num_frames))


def test_cancelling_leaves_nothing_behind(write_clip: Callable[..., Path], tmp_path: Path) -> None:
    path = write_clip("a.mp4")
    threads = threading.active_count()
    work = write_proxy(path, tmp_path / "proxy.mp4")
    assert next(work) == 1
    work.close()
    assert os.listdir(tmp_path) == ["a.mp4"]
    assert threading.active_count() == threads


def test_refused_source_leaves_nothing_behind(write_clip: Callable[..., Path], tmp_path: Path) -> None:
    path = write_clip("a.mp4")
    with pytest.raises(VideoError, match="frames"):
        run(write_proxy(path, tmp_path / "proxy.mp4", limits=Limits(max_frames=20)))
    (tmp_path / "b.mp4").write_bytes(b"not a video" * 100)
    with pytest.raises(VideoError, match="not a video"):
        run(write_proxy(tmp_path / "b.mp4", tmp_path / "proxy.mp4"))
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "b.mp4"]


def test_source_that_is_not_the_table_s_is_refused(write_clip: Callable[..., Path], tmp_path: Path) -> None:
    table = scan(write_clip("a.mp4"))
    run(write_proxy(write_clip("a.mp4"), tmp_path / "proxy.mp4", table=table))
    with pytest.raises(VideoError, match="changed"):
        run(write_proxy(write_clip("a.mp4", 50), tmp_path / "other.mp4", table=table))
    assert not (tmp_path / "other.mp4").exists()
