"""A fair lock on a file that several processes write to.

SQLite lets one write at a time; those who wait look again after a while, up to a tenth of a second later, and may find
that somebody else was there first, many times over. Here the kernel wakes them.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from contextlib import suppress
from pathlib import Path


class WriteTurn:
    """A lock on a file of its own, which the kernel takes away from processes that end.

    Args:
        path: The file; it is made where it is missing, and stays empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def take(self, seconds: float) -> int | None:
        """Wait for the turn.

        Args:
            seconds: For how long. A process that was stopped may keep its turn for ever.

        Returns:
            An open file to close when one is done; None where it took too long.
        """
        descriptor = self._open()
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.utime(descriptor)
            return descriptor
        waiting = _Waiting(descriptor)
        threading.Thread(target=waiting.run, name="write-turn", daemon=True).start()
        if not waiting.comes(seconds):
            return None
        os.utime(descriptor)
        return descriptor

    def held(self) -> float:
        """Seconds for which somebody has kept the turn; 0 while nobody has it."""
        descriptor = self._open()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return max(0.0, time.time() - os.fstat(descriptor).st_mtime)
        finally:
            os.close(descriptor)
        return 0.0

    def _open(self) -> int:
        return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


class _Waiting:
    """Waits in a thread, since waiting for a file's lock cannot be called off."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._came = threading.Event()
        self._given_up = False

    def run(self) -> None:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        with self._lock:
            self._came.set()
            if self._given_up:
                os.close(self._descriptor)

    def comes(self, seconds: float) -> bool:
        if self._came.wait(seconds):
            return True
        with self._lock:
            self._given_up = not self._came.is_set()
            return not self._given_up
