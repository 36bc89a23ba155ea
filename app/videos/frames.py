"""Single frames of a proxy as images: decoded once for all who ask, and ahead of whoever steps through a video.

Decoding begins at a keyframe, so whoever asks for a frame pays for those before it. These are made into images on the
way, and so are the ones after it up to the next keyframe: a page steps to neighbouring frames, and others who label the
same video follow. Who asks for a frame of a group that is being decoded waits for that.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field

from app.errors import Busy
from app.storage import Storage
from app.videos.frame_cache import FrameCache
from app.videos.frame_maker import FrameMaker, Task, View
from pose.frame_table import FrameTable

#: Groups that may wait to be decoded: whoever came after so many would wait until the page is gone.
_MOST_GROUPS = 256


@dataclass
class _Wish:
    """A frame that somebody waits for, and how many do."""

    promise: Future[bytes] = field(default_factory=Future)
    waiting: int = 0


@dataclass
class _Group:
    """The frames from a keyframe up to the next, in one view, while somebody waits for some of them."""

    view: View
    start: int
    stop: int
    wanted: dict[int, _Wish] = field(default_factory=dict)
    under_way: bool = False


class Frames:
    """Serves frames. Its makers begin with the first frame that somebody asks for.

    Args:
        storage: Where proxies are.
        cache: What keeps images.
        open_videos: How many proxies stay open, in each maker, while nobody reads them.
        makers: How many groups are decoded at a time; None for as many as there are cores.
    """

    def __init__(self, storage: Storage, cache: FrameCache, *, open_videos: int, makers: int | None = None) -> None:
        self._storage = storage
        self._cache = cache
        self._open_videos = open_videos
        self._tables: OrderedDict[str, FrameTable] = OrderedDict()
        self._most_tables = open_videos
        self._changed = threading.Condition()
        self._groups: dict[tuple[View, int], _Group] = {}  # by when somebody first asked
        self._threads: list[threading.Thread] = []
        self._makers = makers or os.cpu_count() or 1
        self._ended = False
        self._restarts = 0

    def kept(self, view: View, index: int) -> bytes | None:
        """A frame that the video has, where it was made already."""
        return self._cache.get(view.name(index))

    def get(self, view: View, index: int) -> bytes | Future[bytes]:
        """A frame that the video has, or a promise of it, which is broken with whatever reading the file raises.

        Others may have been given the same promise: who waits no longer calls ``forget`` and does not cancel it.

        Raises:
            Busy: Too many wait already.
        """
        image = self._cache.get(view.name(index))
        if image is not None:
            return image
        start, stop = self._table(view.table_sha256).group(index)
        with self._changed:
            if self._ended:
                raise RuntimeError("the service is being stopped")
            # It may have been made since; from here on it cannot be made without keeping our promise.
            image = self._cache.get(view.name(index))
            if image is not None:
                return image
            if (view, start) not in self._groups and len(self._groups) >= _MOST_GROUPS:
                raise Busy("too many frames are being waited for; ask again in a moment")
            group = self._groups.setdefault((view, start), _Group(view, start, stop))
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

    def close_videos(self) -> None:
        """Have makers close the videos that they keep open, and forget frame tables: some were erased."""
        with self._changed:
            self._restarts += 1
            self._tables.clear()
            self._changed.notify_all()

    def close(self) -> None:
        """Break the promises that are left, and end the makers."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        for group in self._groups.values():
            _break(group, RuntimeError("the service is being stopped"))

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
        while len(self._threads) < self._makers and not self._ended:
            thread = threading.Thread(target=self._run, name=f"frames-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self) -> None:
        maker, restarts = FrameMaker(self._cache, self._open_videos), 0
        while not self._ended:
            group = self._next(restarts)
            if self._restarts != restarts:
                restarts = self._restarts
                maker.close()
            if group is None:
                continue
            try:
                self._decode(group, maker)
            except Exception as error:
                with self._changed:
                    del self._groups[group.view, group.start]
                _break(group, error)
        maker.close()

    def _next(self, restarts: int) -> _Group | None:
        """The group that is to be decoded next; None where the videos are to be closed first, or it is over."""
        with self._changed:
            while not self._ended and self._restarts == restarts:
                for group in self._groups.values():
                    if not group.under_way:
                        group.under_way = True
                        return group
                self._changed.wait()
        return None

    def _decode(self, group: _Group, maker: FrameMaker) -> None:
        proxy, table = (self._storage.file(one) for one in (group.view.proxy_sha256, group.view.table_sha256))
        with self._changed:
            wanted = frozenset(group.wanted)
        task = Task(group.view, proxy, table, group.start, group.stop, wanted)
        with closing(maker.make(task)) as images:
            for index, image in images:
                self._answer(group, index, image)
                if self._ended:
                    return
        with self._changed:
            # Who asked too late for a frame that was passed by, or that there was no room to keep, is next.
            group.under_way = False
            if not group.wanted:
                del self._groups[group.view, group.start]

    def _answer(self, group: _Group, index: int, image: bytes | None) -> None:
        if index not in group.wanted:
            return
        made = image if image is not None else self._cache.get(group.view.name(index))
        if made is None:
            return  # forgotten just now: it is made the next time round
        with self._changed:
            wish = group.wanted.pop(index, None)
        if wish is not None:
            wish.promise.set_result(made)


def _break(group: _Group, error: Exception) -> None:
    for wish in group.wanted.values():
        wish.promise.set_exception(error)
