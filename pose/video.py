"""Reading a video frame by frame, exactly: ``read(i)`` is frame ``i`` of the frame table, wherever it stands."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from itertools import chain
from types import TracebackType
from typing import Self

import av
import cv2
import numpy as np

from pose.damage import Decoded
from pose.decoder import Decoder, Limits, VideoError
from pose.frame_table import FrameTable, scan
from pose.picture import Converter, checksum, turn
from pose.video_writer import VideoWriter

__all__ = ["VideoReader", "VideoWriter"]

#: Memory for decoded frames, unless told otherwise: 90 frames of 720p.
RECENT_BYTES = 128 * 2**20


class VideoReader:
    """A video open for reading; a context manager.

    A seek is never believed: the frame that comes out must carry the timestamp and, where the table has one, the
    checksum of the frame that was asked for. Otherwise decoding begins at an earlier keyframe, in the end at the start
    of the file. Files whose timestamps lead nowhere (``table.seekable`` is False) are always read from the start. In
    the place of a damaged frame stands the last good one.

    One thread at a time, and not across a fork. Frames decoded last are kept as they came out of the decoder, so that
    asking for them again, in gray or a little later, costs neither a seek nor decoding; memory does not grow with the
    video.

    Args:
        path: The file.
        table: Its frame table; without one the file is scanned first, which decodes all of it.
        limits: What is too large to be opened; where there is a table, by default nothing: the file was accepted then.
        key: Tells videos apart to those who remember what they saw; equal keys must mean equal frames.
        recent_bytes: Memory for decoded frames.
        keep_passed: Keep frames as well that were decoded only on the way to one that was asked for.
        threads: How many threads decode; None for as many as the machine and the codec have use for.

    Raises:
        FileNotFoundError: There is no such file.
        VideoError: The file is no video that we read, or exceeds the limits.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        table: FrameTable | None = None,
        *,
        limits: Limits | None = None,
        key: str | None = None,
        recent_bytes: int = RECENT_BYTES,
        keep_passed: bool = False,
        threads: int | None = None,
    ) -> None:
        self.key = key
        self._keep_passed = keep_passed
        self._recent: OrderedDict[int, av.VideoFrame] = OrderedDict()
        self._room = self._recent_bytes = recent_bytes
        self.table = table if table is not None else scan(path, limits)
        self._decoder = Decoder(path, limits or (Limits.none() if table is not None else None), threads=threads)
        self._converter = Converter()
        self._keyframes = np.flatnonzero(self.table.keyframe)
        self._from_start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.forget()
        self._decoder.close()

    def forget(self) -> None:
        """Let go of the frames that were decoded last."""
        self._recent.clear()
        self._room = self._recent_bytes

    @property
    def num_frames(self) -> int:
        """``F``."""
        return self.table.num_frames

    @property
    def width(self) -> int:
        """Pixels of the displayed frame."""
        return self.table.width

    @property
    def height(self) -> int:
        """Pixels of the displayed frame."""
        return self.table.height

    @property
    def fps(self) -> float:
        """Frames per second on average."""
        return self.table.fps

    @property
    def times(self) -> np.ndarray:
        """``(F,)`` float64 seconds since the first frame."""
        return self.table.times

    @property
    def damaged(self) -> tuple[tuple[int, int], ...]:
        """Ranges of frames that are damaged, ``start <= i < stop``."""
        return self.table.damaged

    def read(self, index: int, size: tuple[int, int] | None = None) -> np.ndarray:
        """Frame ``index``, ``(H, W, 3)`` uint8 RGB.

        Args:
            index: The frame.
            size: Width and height to shrink it to; None for as it is.

        Raises:
            IndexError: The video has no such frame.
            VideoError: The file is not the one that the table was made from, or has been damaged since.
        """
        if not 0 <= index < self.num_frames:
            raise IndexError(f"frame {index} of a video with {self.num_frames} frames")
        frame = self._frame(index)
        if size is None or size == (self.width, self.height):
            return self._shown(self._converter.rgb(frame))
        if (frame.width, frame.height) == (self.width, self.height) and not self.table.rotation:
            return np.ascontiguousarray(turn(self._converter.rgb(frame, size), 0, self.table.mirrored))
        return cv2.resize(self._shown(self._converter.rgb(frame)), size, interpolation=cv2.INTER_AREA)

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        """Frames ``start <= i < stop`` in order.

        Args:
            start: First frame.
            stop: The frame after the last; the end of the video where None.
            gray: Give ``(H, W)`` uint8 luma as the file codes it (``Converter.luma``), which saves the colour
                conversion, instead of ``(H, W, 3)`` uint8 RGB.

        Raises:
            IndexError: The video has no such frames.
            VideoError: As in ``read``.
        """
        stop = self.num_frames if stop is None else stop
        if not 0 <= start <= stop <= self.num_frames:
            raise IndexError(f"frames {start} to {stop} of a video with {self.num_frames} frames")
        convert = self._converter.luma if gray else self._converter.rgb
        return (self._shown(convert(self._frame(index))) for index in range(start, stop))

    def _shown(self, picture: np.ndarray) -> np.ndarray:
        turned = turn(picture, self.table.rotation, self.table.mirrored)
        return np.ascontiguousarray(turned[: self.table.height, : self.table.width])

    def _frame(self, index: int) -> av.VideoFrame:
        index = self.table.shown(index)
        frame = self._recent.get(index)
        if frame is None:
            frame = self._decoded(index)
            self._remember(index, frame)
        else:
            self._recent.move_to_end(index)
        return frame

    def _remember(self, index: int, frame: av.VideoFrame) -> None:
        self._recent[index] = frame
        self._room -= _size(frame)
        while self._room < 0:
            _, oldest = self._recent.popitem(last=False)
            self._room += _size(oldest)

    def _decoded(self, index: int) -> av.VideoFrame:
        seekable = self.table.seekable
        row = int(np.searchsorted(self._keyframes, index, side="right")) - 1 if seekable else -1
        keyframe = self._keyframes[row] if row >= 0 else 0
        frame = self._forward(index) if keyframe <= self._position <= index else None
        back = 1
        while frame is None and row >= 0:
            frame = self._seek(int(self._keyframes[row]), index)
            row -= back
            back *= 2
        if frame is None:
            self._decoder.rewind()
            self._from_start()
            frame = self._forward(index)
        if frame is None:
            raise VideoError(f"Frame {index} does not come out of the file: it was changed since it was first read.")
        return frame

    def _from_start(self) -> None:
        self._frames: Iterator[Decoded] = self._decoder.frames()
        self._position = 0  # the frame that the decoder gives next
        self._sought = False

    def _forward(self, index: int) -> av.VideoFrame | None:
        for found in self._frames:
            passed, frame = self._position, found.frame
            self._position += 1
            if passed >= index:
                return frame if frame is not None and self._is(frame, index) else None
            if self._keep_passed and frame is not None and passed not in self._recent and self._is(frame, passed):
                self._remember(passed, frame)
        return None

    def _is(self, frame: av.VideoFrame, index: int) -> bool:
        table = self.table
        if table.seekable and frame.pts != table.pts[index]:
            return False
        # Only a seek can leave a wrong picture under the right timestamp: one decoded without what it refers to.
        return not self._sought or table.checksum is None or checksum(frame) == table.checksum[index]

    def _seek(self, keyframe: int, index: int) -> av.VideoFrame | None:
        if not self._decoder.seek(int(self.table.pts[keyframe])):
            return None
        self._frames, self._sought = self._decoder.frames(), True
        first = next(self._frames, None)
        if first is None or first.pts is None:
            return None
        # Open groups of pictures, and containers that seek roughly, can land beyond the frame.
        self._frames = chain((first,), self._frames)
        self._position = int(np.searchsorted(self.table.pts, first.pts))
        if self._position > index or first.pts != self.table.pts[self._position]:
            return None
        return self._forward(index)


def _size(frame: av.VideoFrame) -> int:
    return sum(plane.buffer_size for plane in frame.planes)
