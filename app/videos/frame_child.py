"""The process that makes images of frames: confined, it reads tasks, and answers each with an image.

It loads what decodes and encodes, and nothing of the service: it begins while somebody waits for the first frame.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import cv2
import msgspec

from app.videos.images import Format, encode
from pose.decoder import VideoError
from pose.frame_table import FrameTable
from pose.video import VideoReader


class Task(msgspec.Struct, frozen=True):
    """A frame to make an image of.

    Attributes:
        proxy: The video's file.
        table: The file of its frame table.
        index: The frame.
        image_format: Kind of image.
        width: Pixels to shrink to; None for as it is.
    """

    proxy: str
    table: str
    index: int
    image_format: Format
    width: int | None


class Made(msgspec.Struct, tag=True):
    """An image that the process made.

    Attributes:
        index: The frame.
        image: The file.
    """

    index: int
    image: bytes


class Failed(msgspec.Struct, tag=True):
    """The message of the process where it made no image.

    Attributes:
        kind: What went wrong, a key of `ERRORS` or "Exception".
        sentence: What the error said.
    """

    kind: str
    sentence: str


#: Decoded frames of the video that is read, in bytes: a frame is made at once, and those before it after that.
_RECENT_BYTES = 2**27

#: Where nothing was wanted for so long, decoded frames are let go.
_IDLE_SECONDS = 1.0

_tasks = msgspec.msgpack.Decoder(Task)

#: What reading a video raises that is told apart from a mistake of ours.
ERRORS: dict[str, type[Exception]] = {"VideoError": VideoError, "FileNotFoundError": FileNotFoundError}


def main(task: dict[str, Any]) -> None:
    """Make images as long as somebody wants them, in the child."""
    cv2.setNumThreads(1)
    connection, readers = Connection(task["descriptor"]), _Readers(task["open_videos"])
    with suppress(EOFError, ConnectionError):
        while True:
            if not connection.poll(_IDLE_SECONDS):
                readers.forget()
            wanted = _tasks.decode(connection.recv_bytes())
            try:
                said: Made | Failed = Made(wanted.index, _make(wanted, readers))
            except Exception as error:
                kind = next((name for name, known in ERRORS.items() if isinstance(error, known)), "Exception")
                said = Failed(kind, f"{type(error).__name__}: {error}" if kind == "Exception" else str(error))
            connection.send_bytes(msgspec.msgpack.encode(said))


def _make(task: Task, readers: _Readers) -> bytes:
    video = readers.open(Path(task.proxy), Path(task.table))
    size = None if task.width is None else (task.width, max(1, round(video.height * task.width / video.width)))
    return encode(video.read(task.index, size), task.image_format)


class _Readers:
    """The videos that were read last, open. Of the last one decoded frames are kept."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: OrderedDict[Path, VideoReader] = OrderedDict()
        self._last: Path | None = None

    def open(self, proxy: Path, table: Path) -> VideoReader:
        if proxy != self._last:
            self.forget()
        video = self._open.pop(proxy, None)
        if video is None:
            # One thread decodes it: the frames of several videos are wanted at a time.
            frames = FrameTable.from_bytes(table.read_bytes())
            video = VideoReader(proxy, frames, threads=1, recent_bytes=_RECENT_BYTES, keep_passed=True)
        self._open[proxy] = video
        self._last = proxy
        while len(self._open) > self._limit:
            self._open.popitem(last=False)[1].close()
        return video

    def forget(self) -> None:
        """Let go of decoded frames."""
        if self._last is not None and self._last in self._open:
            self._open[self._last].forget()
        self._last = None
