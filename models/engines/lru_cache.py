"""What engines remember between calls, so that a correction costs only what it changes."""

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
class Place:
    """What values are found by that may lie on a shelf: tuples of arrays and tensors.

    Attributes:
        video: Key of the frames, see ``FrameSource.key``, which names on the shelf begin with.
        kind: Of the value.
        told: All else that it depends on; equal things look equal.
    """

    video: str
    kind: str
    told: tuple[Hashable, ...]


class Shelf(Protocol):
    """Bytes by name that outlast a process, for as long as whoever keeps them likes."""

    def get(self, name: str) -> bytes | None:
        """What was put under a name, or None; it may have suffered."""
        ...

    def put(self, name: str, data: bytes) -> None:
        """Keep something, or not."""
        ...


class Memory:
    """The values used last, as many as there is room for. Several threads may use it: jobs of a worker share engines.

    Values are found by all they were computed from, so that remembering never changes a result. Where there is a shelf,
    those lie there too that are found by a :class:`Place`.

    Args:
        room: Bytes.
    """

    def __init__(self, room: int = ROOM) -> None:
        self._room = room
        self._shelf: Shelf | None = None
        self._made_by = ""
        self._values: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def lay_on(self, shelf: Shelf | None, made_by: str) -> None:
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
        if self._shelf is None or not isinstance(key, Place):
            return None
        name = self._name(key)
        data = self._shelf.get(name)
        value = None if data is None else stored_arrays.decode(name, data)
        if value is not None:
            self._remember(key, value, stored_arrays.size(value))
        return value

    def put(self, key: Hashable, value: Any, size: int) -> None:
        """Remember a value of so many bytes, and forget the one not used for longest where there is no room."""
        if self._shelf is not None and isinstance(key, Place):
            name = self._name(key)
            self._shelf.put(name, stored_arrays.encode(name, value))
        self._remember(key, value, size)

    def _name(self, place: Place) -> str:
        told = hashlib.sha256(repr((self._made_by, place)).encode()).hexdigest()
        return f"{place.video}/{told}"

    def _remember(self, key: Hashable, value: Any, size: int) -> None:
        with self._lock:
            if key in self._values:
                self._room += self._values.pop(key)[1]
            self._values[key] = (value, size)
            self._room -= size
            while self._room < 0 and len(self._values) > 1:
                _, (_, freed) = self._values.popitem(last=False)
                self._room += freed
