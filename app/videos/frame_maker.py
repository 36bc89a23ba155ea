"""A process of low priority that makes images of frames: answering others comes first.

In a process of its own it takes no turns from the threads that answer, and a file that brings a decoder down brings
down nothing else.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import OrderedDict
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import cv2

from app.errors import Busy
from app.videos.frame_cache import FrameCache
from app.videos.images import QUICK, Format, encode
from pose.frame_table import FrameTable
from pose.video import Video

_SPAWN = multiprocessing.get_context("spawn")
_POLITE = 10  # of 19


@dataclass(frozen=True)
class View:
    """A video in the form in which somebody wants its frames.

    Attributes:
        proxy_sha256: The video.
        table_sha256: Its frame table.
        image_format: Kind of image.
        width: Pixels to shrink to, fewer than the frame has, keeping the aspect; None for as it is.
    """

    proxy_sha256: str
    table_sha256: str
    image_format: Format
    width: int | None

    def name(self, index: int) -> str:
        """What the image of a frame is kept under."""
        return f"{self.proxy_sha256}-{self.width or 'full'}-{self.image_format}/{index}"


@dataclass(frozen=True)
class Task:
    """Frames to make images of.

    Attributes:
        view: The form.
        proxy: The video's file.
        table: The file of its frame table.
        start: The first frame, a keyframe.
        stop: The frame after the last.
        wanted: Those that somebody waits for; the others are made where that is quick and they can be kept.
    """

    view: View
    proxy: Path
    table: Path
    start: int
    stop: int
    wanted: frozenset[int]


@dataclass(frozen=True)
class _End:
    """What the process says when it is done with a task."""

    error: Exception | None = None


class FrameMaker:
    """The process, seen from the one that wants images. It begins with the first task, and anew where it died.

    Args:
        cache: What keeps the images.
        open_videos: How many videos stay open while nobody reads them.
    """

    def __init__(self, cache: FrameCache, open_videos: int) -> None:
        self._arguments = cache.folder, cache.max_bytes, open_videos
        self._connection: Connection | None = None

    def make(self, task: Task) -> Generator[tuple[int, bytes | None]]:
        """Frames and their images, in order; None for one that was in the cache already.

        Raises:
            Exception: Whatever reading the video raises.
            Busy: The process ended over it.
        """
        connection = self._connection or self._begin()
        end: _End | None = None
        try:
            connection.send(task)
            while not isinstance(said := connection.recv(), _End):
                yield said
            end = said
        except (EOFError, ConnectionError) as error:
            raise Busy("the process that decodes this video ended over it; ask again") from error
        finally:
            if end is None:
                self.close()  # it is gone, or in the middle of a task that nobody waits for
        if end.error is not None:
            raise end.error

    def close(self) -> None:
        """End the process."""
        if self._connection is not None:
            self._connection.close()
            self._process.kill()
            self._process.join()
            self._process.close()
            self._connection = None

    def _begin(self) -> Connection:
        self._connection, other = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(other, *self._arguments), name="frames", daemon=True)
        self._process.start()
        other.close()
        return self._connection


def _serve(connection: Connection, folder: Path, max_bytes: int, open_videos: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to all; whoever began us ends us
    os.nice(_POLITE)
    cv2.setNumThreads(1)
    cache, readers = FrameCache(folder, max_bytes), _Readers(open_videos)
    with suppress(EOFError, ConnectionError):
        while True:
            task: Task = connection.recv()
            end = _End()
            try:
                _make(task, cache, readers, connection)
            except (EOFError, ConnectionError):
                raise
            except Exception as error:
                end = _End(error)
            connection.send(end)


def _make(task: Task, cache: FrameCache, readers: _Readers, connection: Connection) -> None:
    view = task.view
    ahead = cache.max_bytes > 0 and view.image_format in QUICK
    video = readers.open(task.proxy, task.table)
    size = None if view.width is None else (view.width, max(1, round(video.height * view.width / video.width)))
    for index in range(task.start, task.stop):
        if index not in task.wanted and not ahead:
            continue
        image = None
        if view.name(index) not in cache:
            image = encode(video.read(index, size), view.image_format)
            cache.put(view.name(index), image)
        connection.send((index, image))


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
