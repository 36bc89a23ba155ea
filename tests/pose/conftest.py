"""Video files whose frames carry their own number, written with PyAV in every format that is hard to seek in."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

_BITS = 8


def numbered_picture(index: int, width: int, height: int) -> np.ndarray:
    """``(H, W, 3)`` uint8: the number as black and white blocks in the top third, drifting texture, a bright corner."""
    y, x = np.mgrid[:height, :width]
    texture = 90 + 40 * np.sin((x + 3 * index) / 7) + 30 * np.cos((y - index) / 5)
    picture = np.stack([texture, np.roll(texture, 5, axis=1), texture[::-1]], axis=2).astype(np.uint8)
    block = width // _BITS
    for bit in range(_BITS):
        picture[: height // 3, bit * block : (bit + 1) * block] = 255 if index >> bit & 1 else 0
    picture[-height // 6 :, : width // 6] = (255, 255, 255)
    picture[-height // 6 :, -(width // 6) :] = (0, 0, 0)
    return picture


def read_number(picture: np.ndarray) -> int:
    """The number in a picture, RGB or gray; -1 where the picture is not upright."""
    gray = picture if picture.ndim == 2 else picture.mean(axis=2)
    height, width = gray.shape
    if not (gray[-height // 12, width // 12] > 180 and gray[-height // 12, -(width // 12)] < 60):
        return -1
    block = width // _BITS
    return sum(int(gray[height // 6, bit * block + block // 2] > 128) << bit for bit in range(_BITS))


def write_numbered(
    path: Path,
    frames: int = 60,
    *,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    size: tuple[int, int] = (160, 96),
    pix_fmt: str = "yuv420p",
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    rotation: tuple[float, bool] | None = None,
    turn: Callable[[np.ndarray], np.ndarray] = np.asarray,
) -> Path:
    """Write numbered pictures; ``turn`` makes what is stored of what is displayed, ``rotation`` is how to undo it."""
    with av.open(path, "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        stream.height, stream.width = turn(numbered_picture(0, *size)).shape[:2]
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = time_base
        if rotation is not None:
            stream.set_display_rotation(rotation[0], hflip=rotation[1])
        for index in range(frames):
            stored = np.ascontiguousarray(turn(numbered_picture(index, *size)))
            frame = av.VideoFrame.from_ndarray(stored, format="rgb24").reformat(format=pix_fmt)
            frame.pts = index if pts is None else pts[index]
            frame.time_base = time_base
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def copy_packets(source: Path, path: Path, *, start: int = 0, show_from: int = 0, **options: str) -> Path:
    """Copy the packets from frame ``start`` on, presented from ``show_from`` on: a cut without encoding."""
    with av.open(source) as old, av.open(path, "w", options=options) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        step = round(1 / (25 * old.streams.video[0].time_base))
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None and packet.pts >= start * step:
                packet.pts -= show_from * step
                packet.dts -= show_from * step
                packet.stream = stream
                new.mux(packet)
    return path


@pytest.fixture
def write_clip(tmp_path: Path) -> Callable[..., Path]:
    """``write_numbered`` with a name in place of the path."""
    return lambda name, *args, **kwargs: write_numbered(tmp_path / name, *args, **kwargs)


@pytest.fixture
def remux(tmp_path: Path) -> Callable[..., Path]:
    """``copy_packets`` with a name in place of the path."""
    return lambda source, name, **kwargs: copy_packets(source, tmp_path / name, **kwargs)


@pytest.fixture
def number() -> Callable[[np.ndarray], int]:
    """Reads the number in a picture; -1 where it does not stand upright."""
    return read_number


def _packed(source: Path, path: Path) -> None:
    """Rewrite an MPEG-4 AVI the way DivX did: a B-frame rides in the packet before it, a dummy holds its place."""
    marker = b"\0\0\1\xb6"
    packets: list[tuple[bytes, bool]] = []
    with av.open(source) as old, av.open(path, "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            data = bytes(packet)
            if not data:
                continue
            if data[data.index(marker) + 4] >> 6 != 2:
                packets.append((data, packet.is_keyframe))
                dummy = len(packets)
            elif dummy == len(packets):
                packets[-1] = (packets[-1][0] + data, packets[-1][1])
                packets.append((marker + b"\x56\0\0", False))
            else:
                packets.insert(-1, (data, False))
        head = packets[0][0].index(marker)
        first = packets[0][0][:head] + b"\0\0\1\xb2DivX503b1393p" + packets[0][0][head:]
        for index, (data, key) in enumerate([(first, True), *packets[1:]]):
            packet = av.Packet(data)
            packet.pts = packet.dts = index
            packet.is_keyframe, packet.time_base, packet.stream = key, Fraction(1, 25), stream
            new.mux(packet)


_B = {"g": "20", "bf": "3"}
_OPEN = {"g": "15", "bf": "3", "x264-params": "open-gop=1:scenecut=0"}
_VARIABLE = np.cumsum(np.random.default_rng(0).integers(1, 40, 60)).tolist()
_QUARTER = {"clockwise": (-90, False, 1), "anticlockwise": (90, False, -1), "upside down": (180, False, 2)}

FORMATS = (
    "constant rate", "one keyframe", "variable rate", "open gop mp4", "open gop mkv", "open gop ts", "hevc open gop",
    "intra refresh ts", "edit list", "transport stream", "program stream", "avi mpeg4", "avi packed", "avi h264", "vp8",
    "vp9", "flv", "gif", "motion jpeg", "odd 4:4:4", "odd 4:2:0 turned", "10 bit", "full range", "rgb",
    "repeated times", "clockwise", "anticlockwise", "upside down", "mirrored", "turned and mirrored",
)  # fmt: skip


@pytest.fixture(scope="session", params=FORMATS)
def hard_clip(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[int]]:
    """A file that is hard to read exactly, and the numbers of its frames."""
    folder = tmp_path_factory.mktemp("clip")

    def write_clip(name: str, **kwargs: Any) -> Path:
        return write_numbered(folder / name, **kwargs)

    def remux(source: Path, name: str, **kwargs: Any) -> Path:
        return copy_packets(source, folder / name, **kwargs)

    quick = {"g": "20", "deadline": "realtime", "cpu-used": "8"}
    everything = list(range(60))
    match request.param:
        case "constant rate":
            path = write_clip("a.mp4", options={"g": "20", "bf": "0"})
        case "one keyframe":
            path = write_clip("a.mp4", options={"g": "250", "bf": "3"})
        case "variable rate":
            path = write_clip("a.mp4", options=_B, pts=_VARIABLE, time_base=Fraction(1, 600))
        case "open gop mp4":
            path = write_clip("a.mp4", options=_OPEN)
        case "open gop mkv":
            path = remux(write_clip("a.mp4", options=_OPEN), "a.mkv")
        case "open gop ts":
            path = remux(write_clip("a.mp4", options=_OPEN), "a.ts")
        case "hevc open gop":
            params = "log-level=none:open-gop=1:keyint=15:bframes=3"
            path = write_clip("a.mp4", codec="libx265", options={"preset": "ultrafast", "x265-params": params})
        case "intra refresh ts":
            source = write_clip("a.mp4", options={"g": "20", "bf": "0", "x264-params": "intra-refresh=1"})
            path = remux(source, "a.ts")
        case "edit list":
            path = remux(write_clip("a.mp4", options=_B), "cut.mp4", start=20, show_from=27)
            everything = list(range(27, 60))
        case "transport stream":
            path = remux(write_clip("a.mp4", options=_B), "a.ts")
        case "program stream":
            path = write_clip("a.mpg", codec="mpeg2video", options={"g": "12", "bf": "2", "q": "3"})
        case "avi mpeg4":
            path = write_clip("a.avi", codec="mpeg4", options=_B)
        case "avi packed":
            path = folder / "packed.avi"
            _packed(write_clip("a.avi", codec="mpeg4", options={"g": "20", "bf": "2"}), path)
        case "avi h264":
            path = write_clip("a.avi", options=_B)
        case "vp8":
            path = write_clip("a.webm", codec="libvpx", options={**quick, "auto-alt-ref": "1", "lag-in-frames": "10"})
        case "vp9":
            path = write_clip("a.webm", codec="libvpx-vp9", options=quick)
        case "flv":
            path = write_clip("a.flv", options=_B)
        case "gif":
            path = write_clip("a.gif", codec="gif", pix_fmt="rgb8")
        case "motion jpeg":
            path = write_clip("a.mov", codec="mjpeg", pix_fmt="yuvj420p")
        case "odd 4:4:4":
            path = write_clip("a.mp4", size=(161, 97), pix_fmt="yuv444p", options=_B)
        case "odd 4:2:0 turned":
            path = write_clip(
                "a.mov", codec="mjpeg", size=(161, 97), pix_fmt="yuvj420p", rotation=(-90, False), turn=np.rot90
            )
        case "10 bit":
            path = write_clip("a.mkv", pix_fmt="yuv420p10le", options=_B)
        case "full range":
            path = write_clip("a.mp4", pix_fmt="yuvj420p", options=_B)
        case "rgb":
            path = write_clip("a.avi", codec="rawvideo", pix_fmt="bgr24")
        case "repeated times":
            pts = [40 * (index // 2) for index in range(60)]
            path = write_clip("a.mkv", options={"g": "20", "bf": "0"}, pts=pts, time_base=Fraction(1, 1000))
        case "mirrored":
            path = write_clip("a.mp4", rotation=(0, True), turn=np.fliplr, options=_B)
        case "turned and mirrored":
            path = write_clip("a.mp4", rotation=(90, True), turn=lambda p: np.rot90(p[:, ::-1], -1), options=_B)
        case name:
            degrees, flip, quarters = _QUARTER[name]
            path = write_clip("a.mp4", rotation=(degrees, flip), turn=lambda p, k=quarters: np.rot90(p, k), options=_B)
    return path, everything
