"""Which of a file's video streams is the video, and what to do about files that have no container."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import av
from av.stream import Disposition

_OTHER_PICTURES = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails

#: Writers mark the first stream as default where nobody chose. Where it has fewer than this share of the largest
#: stream's pixels, it is a preview.
_PREVIEW = 0.5

_LOOK_BYTES = 1 << 16
_H264_STARTS, _HEVC_STARTS = (6, 7, 9), (32, 33, 35, 39)  # kinds of unit that a stream begins with


@dataclass(frozen=True)
class StreamChoice:
    """Which video stream of a file was taken.

    Attributes:
        index: Its place among the file's video streams, as in ffmpeg's ``-map 0:v:INDEX``.
        of: How many there are, cover pictures among them.
        reason: Why: it is the ``only`` one that moves, it is marked as ``default``, or it is the ``largest``.
    """

    index: int
    of: int
    reason: Literal["only", "default", "largest"]


def choose(streams: Sequence[av.VideoStream]) -> tuple[av.VideoStream, StreamChoice] | None:
    """Choose the video among a file's video streams: the largest, unless another is marked as default.

    Returns:
        The stream and the choice; None where there is none but still images.
    """
    moving = [stream for stream in streams if not stream.disposition & _OTHER_PICTURES]
    if not moving:
        return None
    largest = max(moving, key=_pixels)
    marked = [stream for stream in moving if stream.disposition & Disposition.default]
    taken = largest
    if len(marked) == 1 and (marked[0] is not moving[0] or _pixels(marked[0]) >= _PREVIEW * _pixels(largest)):
        taken = marked[0]
    if len(moving) == 1:
        return taken, StreamChoice(streams.index(taken), len(streams), "only")
    return taken, StreamChoice(streams.index(taken), len(streams), "largest" if taken is largest else "default")


def remedy(path: Path) -> str | None:
    """Advice about a file that is a compressed stream without a container, as a sentence; None for others."""
    with path.open("rb") as file:
        data = file.read(_LOOK_BYTES)
    kind = _annex_b(data)
    if kind is not None:
        name, ending = kind
        return (
            f"This is a raw {name} stream: it has no frame rate and no times. Put it into a container first, with the "
            f"rate that it was recorded at: ffmpeg -r 30 -i file.{ending} -c copy file.mp4"
        )
    if data.startswith(b"\xff\xd8\xff") and b"\xff\xd9\xff\xd8\xff" in data:
        return (
            "This is a raw Motion JPEG stream: it has no frame rate and no times. Put it into a container first, with "
            "the rate that it was recorded at: ffmpeg -f mjpeg -r 30 -i file.mjpeg -c copy file.avi"
        )
    if data.startswith(b"PK\x03\x04"):
        return "This is a ZIP: unpack it, and name the folder with its numbered images instead."
    if data.startswith(b"DKIF"):
        return "This is an IVF file. Put its stream into another container: ffmpeg -i file.ivf -c copy file.webm"
    return None


def _annex_b(data: bytes) -> tuple[str, str] | None:
    """Name and usual ending of a stream of H.264 or H.265 units between start codes."""
    start = data.find(b"\0\0\1", 0, 64)
    if start < 0 or data[:start].strip(b"\0") or len(data) < start + 5:
        return None
    head, second = data[start + 3], data[start + 4]
    if head & 0x80:
        return None
    # An H.265 unit has a head of two bytes that ends in the number of its layer and that of its temporal layer.
    if head >> 1 & 0x3F in _HEVC_STARTS and not head & 1 and second >> 3 == 0 and second & 7 == 1:
        return "H.265", "hevc"
    if head & 0x1F in _H264_STARTS:
        return "H.264", "h264"
    return None


def _pixels(stream: av.VideoStream) -> int:
    return stream.width * stream.height
