"""Proxies that stay open between requests, each used by one thread at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.storage import Storage
from pose.frame_table import FrameTable
from pose.video import Video


class FrameReaders:
    """The proxies that were read last, kept open.

    Args:
        storage: Where proxies are.
        limit: How many are kept open while nobody reads them.
    """

    def __init__(self, storage: Storage, limit: int) -> None:
        self._storage = storage
        self._limit = limit
        self._lock = threading.Lock()
        self._idle: list[tuple[str, Video]] = []  # by when they were used last

    @contextmanager
    def open(self, proxy_sha256: str, table: FrameTable) -> Iterator[Video]:
        """A proxy for the length of a block."""
        video = self._take(proxy_sha256)
        if video is None:
            # One thread decodes it: the frames of several videos are wanted at a time, and one after a jump, soon. What
            # was decoded is kept as images, once for all who ask, see ``frames``.
            video = Video(self._storage.file(proxy_sha256), table, threads=1, recent_bytes=0)
        try:
            yield video
        except BaseException:
            video.close()
            raise
        self._keep(proxy_sha256, video)

    def close(self) -> None:
        """Close every proxy that nobody reads."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, video in idle:
            video.close()

    def _take(self, proxy_sha256: str) -> Video | None:
        with self._lock:
            for place in reversed(range(len(self._idle))):
                if self._idle[place][0] == proxy_sha256:
                    return self._idle.pop(place)[1]
        return None

    def _keep(self, proxy_sha256: str, video: Video) -> None:
        with self._lock:
            self._idle.append((proxy_sha256, video))
            surplus = self._idle[: -self._limit]
            del self._idle[: -self._limit]
        for _, one in surplus:
            one.close()
