"""The proxy: the copy of a video that people label and engines read, quick to seek in and fit for any browser.

H.264 (or VP9, where that is chosen), yuv420p, a keyframe at least every 30 frames (of frames larger than 1080p oftener,
see ``group_length``), no B-frames, ``moov`` in front.
Frame for frame the source: the same count, the same times since the first frame, already turned. Samples of yuv420p
sources are coded as they are; other formats are converted (10 bits to 8 without tone mapping). Pixels are taken as
square. Odd sizes are padded by repeating the last column or row, which the proxy's frame table tells ``Video`` to cut
off again.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import OutputContainer
from av.video.reformatter import ColorRange

from pose.decoder import Decoder, Limits, VideoError
from pose.frame_table import FrameTable, Scan
from pose.image_archive import Source, open_source
from pose.picture import Converter

#: x264's settings: 30 frames is what a random read decodes at most; crf 16 is visually lossless. A proxy is written
#: once and decoded again and again: "fastdecode" halves what that takes, for a seventh more bytes.
ENCODER = {"g": "30", "bf": "0", "crf": "16", "preset": "veryfast", "tune": "fastdecode"}

#: Pixels that a random read decodes at most: thirty frames of 1080p.
_GROUP_PIXELS = 30 * 1920 * 1080
_LONGEST, _SHORTEST = 30, 6

Encoder = Literal["libx264", "libvpx-vp9"]

#: By encoder. VP9 is for those who do without x264, which is under the GPL; it writes no frame that is not shown.
ENCODERS: dict[Encoder, dict[str, str]] = {
    "libx264": ENCODER,
    "libvpx-vp9": {
        "g": "30",
        "b": "0",
        "crf": "12",
        "deadline": "realtime",
        "cpu-used": "5",
        "lag-in-frames": "0",
        "auto-alt-ref": "0",
        "row-mt": "1",
    },
}


def group_length(width: int, height: int) -> int:
    """Frames from a keyframe up to the next, at most: fewer of large frames, which take longer to decode."""
    return max(_SHORTEST, min(_LONGEST, _GROUP_PIXELS // (width * height)))


def write_proxy(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    limits: Limits | None = None,
    table: FrameTable | None = None,
    encoder: Encoder = "libx264",
) -> Generator[int, None, tuple[FrameTable, FrameTable]]:
    """Write the proxy of a video, and both frame tables, decoding the source once.

    ``target`` appears when all is done; an error, or closing the generator, leaves nothing behind.

    Args:
        source: The video, or a ZIP of numbered images.
        target: Where the proxy goes, as MP4 whatever the name.
        limits: What is too large to be accepted.
        table: The source's frame table where it is known already; the decoder must agree with it.
        encoder: What encodes it.

    Yields:
        Frames done so far, after each frame.

    Returns:
        The frame tables of source and proxy (``tables = yield from write_proxy(...)``).

    Raises:
        FileNotFoundError: There is no such source.
        VideoError: The source is no video that we read, has no good frame or exceeds the limits; ``table`` is not its
            frame table; or the proxy did not get the same frames.
    """
    part = Path(f"{os.fspath(target)}.part")
    try:
        with closing(open_source(Path(source), limits)) as decoder:
            notes = Scan(decoder)
            with av.open(
                f"file:{part.absolute()}", "w", format="mp4", container_options={"movflags": "faststart"}
            ) as container:
                yield from _encode(decoder, notes, container, encoder)
            found = notes.table()
        if table is not None and not np.array_equal(table.pts, found.pts):
            raise VideoError("The file was changed since its frames were counted: upload it again.")
        proxy = _proxy_table(part, found)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return found, proxy


def _encode(decoder: Source, notes: Scan, container: OutputContainer, encoder: Encoder) -> Generator[int, None, None]:
    converter = Converter()
    stream: av.VideoStream | None = None
    start = 0
    for decoded in notes.frames():
        frame = converter.yuv420(decoded, notes.rotation, notes.mirrored)
        if stream is None:
            stream = _add_stream(container, decoder, frame, decoded, encoder)
            start = notes.last_pts
        frame.pts = notes.last_pts - start
        frame.time_base = decoder.time_base
        frame.pict_type = 0
        for packet in stream.encode(frame):
            packet.duration = notes.interval
            container.mux(packet)
        yield notes.num_frames
    for packet in stream.encode() if stream else ():
        packet.duration = notes.interval
        container.mux(packet)


def _add_stream(
    container: OutputContainer, decoder: Source, frame: av.VideoFrame, decoded: av.VideoFrame, encoder: Encoder
) -> av.VideoStream:
    options = {**ENCODERS[encoder], "g": str(group_length(frame.width, frame.height))}
    stream = container.add_stream(encoder, rate=decoder.nominal_rate.limit_denominator(100_000), options=options)
    stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
    context = stream.codec_context
    context.time_base = decoder.time_base
    stream.time_base = decoder.time_base
    context.colorspace = frame.colorspace
    context.color_primaries = decoded.color_primaries
    context.color_trc = decoded.color_trc
    context.color_range = ColorRange.MPEG
    context.sample_aspect_ratio = Fraction(1)
    return stream


def _proxy_table(path: Path, source: FrameTable) -> FrameTable:
    # What we wrote may be a padded pixel larger than what was accepted.
    with closing(Decoder(path, Limits(max_pixels=1 << 30, max_seconds=float("inf")))) as decoder:
        pts, keyframe = decoder.timestamps()
        time_base = decoder.time_base
    if len(pts) != source.num_frames:
        raise VideoError(f"The copy for labelling has {len(pts)} frames where the video has {source.num_frames}.")
    proxy = FrameTable(pts=pts, keyframe=keyframe, time_base=time_base, width=source.width, height=source.height)
    if not np.allclose(proxy.times, source.times, rtol=0, atol=float(time_base)):
        raise VideoError("The copy for labelling does not show its frames at the video's times.")
    return proxy
