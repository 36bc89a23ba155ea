"""What engines remember between calls, so that a correction costs only what it changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

#: Bytes that an engine remembers by default.
ROOM = 256 * 2**20


class Memory:
    """The values used last, as many as there is room for.

    Values are found by all they were computed from, so that remembering never changes a result.

    Args:
        room: Bytes.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def forget(self) -> None:
        """Let go of everything."""
        self._room += sum(size for _, size in self._values.values())
        self._values.clear()

    def get(self, key: Hashable) -> Any | None:
        """The value of a key, or None."""
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: Hashable, value: Any, size: int) -> None:
        """Remember a value of so many bytes, and forget the one not used for longest where there is no room."""
        if key in self._values:
            self._room += self._values.pop(key)[1]
        self._values[key] = (value, size)
        self._room -= size
        while self._room < 0 and len(self._values) > 1:
            _, (_, freed) = self._values.popitem(last=False)
            self._room += freed
