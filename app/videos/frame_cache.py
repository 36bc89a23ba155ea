"""Frames as images, kept in memory for those who ask next: the ones used last, up to a number of bytes."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable


class FrameCache:
    """Bytes by key, forgotten in the order in which they were used last.

    Args:
        max_bytes: What they may take together; 0 keeps nothing.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self.size = 0

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._kept

    def get(self, key: Hashable) -> bytes | None:
        """What was kept under a key, used as of now."""
        with self._lock:
            data = self._kept.get(key)
            if data is not None:
                self._kept.move_to_end(key)
            return data

    def put(self, key: Hashable, data: bytes) -> None:
        """Keep something, and forget what was not used for longest where there is no room."""
        with self._lock:
            self.size += len(data) - len(self._kept.pop(key, b""))
            self._kept[key] = data
            while self.size > self._max_bytes:
                self.size -= len(self._kept.popitem(last=False)[1])
