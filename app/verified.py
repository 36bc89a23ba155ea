"""Which files were read and found to be what they were when they were stored, and when."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from cachetools import FIFOCache

_REMEMBERED = 20_000


class Verified:
    """The files that one process has verified. A file that was touched since, or put there anew, is not what was
    verified.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: FIFOCache[Path, tuple[tuple[int, int, int], float]] = FIFOCache(_REMEMBERED)

    def holds(self, path: Path, status: os.stat_result, within: float | None) -> bool:
        """Return whether a file was found whole.

        Args:
            path: Of the file.
            status: As it is now.
            within: So many seconds ago at most; None for any time in the life of this process.
        """
        with self._lock:
            found = self._found.get(path)
        if found is None or found[0] != _marks(status):
            return False
        return within is None or time.monotonic() - found[1] < within

    def note(self, path: Path, status: os.stat_result) -> None:
        """Remember that a file, as it was before it was read, is whole."""
        with self._lock:
            self._found[path] = _marks(status), time.monotonic()


def _marks(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_size
