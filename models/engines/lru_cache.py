"""A cache of what engines computed, so that a correction costs only what it changes."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Protocol

from models.engines import stored_arrays

#: Bytes that an engine remembers by default.
ROOM = 256 * 2**20


@dataclass(frozen=True)
class CacheKey:
    """The key of a value that may also be kept on a shelf: a tuple of arrays and tensors.

    Attributes:
        video: Key of the frames, see ``FrameSource.key``, which names on the shelf begin with.
        kind: Of the value.
        told: All else that it depends on; equal things look equal.
    """

    video: str
    kind: str
    told: tuple[Hashable, ...]


class ByteStore(Protocol):
    """Bytes by name that outlast a process, for as long as whoever keeps them likes."""

    def get(self, name: str) -> bytes | None:
        """The bytes that were put under a name, or None; they may be damaged."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """Keep something, or not."""
        ...


class LruCache:
    """The values used last, as many as there is room for. Several threads may use it: jobs of a worker share engines.

    Values are found by all they were computed from, so that remembering never changes a result. Where there is a shelf,
    those lie there too that are found by a :class:`CacheKey`.

    Args:
        room: Bytes.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._shelf: ByteStore | None = None
        self._made_by = ""
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def lay_on(self, shelf: ByteStore | None, made_by: str) -> None:
        """Keep on a shelf from now on what is worth it.

        Args:
            shelf: Which; None for none.
            made_by: Everything that values depend on beside what they are found by: of which version computes, and
                on what.
        """
        self._shelf, self._made_by = shelf, made_by

    def forget(self) -> None:
        """Let go of everything, but for what lies on the shelf."""
        with self._lock:
            self._room += sum(size for _, size in self._values.values())
            self._values.clear()

    def get(self, key: Hashable) -> Any | None:
        """The value of a key, or None."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key][0]
        if self._shelf is None or not isinstance(key, CacheKey):
            return None
        name = self._name(key)
        data = self._shelf.get(name)
        value = None if data is None else stored_arrays.decode(name, data)
        if value is not None:
            self._remember(key, value, stored_arrays.size(value))
        return value

    def put(self, key: Hashable, value: Any, size: int) -> None:
        """Remember a value of so many bytes, and forget the one not used for longest where there is no room."""
        if self._shelf is not None and isinstance(key, CacheKey):
            name = self._name(key)
            self._shelf.put(name, stored_arrays.encode(name, value))
        self._remember(key, value, size)

    def _name(self, place: CacheKey) -> str:
        # Shelves hold names that were made of these very words.
        words = f"({self._made_by!r}, Place(video={place.video!r}, kind={place.kind!r}, told={place.told!r}))"
        return f"{place.video}/{hashlib.sha256(words.encode()).hexdigest()}"

    def _remember(self, key: Hashable, value: Any, size: int) -> None:
        with self._lock:
            if key in self._values:
                self._room += self._values.pop(key)[1]
            self._values[key] = (value, size)
            self._room -= size
            while self._room < 0 and len(self._values) > 1:
                _, (_, freed) = self._values.popitem(last=False)
                self._room += freed
