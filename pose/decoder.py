"""Opening a stranger's video file with care, and decoding its first video stream in presentation order.

Nothing but the named file is ever opened, only listed containers and codecs are, and the size that the header claims
is checked before a picture is allocated. What hostile files can still cost (memory, time) is for the process that
calls to limit.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition

#: libavformat's names. Left out: whatever opens other files or URLs (hls, dash, concat, image sequences) and stills.
DEMUXERS = ("mov", "matroska", "webm", "avi", "mpegts", "mpeg", "gif", "flv", "asf", "ogg")

# fmt: off
CODECS = frozenset((
    "h264", "hevc", "av1", "libdav1d", "vp8", "libvpx", "vp9", "libvpx-vp9", "mpeg4", "mpeg2video", "mpeg1video",
    "mpegvideo", "mjpeg", "gif", "theora", "prores", "dnxhd", "dvvideo", "h263", "flv", "vp6", "vp6f", "msmpeg4",
    "msmpeg4v1", "msmpeg4v2", "wmv1", "wmv2", "wmv3", "vc1", "cinepak", "svq1", "svq3", "qtrle", "rawvideo", "ffv1",
    "huffyuv", "ffvhuff", "utvideo", "png",
))
# fmt: on

_OTHER_PICTURES = Disposition.attached_pic | Disposition.still_image | Disposition.timed_thumbnails


class VideoError(ValueError):
    """A video that cannot be used; its text is a sentence for the person who uploaded it."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The largest video that is accepted.

    Attributes:
        max_pixels: Width times height of a frame, as stored; the default takes 8K.
        max_frames: Frames in all.
        max_seconds: From the first frame to the last.
    """

    max_pixels: int = 1 << 26
    max_frames: int = 1_000_000
    max_seconds: float = 6 * 3600

    @classmethod
    def none(cls) -> Limits:
        """For files that were accepted before."""
        return cls(max_pixels=sys.maxsize, max_frames=sys.maxsize, max_seconds=float("inf"))

    def check_size(self, width: int, height: int) -> None:
        """Refuse a picture with too many pixels (``VideoError``)."""
        if width * height > self.max_pixels:
            raise VideoError(
                f"The picture is {width} x {height} pixels; up to {self.max_pixels / 1e6:.1f} megapixels are accepted."
            )

    def check_length(self, frames: int, seconds: float) -> None:
        """Refuse a video that is too long (``VideoError``)."""
        if frames > self.max_frames:
            raise VideoError(f"The video has more than the {self.max_frames} frames that are accepted: cut it.")
        if seconds > self.max_seconds:
            raise VideoError(f"The video is longer than the {self.max_seconds:g} seconds that are accepted: cut it.")


class Decoder:
    """The first video stream of a file, decoded forward in presentation order.

    Decoding stops at the first error, also at one that the codec could paint over, so that no frame with invented
    content is handed out. Errors before the first frame are passed over: a stream that begins between two keyframes,
    or one that was entered by a seek, has frames there that nobody could decode. Bit errors that leave a stream
    valid cannot be noticed.

    One thread at a time. Frames come in the same order, up to the same point, however many threads decode.

    Args:
        path: A local file.
        limits: What to refuse by the header's claims.
        threads: How many threads decode; None for as many as the machine and the codec have use for.

    Raises:
        FileNotFoundError: There is no such file.
        VideoError: The file is no video that we read, or exceeds the limits.
    """

    def __init__(
        self, path: str | os.PathLike[str], limits: Limits | None = None, *, threads: int | None = None
    ) -> None:
        self.path = Path(path)
        self._threads = threads
        self.limits = limits or Limits()
        #: Whether the last run of ``frames`` ended at an error instead of the end of the file.
        self.broken = False
        #: Seconds of video that are missing at the end of the file, as the last run of ``frames`` found out.
        self.missing = 0.0
        self._open()

    def _open(self) -> None:
        if not self.path.is_file():
            raise FileNotFoundError(f"there is no file {self.path}")
        if not self.path.stat().st_size:
            raise VideoError("The file is empty.")
        try:
            self._container = av.open(
                f"file:{self.path.absolute()}",
                options={
                    "protocol_whitelist": "file",
                    "format_whitelist": ",".join(DEMUXERS),
                    "max_pixels": self._allocation,
                },
                metadata_errors="replace",
            )
        except (av.FFmpegError, ValueError) as error:
            raise VideoError(
                "This is not a video that can be read. MP4, MOV, MKV, WebM, AVI, MPEG, GIF, FLV, WMV and Ogg files "
                "are; a still image is not, nor an MP4 or MOV recording that was cut off before its index was written."
            ) from error
        try:
            self.stream = self._select_stream()
        except VideoError:
            self.close()
            raise

    def _select_stream(self) -> av.VideoStream:
        streams = [s for s in self._container.streams.video if not s.disposition & _OTHER_PICTURES]
        if not streams:
            raise VideoError("The file has no video in it, only sound or a still image.")
        stream = streams[0]
        context = stream.codec_context
        if context is None or context.name not in CODECS:
            raise VideoError("The video is compressed in a way that is not supported: convert it to H.264 (MP4).")
        self.limits.check_size(context.width, context.height)
        self.limits.check_length(0, (self._container.duration or 0) / 1e6)
        context.options = {"err_detect": "explode", "max_pixels": self._allocation}
        context.thread_type = "AUTO"
        context.thread_count = self._threads or 0
        return stream

    @property
    def _allocation(self) -> str:
        # Codecs allocate whole blocks, more than the picture shown; the size shown is checked frame by frame.
        return str(min(2 * self.limits.max_pixels, (1 << 31) - 1))

    @property
    def time_base(self) -> Fraction:
        """Seconds per timestamp unit."""
        return self.stream.time_base or Fraction(1, 1000)

    @property
    def nominal_rate(self) -> Fraction:
        """Frames per second as the header has it, 25 where it has none."""
        return self.stream.average_rate or self.stream.base_rate or Fraction(25)

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def rewind(self) -> None:
        """Go back to the start of the file, exactly as if it had just been opened."""
        self.close()
        self._open()

    def seek(self, pts: int) -> bool:
        """Go to a keyframe at or before ``pts``, as far as the container can tell; False where it cannot seek."""
        try:
            self._container.seek(pts, stream=self.stream)
        except (av.FFmpegError, OSError):
            return False
        return True

    def frames(self) -> Iterator[av.VideoFrame]:
        """Decode from here to the end of the file or the first error; ``broken`` and ``missing`` tell which.

        Raises:
            MemoryError: The process may not have the memory that decoding takes.
        """
        self.broken, self.missing = False, 0.0
        # A transport stream marks packets as corrupt at each seam of its parts; there the decoder is the judge.
        complete = self._container.format.name == "mpegts"
        shown: int | None = None
        newest = last_dts = -(1 << 63)
        started = False
        try:
            for packet in self._container.demux(self.stream):
                if packet.is_corrupt and not complete:
                    if started:
                        self.broken = True
                        return
                    continue
                if packet.pts is not None and not packet.is_discard:
                    newest = max(newest, packet.pts)
                if packet.size:
                    last_dts = packet.dts if packet.dts is not None else last_dts
                else:
                    self.missing = self._missing_seconds(newest)
                try:
                    decoded = packet.decode()
                except av.FFmpegError as error:
                    if started or not packet.size or isinstance(error, MemoryError):
                        raise
                    continue
                for frame in decoded:
                    if frame.is_corrupt:
                        self.broken = True
                        return
                    if self.missing and frame.pts is not None and frame.pts > last_dts:
                        return  # a frame to be shown before this one may be among the missing
                    started, shown = True, frame.pts
                    yield frame
        except MemoryError:
            raise
        except (av.FFmpegError, OSError):
            self.broken = True
            return
        # An error while the decoder's queue is emptied at the end drops the frames behind it without a word. (AVI has
        # packets without a frame, and timestamps that count packets.)
        self.broken = shown is not None and shown < newest and self._container.format.name != "avi"

    def timestamps(self) -> tuple[np.ndarray, np.ndarray]:
        """Read the packets without decoding them: what is in a file that we wrote ourselves.

        Returns:
            ``(F,)`` int64 timestamps and ``(F,)`` bool keyframe flags, in the order of the file.
        """
        packets = [(p.pts, p.is_keyframe) for p in self._container.demux(self.stream) if p.pts is not None]
        pts, keyframe = zip(*packets, strict=True) if packets else ((), ())
        return np.array(pts, dtype=np.int64), np.array(keyframe, dtype=bool)

    def _missing_seconds(self, newest: int) -> float:
        name = self._container.format.name
        until = float((newest - (self.stream.start_time or 0)) * self.time_base + 1 / self.nominal_rate)
        declared = 0.0
        if "mov" in name:
            size = self.path.stat().st_size
            lost = [entry.timestamp for entry in self.stream.index_entries if entry.pos + entry.size > size]
            return float(max((self.stream.duration or 0) - min(lost), 1) * self.time_base) if lost else 0.0
        if "matroska" in name:
            with suppress(KeyError, ValueError):
                hours, minutes, seconds = self.stream.metadata["DURATION"].split(":")
                declared = int(hours) * 3600 + int(minutes) * 60 + float(seconds)
        elif "avi" in name:
            declared = float((self.stream.duration or 0) * self.time_base)
        # Declared lengths are rounded, and may count from an earlier start than the first frame.
        return declared - until if declared - until > 0.5 else 0.0
