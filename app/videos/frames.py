"""Single frames of a proxy as images: decoded once for all who ask, and ahead of whoever steps through a video.

Decoding begins at a keyframe, so whoever asks for a frame pays for those before it. These are made into images on the
way, and so are the ones after it up to the next keyframe: a page steps to neighbouring frames, and others who label the
same video follow. Who asks for a frame of a group that is being decoded waits for that.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import OrderedDict
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np

from app.storage import Storage
from app.videos.frame_cache import FrameCache
from app.videos.readers import FrameReaders
from pose.frame_table import FrameTable

Format = Literal["jpeg", "png", "webp"]

_ENCODERS: dict[str, tuple[str, list[int]]] = {
    "jpeg": (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 90]),
    "png": (".png", [cv2.IMWRITE_PNG_COMPRESSION, 3]),
    "webp": (".webp", [cv2.IMWRITE_WEBP_QUALITY, 90]),
}
#: What takes no longer to make than to decode, and is made of frames that nobody asked for yet.
_QUICK = ("jpeg",)

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


@dataclass
class _Wish:
    """A frame that somebody waits for, and how many do."""

    promise: Future[bytes] = field(default_factory=Future)
    waiting: int = 0


@dataclass
class _Group:
    """The frames from a keyframe up to the next, in one view, while somebody waits for some of them."""

    view: View
    table: FrameTable
    start: int
    stop: int
    wanted: dict[int, _Wish] = field(default_factory=dict)
    under_way: bool = False

    def size(self) -> tuple[int, int] | None:
        """Width and height of the images; None for those of the frames."""
        width = self.view.width
        return None if width is None else (width, max(1, round(self.table.height * width / self.table.width)))


class Frames:
    """Serves frames. Its threads begin with the first frame that somebody asks for.

    Args:
        storage: Where proxies are.
        open_videos: How many proxies stay open while nobody reads them.
        cache_bytes: What images may take in memory.
        threads: How many groups are decoded at a time; None for as many as there are cores.
    """

    def __init__(self, storage: Storage, *, open_videos: int, cache_bytes: int, threads: int | None = None) -> None:
        self._storage = storage
        self._readers = FrameReaders(storage, open_videos)
        self._cache = FrameCache(cache_bytes)
        self._looks_ahead = cache_bytes > 0
        self._tables: OrderedDict[str, FrameTable] = OrderedDict()
        self._most_tables = open_videos
        self._changed = threading.Condition()
        self._groups: dict[tuple[View, int], _Group] = {}  # by when somebody first asked
        self._threads: list[threading.Thread] = []
        self._wanted_threads = threads or os.cpu_count() or 1
        self._ended = False

    def get(self, view: View, index: int) -> bytes | Future[bytes]:
        """A frame that the video has, or a promise of it, which is broken with whatever reading the file raises.

        Others may have been given the same promise: who waits no longer calls ``forget`` and does not cancel it.
        """
        image = self._cache.get((view, index))
        if image is not None:
            return image
        table = self._table(view.table_sha256)
        start, stop = table.group(index)
        with self._changed:
            if self._ended:
                raise RuntimeError("the service is being stopped")
            # It may have been made since; from here on it cannot be made without keeping our promise.
            image = self._cache.get((view, index))
            if image is not None:
                return image
            group = self._groups.setdefault((view, start), _Group(view, table, start, stop))
            self._changed.notify()
            self._begin()
            wish = group.wanted.setdefault(index, _Wish())
            wish.waiting += 1
            return wish.promise

    def forget(self, view: View, index: int) -> None:
        """One of those who wait for a frame does so no longer; what nobody waits for is not begun any more."""
        start, _ = self._table(view.table_sha256).group(index)
        with self._changed:
            group = self._groups.get((view, start))
            wish = group.wanted.get(index) if group else None
            if group is None or wish is None:
                return
            wish.waiting -= 1
            if not wish.waiting:
                group.wanted.pop(index).promise.cancel()
            if not group.wanted and not group.under_way:
                del self._groups[view, start]

    def close(self) -> None:
        """Break the promises that are left, end the threads and close the files."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        for group in self._groups.values():
            _break(group, RuntimeError("the service is being stopped"))
        self._readers.close()

    def _table(self, sha256: str) -> FrameTable:
        with self._changed:
            table = self._tables.get(sha256)
        if table is None:
            table = FrameTable.from_bytes(self._storage.get(sha256))
        with self._changed:
            self._tables[sha256] = table
            self._tables.move_to_end(sha256)
            while len(self._tables) > self._most_tables:
                self._tables.popitem(last=False)
        return table

    def _begin(self) -> None:
        while len(self._threads) < self._wanted_threads and not self._ended:
            thread = threading.Thread(target=self._run, name=f"frames-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self) -> None:
        _give_way()
        while (group := self._next()) is not None:
            try:
                self._decode(group)
            except Exception as error:
                with self._changed:
                    del self._groups[group.view, group.start]
                _break(group, error)

    def _next(self) -> _Group | None:
        with self._changed:
            while not self._ended:
                for group in self._groups.values():
                    if not group.under_way:
                        group.under_way = True
                        return group
                self._changed.wait()
        return None

    def _decode(self, group: _Group) -> None:
        size, quick = group.size(), self._looks_ahead and group.view.image_format in _QUICK
        with self._readers.open(group.view.proxy_sha256, group.table) as video:
            for index in range(group.start, group.stop):
                if (index in group.wanted or quick) and (group.view, index) not in self._cache:
                    self._answer(group, index, encode(video.read(index, size), group.view.image_format))
                if self._ended:
                    break
        with self._changed:
            # Who asked too late for a frame that was passed by, or that there was no room to keep, is next.
            group.under_way = False
            if not group.wanted:
                del self._groups[group.view, group.start]

    def _answer(self, group: _Group, index: int, image: bytes) -> None:
        with self._changed:
            self._cache.put((group.view, index), image)
            wish = group.wanted.pop(index, None)
        if wish is not None:
            wish.promise.set_result(image)


def encode(frame: np.ndarray, image_format: Format) -> bytes:
    """A frame, ``(H, W, 3)`` uint8 RGB, as an image file."""
    suffix, options = _ENCODERS[image_format]
    _, data = cv2.imencode(suffix, cv2.cvtColor(frame, cv2.COLOR_RGB2BGR), options)
    return data.tobytes()


def _give_way() -> None:
    """Let this thread run when the processor has nothing better to do: answering others comes first."""
    if sys.platform == "linux":  # where threads have priorities of their own
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _POLITE)


def _break(group: _Group, error: Exception) -> None:
    for wish in group.wanted.values():
        wish.promise.set_exception(error)
