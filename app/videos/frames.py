"""Single frames of a proxy as images: decoded once for all who ask, and ahead of whoever steps through a video.

Decoding begins at a keyframe, so whoever asks for a frame pays for those before it. What somebody waits for is made
into images first, then those that follow in its group, for a moment only where others wait, and where nobody does also
those before: a page steps to neighbouring frames, and others who label the same video follow. Small pictures, of which
a list of videos shows one each, are made alone. Who asks for a frame of a group that is being decoded waits for that.
Labs have time to decode by how many of their people wait (``frame_shares``), and none may have many groups wait.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from itertools import chain

from app.errors import Busy, TooMany
from app.file_cache import FileCache
from app.storage import Storage
from app.videos.frame_child import Task
from app.videos.frame_maker import FrameMaker, View
from app.videos.frame_shares import Shares
from app.videos.images import QUICK
from pose.frame_table import FrameTable

#: Groups of a lab that may wait to be decoded: whoever came after so many would wait until the page is gone.
MOST_GROUPS_OF_LAB = 64
_MOST_GROUPS = 1024
_RETRY_SECONDS = 2

#: Frames of a group that are made while others wait.
_MOST_IN_A_TURN = 30

#: What is made ahead takes no longer for each group that waits, up to so many: one that waits is answered soon, and a
#: hundred annotators do not have everything decoded from the keyframe on at every step.
_AHEAD_SECONDS = 0.15
_CROWD = 4

#: Pixels; nobody labels on what is no wider.
_SMALL_WIDTH = 400

_MEMORY_BYTES = 12 * 2**30


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
    lab_id: int | None
    caller: object
    wanted: dict[int, _Wish] = field(default_factory=dict)
    passed: set[int] = field(default_factory=set)  # made without being wanted, whether or not there was room for them
    under_way: bool = False


@dataclass(frozen=True)
class _Turn:
    """A group to decode, how many of its lab wait, and the seconds that were counted for it."""

    group: _Group
    callers: int
    counted: float


class Frames:
    """Serves frames. Its makers begin with the first frame that somebody asks for.

    Args:
        storage: Where proxies are.
        cache: What keeps images.
        open_videos: How many proxies stay open, in each maker, while nobody reads them.
        makers: How many groups are decoded at a time; None for as many as there are cores.
        memory_bytes: Address space of each maker.
    """

    def __init__(
        self,
        storage: Storage,
        cache: FileCache,
        *,
        open_videos: int,
        makers: int | None = None,
        memory_bytes: int = _MEMORY_BYTES,
    ) -> None:
        self._storage = storage
        self._cache = cache
        self._open_videos = open_videos
        self._memory_bytes = memory_bytes
        self._tables: OrderedDict[str, FrameTable] = OrderedDict()
        self._most_tables = open_videos
        self._changed = threading.Condition()
        self._groups: dict[tuple[View, int], _Group] = {}  # by when somebody first asked
        self._shares = Shares()
        self._threads: list[threading.Thread] = []
        self._makers = makers or os.cpu_count() or 1
        self._ended = False
        self._restarts = 0

    def kept(self, view: View, index: int) -> bytes | None:
        """A frame that the video has, where it was made already."""
        return self._cache.get(view.name(index))

    def get(self, view: View, index: int, lab_id: int | None = None, caller: object = None) -> bytes | Future[bytes]:
        """A frame that the video has, or a promise of it, which is broken with whatever reading the file raises.

        Others may have been given the same promise: who waits no longer calls ``forget`` and does not cancel it.

        Args:
            view: In which form.
            index: Which one.
            lab_id: Who asks; None for the service itself.
            caller: Tells people of a lab apart.

        Raises:
            TooMany: The lab waits for too many already.
            Busy: All together do.
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
            if (view, start) not in self._groups:
                self._check_room(lab_id)
            group = self._groups.setdefault((view, start), _Group(view, start, stop, lab_id, caller))
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

    def _check_room(self, lab_id: int | None) -> None:
        if sum(group.lab_id == lab_id for group in self._groups.values()) >= MOST_GROUPS_OF_LAB:
            sentence = f"{MOST_GROUPS_OF_LAB} groups of frames of this lab are waited for, and more may not wait"
            raise TooMany(f"{sentence}; ask again in a moment", retry_after=_RETRY_SECONDS)
        if len(self._groups) >= _MOST_GROUPS:
            raise Busy(f"{_MOST_GROUPS} groups of frames are waited for, and more may not wait; ask again in a moment")

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
        maker, restarts = FrameMaker(self._storage.readable, self._open_videos, self._memory_bytes), 0
        while not self._ended:
            turn = self._next(restarts)
            if self._restarts != restarts:
                restarts = self._restarts
                maker.close()
            if turn is None:
                continue
            group, began = turn.group, time.monotonic()
            try:
                self._decode(group, maker)
            except Exception as error:
                with self._changed:
                    del self._groups[group.view, group.start]
                _break(group, error)
            with self._changed:
                self._shares.end(group.lab_id, turn.callers, turn.counted, time.monotonic() - began)
        maker.close()

    def _next(self, restarts: int) -> _Turn | None:
        """The group that is to be decoded next; None where the videos are to be closed first, or it is over."""
        with self._changed:
            while not self._ended and self._restarts == restarts:
                waiting: dict[int | None, list[_Group]] = {}
                for group in self._groups.values():
                    if not group.under_way:
                        waiting.setdefault(group.lab_id, []).append(group)
                if waiting:
                    callers = {lab_id: {one.caller for one in groups} for lab_id, groups in waiting.items()}
                    lab_id = self._shares.next(callers)
                    first = waiting[lab_id][0]
                    first.under_way = True
                    return _Turn(first, len(callers[lab_id]), self._shares.begin(lab_id, len(callers[lab_id])))
                self._changed.wait()
        return None

    def _decode(self, group: _Group, maker: FrameMaker) -> None:
        proxy, table = (self._storage.file(one) for one in (group.view.proxy_sha256, group.view.table_sha256))
        view = group.view
        paths = str(proxy.absolute()), str(table.absolute())
        last, made, began = group.start - 1, 0, time.monotonic()
        while not self._ended and (index := self._choose(group, last, made, began)) is not None:
            last, made = index, made + 1
            image = self._cache.get(view.name(index))  # somebody else may have made it meanwhile
            if image is None:
                image = maker.make(Task(*paths, index, view.image_format, view.width))
                self._cache.put(view.name(index), image)
            self._answer(group, index, image)

    def _choose(self, group: _Group, last: int, made: int, began: float) -> int | None:
        """The frame to make after one: of those that somebody waits for, else one ahead; None where it is others' turn.

        What follows in the file comes before what lies behind.
        """
        view = group.view
        small = view.width is not None and view.width <= _SMALL_WIDTH
        ahead = self._cache.max_bytes > 0 and view.image_format in QUICK and not small
        with self._changed:
            if group.wanted and made >= _MOST_IN_A_TURN and any(not other.under_way for other in self._groups.values()):
                group.under_way = False
                self._groups[view, group.start] = self._groups.pop((view, group.start))  # behind the others
                return None
            if group.wanted:
                return min(group.wanted, key=lambda index: (index <= last, index))
            # The others, where that is quick and they can be kept.
            waited = any(other.wanted for other in self._groups.values())
            waiting = sum(not other.under_way for other in self._groups.values())
            if ahead and (not waited or time.monotonic() - began < _AHEAD_SECONDS * min(max(waiting, 1), _CROWD)):
                behind = range(0) if waited else range(group.start, last + 1)
                for index in chain(range(last + 1, group.stop), behind):
                    if index not in group.passed and view.name(index) not in self._cache:
                        group.passed.add(index)
                        return index
            del self._groups[view, group.start]
            return None

    def _answer(self, group: _Group, index: int, image: bytes) -> None:
        with self._changed:
            wish = group.wanted.pop(index, None)
        if wish is not None:
            wish.promise.set_result(image)


def _break(group: _Group, error: Exception) -> None:
    for wish in group.wanted.values():
        wish.promise.set_exception(error)
