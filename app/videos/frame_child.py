"""The process that makes images of frames: confined, it reads tasks, and sends an image of each frame and a last word.

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
from pose.video import Video


class Task(msgspec.Struct, frozen=True):
    """Frames to make images of.

    Attributes:
        proxy: The video's file.
        table: The file of its frame table.
        indices: The frames, in order.
        image_format: Kind of image.
        width: Pixels to shrink to; None for as it is.
    """

    proxy: str
    table: str
    indices: tuple[int, ...]
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


class End(msgspec.Struct, tag=True):
    """What the process says when it is done with a task.

    Attributes:
        kind: What went wrong, a key of `ERRORS` or "Exception"; empty where nothing did.
        sentence: What the error said.
    """

    kind: str = ""
    sentence: str = ""


_tasks = msgspec.msgpack.Decoder(Task)

#: What reading a video raises that is told apart from a mistake of ours.
ERRORS: dict[str, type[Exception]] = {"VideoError": VideoError, "FileNotFoundError": FileNotFoundError}


def main(task: dict[str, Any]) -> None:
    """Make images as long as somebody wants them, in the child."""
    cv2.setNumThreads(1)
    connection, readers = Connection(task["descriptor"]), _Readers(task["open_videos"])
    with suppress(EOFError, ConnectionError):
        while True:
            wanted = _tasks.decode(connection.recv_bytes())
            end = End()
            try:
                _make(wanted, readers, connection)
            except (EOFError, ConnectionError):
                raise
            except Exception as error:
                kind = next((name for name, known in ERRORS.items() if isinstance(error, known)), "Exception")
                end = End(kind, f"{type(error).__name__}: {error}" if kind == "Exception" else str(error))
            connection.send_bytes(msgspec.msgpack.encode(end))


def _make(task: Task, readers: _Readers, connection: Connection) -> None:
    video = readers.open(Path(task.proxy), Path(task.table))
    size = None if task.width is None else (task.width, max(1, round(video.height * task.width / video.width)))
    for index in task.indices:
        made = Made(index, encode(video.read(index, size), task.image_format))
        connection.send_bytes(msgspec.msgpack.encode(made))


class _Readers:
    """The videos that were read last, open."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._open: OrderedDict[Path, Video] = OrderedDict()

    def open(self, proxy: Path, table: Path) -> Video:
        video = self._open.pop(proxy, None)
        if video is None:
            # One thread decodes it: the frames of several videos are wanted at a time. What was decoded is kept as
            # images, so it need not be kept as it came out of the decoder.
            video = Video(proxy, FrameTable.from_bytes(table.read_bytes()), threads=1, recent_bytes=0)
        self._open[proxy] = video
        while len(self._open) > self._limit:
            self._open.popitem(last=False)[1].close()
        return video
