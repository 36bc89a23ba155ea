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
from typing import cast

import av
import numpy as np
from av.codec.context import Flags
from av.video.codeccontext import VideoCodecContext

from pose.damage import DamageTracker, Decoded
from pose.packets import AviIndex, Group, contiguous, decode, indexed
from pose.video_stream import choose, remedy

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

#: Codecs of which each packet is a picture, or a field of one.
# fmt: off
_PICTURE_A_PACKET = frozenset((
    "h264", "hevc", "av1", "libdav1d", "vp8", "libvpx", "vp9", "libvpx-vp9", "mpeg2video", "mpeg1video", "mpegvideo",
    "mpeg4", "mjpeg", "prores", "dnxhd", "dvvideo", "rawvideo", "ffv1", "huffyuv", "ffvhuff", "utvideo", "png",
))
# fmt: on

#: An MPEG-4 packet that says that a picture is not coded.
_REPEATED_BYTES = 10

#: Containers that do not say how many frames there are.
_UNCOUNTED = ("mpegts", "mpeg")


class _PacketNumber(int):
    """A packet's number that travels with it through the decoder; each is an object of its own.

    PyAV finds what it attached by the object's address, in one table for the whole process, and drops the entry with
    the first packet that is freed. Python has small integers once, so that two decoders would drop each other's.
    """


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
    """The video stream of a file, decoded forward in presentation order.

    What cannot be decoded, what the codec would only paint over, and what refers to either, is given as damaged, so
    that no frame with invented content is handed out and the frames after it keep their places, see
    ``pose.damage.DamageTracker``. Errors before the first frame are passed over: a stream that begins between two
    keyframes, or one that was entered by a seek, has frames there that nobody could decode. Bit errors that leave a
    stream valid cannot be noticed.

    One thread at a time. Frames come in the same order, up to the same point, however many threads decode.

    Attributes:
        stream: The stream that is decoded.
        choice: How it was chosen.

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
        #: Whether the file is cut off or unreadable where the last run of ``frames`` ended.
        self.broken = False
        #: Frames that the file's sample table has and that its edit list or its times hide, but for those in front.
        self.unseen = 0
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
                remedy(self.path)
                or "This is not a video that can be read. MP4, MOV, MKV, WebM, AVI, MPEG, GIF, FLV, WMV and Ogg files "
                "are; a still image is not, nor an MP4 or MOV recording that was cut off before its index was written."
            ) from error
        try:
            self.stream = self._select_stream()
            self._index: AviIndex | None = None
        except VideoError:
            self.close()
            raise

    def _select_stream(self) -> av.VideoStream:
        streams = [stream for stream in self._container.streams.video if stream.codec_context is not None]
        readable = [stream for stream in streams if stream.codec_context.name in CODECS]
        chosen = choose(readable)
        if chosen is None:
            if choose(streams) is None:
                raise VideoError("The file has no video in it, only sound or a still image.")
            raise VideoError("The video is compressed in a way that is not supported: convert it to H.264 (MP4).")
        stream, self.choice = chosen
        context = stream.codec_context
        self.limits.check_size(context.width, context.height)
        self.limits.check_length(0, self._claimed_seconds())
        context.options = {"err_detect": "explode", "max_pixels": self._allocation}
        context.flags |= Flags.output_corrupt | Flags.copy_opaque
        context.thread_type = "AUTO"
        context.thread_count = self._threads or 0
        return stream

    def _claimed_seconds(self) -> float:
        end, start = (self._container.duration or 0) / 1e6, (self._container.start_time or 0) / 1e6
        # Pieces of a Matroska recording keep its clock, and their duration is when they end.
        return end - start if 0 < start < end and "matroska" in self._container.format.name else end

    @property
    def _allocation(self) -> str:
        # Codecs allocate whole blocks, more than the picture shown; the size shown is checked frame by frame.
        return str(min(2 * self.limits.max_pixels, (1 << 31) - 1))

    @property
    def claimed_frames(self) -> int:
        """The number of frames that the header claims; 0 where it claims none."""
        return int(self.stream.frames)

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

    def frames(self) -> Iterator[Decoded]:
        """Decode from here to the end of the file; ``broken`` and ``missing`` tell whether it is cut off there.

        Damaged frames at the end of a file that is whole are given as such. Where it is cut off nobody knows how many
        there were: whoever wants good frames alone leaves out the damaged ones at the end.

        Raises:
            MemoryError: The process may not have the memory that decoding takes.
        """
        self.broken, self.missing, self.unseen = False, 0.0, 0
        tracker = self._tracker()
        group = Group()
        try:
            yield from self._decoded(tracker, group)
        except MemoryError:
            raise
        except (av.FFmpegError, OSError):
            self.broken = True
        yield from self._again(tracker, group)
        yield from tracker.finish()
        self.broken |= bool(tracker.tail) and self._container.format.name in _UNCOUNTED

    def _tracker(self) -> DamageTracker:
        context = self.stream.codec_context
        intra = context.codec.intra_only
        return DamageTracker(
            silent=context.name not in _PICTURE_A_PACKET,
            # AVI has decoding times only.
            timed=self._container.format.name != "avi" or intra,
            reordered=bool(context.has_b_frames),
            interval=float(1 / (self.nominal_rate * self.time_base)),
        )

    def _decoded(self, tracker: DamageTracker, group: Group) -> Iterator[Decoded]:
        name = self._container.format.name
        newest = last_dts = -(1 << 63)
        whole = True
        shown = in_front = 0
        # A parser takes the mark off a keyframe that is damaged; files with an index begin with one.
        begins = name not in _UNCOUNTED and self._begins_with_keyframe()
        for packet in self._packets(tracker):
            if packet.pts is not None and not packet.is_discard:
                newest = max(newest, packet.pts)
            if packet.size:
                last_dts = packet.dts if packet.dts is not None else last_dts
                keyframe = packet.is_keyframe or begins
                number = tracker.send(packet.pts, keyframe=keyframe, hidden=self._is_hidden(packet))
                begins = False
                shown += not packet.is_discard
                in_front += packet.is_discard and not shown
                # A transport stream marks packets as corrupt at each seam of its parts; there the decoder is the judge.
                whole = name == "mpegts" or not packet.is_corrupt
                if packet.is_corrupt and whole:
                    tracker.doubt(number)
                if not whole:
                    tracker.lose(number)
                    continue
                packet.opaque = _PacketNumber(number)
                group.add(packet)
            else:
                self.missing = self._missing_seconds(newest)
            for frame in decode(packet, tracker):
                if self.missing and frame.pts is not None and frame.pts > last_dts:
                    break  # a frame to be shown before this one may be among the missing
                yield from tracker.take(frame)
        self.broken |= not whole
        if "mov" in name:
            self.unseen = max(0, self.stream.frames - shown - in_front)

    def _packets(self, tracker: DamageTracker) -> Iterator[av.Packet]:
        """The stream's packets, and last an empty one; the tracker is told of those that the demuxer passes over."""
        name = self._container.format.name
        if "matroska" in name:
            return contiguous(self._container, self.stream, tracker)
        packets = (packet for packet in self._container.demux(self.stream) if packet.size or packet.dts is None)
        if name == "avi":
            self._index = self._index or AviIndex(self.stream, self.path)
            return indexed(packets, self._index, tracker, intra=self.stream.codec_context.codec.intra_only)
        return packets

    def _begins_with_keyframe(self) -> bool:
        first = next(iter(self.stream.index_entries), None)
        return first is None or first.is_keyframe

    def _is_hidden(self, packet: av.Packet) -> bool:
        name = self.stream.codec_context.name
        if name in ("vp8", "libvpx") and not memoryview(packet)[0] & 0x10:
            return True  # a picture that others refer to and that is never shown
        if name == "mpeg4" and packet.size < _REPEATED_BYTES:
            return True  # it only holds the place of a picture that came with an earlier packet
        return packet.is_discard

    def _again(self, tracker: DamageTracker, group: Group) -> Iterator[Decoded]:
        """Decode the end of the file a second time, packet by packet: several threads drop what is behind an error."""
        pending = tracker.pending()
        if self.missing or not pending or not any(packet.opaque in pending for packet in group.packets):
            return
        context = cast("VideoCodecContext", av.CodecContext.create(self.stream.codec_context.name, "r"))
        context.extradata = self.stream.codec_context.extradata
        context.options = self.stream.codec_context.options
        context.flags |= Flags.output_corrupt | Flags.copy_opaque
        context.thread_count = 1
        for packet in (*group.packets, None):
            try:
                frames = context.decode(packet)
            except MemoryError:
                raise
            except (av.FFmpegError, OSError):
                continue
            for frame in frames:
                if frame.opaque in pending:
                    yield from tracker.take(frame)

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
        first = 0 if "matroska" in name else self.stream.start_time or 0
        until = float((newest - first) * self.time_base + 1 / self.nominal_rate)
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
