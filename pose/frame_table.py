"""Which frames a video has: settled once by decoding the whole file, and never asked of a header again.

Frame ``i`` is the ``i``-th decoded frame of the file in presentation order, as ``ffmpeg -fps_mode passthrough``
presents it: frames that an edit list cuts away do not count, nothing is duplicated, nothing dropped.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from bisect import bisect_right
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from operator import itemgetter
from typing import Protocol

import av
import numpy as np

from pose.damage import Decoded, ranges_of, told
from pose.decoder import Decoder, Limits, VideoError
from pose.frame_times import varies
from pose.picture import checksum, orientation

__all__ = ["FrameTable", "Limits", "Scan", "VideoError", "scan"]

_MAGIC = b"PTFT"

#: Frames a second that no camera takes.
_FASTEST = 1e6
_VERSION = 1


@dataclass(frozen=True, eq=False)
class FrameTable:
    """The frames of a video file.

    Pixels are never resampled: a video with oblong pixels (some camcorders) keeps its stored width and height, and
    cropping that only the container asks for (``clap``, ``PixelCrop``) is not applied. A file padded to an even size
    may be larger than ``width`` by ``height`` by its last column and row; these are cut off.

    Attributes:
        pts: ``(F,)`` int64 timestamps in units of ``time_base``, ascending. Timestamps that are missing, repeated or
            run backwards in the file are replaced: the frame comes one interval after the one before it, and what
            follows is moved along.
        keyframe: ``(F,)`` bool, where decoding can begin.
        time_base: Seconds per unit.
        width: Of the displayed frame, after rotation.
        height: Of the displayed frame, after rotation.
        rotation: Degrees clockwise (0, 90, 180, 270) by which stored frames are turned for display.
        damage: None, or a sentence that says where decoding broke. The frames of the table are good then, too.
        mirrored: Whether frames are mirrored left to right after turning.
        seekable: Whether ``pts`` are the file's own, so that they lead to a frame.
        damaged: Ranges of frames that cannot be decoded, ``start <= i < stop``, ascending, with good frames in between.
            The last good frame before, or the first one of all, is shown in their place.
        checksum: ``(F,)`` uint32 of the decoded pictures (``pose.picture.checksum``), by which a reader knows that it
            came out at the right frame; None for our own proxies, where a timestamp is proof enough.
    """

    pts: np.ndarray
    keyframe: np.ndarray
    time_base: Fraction
    width: int
    height: int
    rotation: int = 0
    damage: str | None = None
    mirrored: bool = False
    seekable: bool = True
    damaged: tuple[tuple[int, int], ...] = ()
    checksum: np.ndarray | None = None

    def __post_init__(self) -> None:
        shape = (len(self.pts),)
        if self.pts.shape != shape or self.keyframe.shape != shape or not shape[0]:
            raise ValueError(f"pts {self.pts.shape} and keyframe {self.keyframe.shape} are not one row per frame")
        if self.checksum is not None and self.checksum.shape != shape:
            raise ValueError(f"{self.checksum.shape} checksums for {shape[0]} frames")
        if np.any(np.diff(self.pts) <= 0):
            raise ValueError("the timestamps of a frame table ascend")
        if self.rotation not in (0, 90, 180, 270):
            raise ValueError(f"frames are turned by quarters, not by {self.rotation} degrees")
        edges = np.array(self.damaged, dtype=np.int64).reshape(-1)
        if np.any(np.diff(edges, prepend=-1, append=shape[0] + 1) <= 0) or self.damaged == ((0, shape[0]),):
            raise ValueError(f"damaged frames {self.damaged} are no ranges of {shape[0]} frames with good ones between")

    @property
    def num_frames(self) -> int:
        """``F``."""
        return len(self.pts)

    @property
    def times(self) -> np.ndarray:
        """``(F,)`` float64 seconds since the first frame."""
        times: np.ndarray = (self.pts - self.pts[0]) * float(self.time_base)
        return times

    @property
    def fps(self) -> float:
        """Frames per second on average; 1 for a single frame."""
        return (self.num_frames - 1) / float(self.times[-1]) if self.num_frames > 1 else 1.0

    @property
    def duration(self) -> float:
        """Seconds, the last frame shown as long as an average one."""
        return self.num_frames / self.fps

    def group(self, index: int) -> tuple[int, int]:
        """The frames that are decoded one after the other around frame ``index``: from a keyframe up to the next."""
        keyframes = np.flatnonzero(self.keyframe) if self.seekable else np.zeros(0, dtype=np.int64)
        row = int(np.searchsorted(keyframes, index, side="right"))
        return int(keyframes[row - 1]) if row else 0, int(keyframes[row]) if row < len(keyframes) else self.num_frames

    @property
    def variable_rate(self) -> bool:
        """Return whether frames are spaced unevenly, by more than the rounding of timestamps."""
        return varies(self.times, float(self.time_base))

    @property
    def reason(self) -> str | None:
        """A sentence or two on what is wrong with the frames; None where nothing is."""
        return " ".join(filter(None, (self.damage, told(self.damaged, self.num_frames)))) or None

    def shown(self, index: int) -> int:
        """The frame whose picture is shown as frame ``index``: itself, or a good one where it is damaged."""
        row = bisect_right(self.damaged, index, key=itemgetter(0)) - 1
        if row < 0 or index >= self.damaged[row][1]:
            return index
        start, stop = self.damaged[row]
        return start - 1 if start else stop

    def to_bytes(self) -> bytes:
        """Pack for storage; ``from_bytes`` undoes it."""
        head = json.dumps(
            {
                "num_frames": self.num_frames,
                "time_base": [self.time_base.numerator, self.time_base.denominator],
                "width": self.width,
                "height": self.height,
                "rotation": self.rotation,
                "damage": self.damage,
                "mirrored": self.mirrored,
                "seekable": self.seekable,
                "checksum": self.checksum is not None,
                **({"damaged": self.damaged} if self.damaged else {}),
            }
        ).encode()
        body = np.diff(self.pts, prepend=0).astype("<i8").tobytes() + np.packbits(self.keyframe).tobytes()
        if self.checksum is not None:
            body += self.checksum.astype("<u4").tobytes()
        return _MAGIC + struct.pack("<BI", _VERSION, len(head)) + head + zlib.compress(body)

    @classmethod
    def from_bytes(cls, data: bytes) -> FrameTable:
        """Unpack what ``to_bytes`` packed.

        Raises:
            ValueError: The bytes are no frame table, are cut off, or are of a version that we do not know.
        """
        if data[:4] != _MAGIC or len(data) < 9:
            raise ValueError("these bytes are not a frame table")
        version, length = struct.unpack_from("<BI", data, 4)
        if version != _VERSION:
            raise ValueError(f"this frame table has version {version}; version {_VERSION} can be read")
        try:
            head = json.loads(data[9 : 9 + length])
            count, has_checksum = int(head.pop("num_frames")), bool(head.pop("checksum"))
            flags = -(-count // 8)
            expected = 8 * count + flags + 4 * count * has_checksum
            unpacking = zlib.decompressobj()
            body = unpacking.decompress(data[9 + length :], expected + 1)
        except (KeyError, TypeError, ValueError, zlib.error) as error:
            raise ValueError("this frame table is damaged") from error
        if len(body) != expected or not unpacking.eof:
            raise ValueError("this frame table is damaged: it does not have the length it claims")
        bits = np.frombuffer(body, np.uint8, flags, 8 * count)
        return cls(
            pts=np.cumsum(np.frombuffer(body, "<i8", count), dtype=np.int64),
            keyframe=np.unpackbits(bits, count=count).astype(bool),
            checksum=np.frombuffer(body, "<u4", count, 8 * count + flags).astype(np.uint32) if has_checksum else None,
            damaged=tuple((start, stop) for start, stop in head.pop("damaged", ())),
            **{**head, "time_base": Fraction(*head["time_base"])},
        )


class _Timestamps:
    """Which of its two timestamps to believe a frame, by which has run backwards less often so far.

    The rule of libavcodec's ``guess_correct_pts``: AVI has decoding times only, and other files have bad ones.
    """

    def __init__(self) -> None:
        self._last_pts = self._last_dts = -(1 << 63)
        self._faulty_pts = self._faulty_dts = 0

    def best(self, frame: Decoded) -> int | None:
        if frame.dts is not None:
            self._faulty_dts += frame.dts <= self._last_dts
            self._last_dts = frame.dts
        if frame.pts is not None:
            self._faulty_pts += frame.pts <= self._last_pts
            self._last_pts = frame.pts
        if frame.pts is None or (frame.dts is not None and self._faulty_pts > self._faulty_dts):
            return frame.dts
        return frame.pts


class Decodes(Protocol):
    """The part of ``pose.decoder.Decoder`` that is used here."""

    limits: Limits
    broken: bool
    missing: float
    unseen: int

    @property
    def time_base(self) -> Fraction:
        """Seconds per timestamp unit."""
        ...

    @property
    def nominal_rate(self) -> Fraction:
        """Frames per second as the header has it."""
        ...

    def frames(self) -> Iterator[Decoded]:
        """Frames in order."""
        ...


class Scan:
    """One pass through a decoder that hands frames on and takes notes for the frame table.

    Args:
        decoder: At the start of its file.
    """

    def __init__(self, decoder: Decodes) -> None:
        self._decoder = decoder
        self._pts: list[int] = []
        self._keyframe: list[bool] = []
        self._checksum: list[int] = []
        self._damaged: list[int] = []
        self._waiting: list[Decoded] = []  # damaged frames after which no good one has come yet
        self._stamps = _Timestamps()
        self._moved = 0
        self._seekable = True
        self._size: tuple[int, int] = (0, 0)
        self._resized: tuple[int, int] | None = None
        self.rotation = 0
        self.mirrored = False

    @property
    def num_frames(self) -> int:
        """Frames so far."""
        return len(self._pts)

    @property
    def last_pts(self) -> int:
        """The timestamp of the frame handed out last, as it will stand in the table."""
        return self._pts[-1]

    @property
    def interval(self) -> int:
        """The likely duration of the last frame: the distance to the one before, in units of time."""
        if self.num_frames > 1:
            return self._pts[-1] - self._pts[-2]
        return max(1, round(1 / (self._decoder.nominal_rate * self._decoder.time_base)))

    def frames(self) -> Iterator[av.VideoFrame]:
        """Decode the file; each frame comes when it has been noted, the last good one again where one is damaged.

        Raises:
            VideoError: The video exceeds the decoder's limits.
        """
        shown: av.VideoFrame | None = None
        for found in self._decoder.frames():
            frame = found.frame
            if frame is not None and shown is None:
                self._decoder.limits.check_size(frame.width, frame.height)
                self._size = frame.width, frame.height
                self.rotation, self.mirrored = orientation(frame)
            elif frame is not None and (frame.width, frame.height) != self._size:
                self._resized = self._resized or (frame.width, frame.height)
                found = Decoded(None, found.pts, found.dts)
            if found.frame is None:
                self._waiting.append(found)
                self._check_length()
                continue
            yield from self._replaced(shown or found.frame)
            shown, self._resized = found.frame, None
            self._note(found)
            self._check_length()
            yield found.frame
        if shown is not None and not (self._decoder.broken or self._decoder.missing or self._resized):
            yield from self._replaced(shown)

    def _replaced(self, picture: av.VideoFrame) -> Iterator[av.VideoFrame]:
        for found in self._waiting:
            self._damaged.append(self.num_frames)
            self._note(found)
            self._check_length()
            yield picture
        self._waiting = []

    def _check_length(self) -> None:
        seconds = float((self._pts[-1] - self._pts[0]) * self._decoder.time_base) if self._pts else 0.0
        self._decoder.limits.check_length(self.num_frames + len(self._waiting), seconds)

    def _note(self, found: Decoded) -> None:
        stamp = self._stamps.best(found)
        pts = None if stamp is None else stamp + self._moved
        if pts is None or (self._pts and pts <= self._pts[-1]):
            repaired = self._pts[-1] + self.interval if self._pts else 0
            self._moved += 0 if pts is None else repaired - pts
            pts = repaired
        frame = found.frame
        self._seekable &= frame is None or pts == found.pts
        self._pts.append(pts)
        self._keyframe.append(frame is not None and bool(frame.key_frame))
        self._checksum.append(0 if frame is None else checksum(frame))

    def table(self) -> FrameTable:
        """The table of the frames seen, once ``frames`` has come to its end.

        Raises:
            VideoError: There was not one good frame.
        """
        if not self._pts:
            megapixels = self._decoder.limits.max_pixels / 1e6
            raise VideoError(
                f"Not one frame can be decoded: the file is damaged, or its picture is larger than the "
                f"{megapixels:.0f} megapixels that are accepted."
            )
        width, height = self._size
        if self.rotation % 180:
            width, height = height, width
        return FrameTable(
            pts=np.array(self._pts, dtype=np.int64),
            keyframe=np.array(self._keyframe, dtype=bool),
            time_base=self._decoder.time_base,
            width=width,
            height=height,
            rotation=self.rotation,
            damage=self._damage(),
            mirrored=self.mirrored,
            seekable=self._seekable,
            damaged=ranges_of(self._damaged),
            checksum=np.array(self._checksum, dtype=np.uint32),
        )

    def _damage(self) -> str | None:
        last = self.num_frames - 1
        until = float((self._pts[-1] - self._pts[0] + self.interval) * self._decoder.time_base)
        good = f"Frames 0 to {last} ({until:.1f} s) are good and can be used; the rest is left out."
        if self._resized is not None and not (self._decoder.broken or self._decoder.missing):
            width, height = self._resized
            return f"From frame {last + 1} on the picture has another size ({width} x {height}). {good}"
        if self._decoder.broken:
            return f"The video cannot be decoded beyond frame {last}: the file is damaged there or cut off. {good}"
        if missing := self._decoder.missing:
            return f"The file is cut off: about {max(missing, 0.1):.1f} s are missing at its end. {good}"
        if (unseen := self._decoder.unseen) > self.num_frames:
            return (
                f"The file has {unseen} frames more that its edit list or a wrong time scale hides. To have them, run"
                " ffmpeg -ignore_editlist 1 -i file.mp4 -c copy fixed.mp4 and check the frame rate."
            )
        if until * _FASTEST < self.num_frames - 1:
            return f"The times in the file cannot be right: {self.num_frames} frames in {until:.6f} seconds."
        return None


def scan(path: str | os.PathLike[str], limits: Limits | None = None) -> FrameTable:
    """Settle which frames a video file has, by decoding all of it once.

    Raises:
        FileNotFoundError: There is no such file.
        VideoError: The file is no video that we read, has no good frame, or exceeds the limits.
    """
    with closing(Decoder(path, limits)) as decoder:
        notes = Scan(decoder)
        for _ in notes.frames():
            pass
        return notes.table()
