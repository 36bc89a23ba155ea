"""Local copies of objects that live in a remote store: those used last are kept, up to a size."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

#: A copy that was asked for this recently may not be open yet; it is never removed.
_FRESH_SECONDS = 60.0


class ObjectCache:
    """A folder of files named by their digest; several processes may share it.

    Args:
        folder: Where copies are.
        max_bytes: What they may take together. Copies asked for within the last minute stay even beyond it.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self._max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def find(self, sha256: str) -> Path | None:
        """The copy of an object, used as of now; None where there is none."""
        path = self.folder / sha256
        try:
            os.utime(path)
        except FileNotFoundError:
            return None
        return path

    def add(self, sha256: str, path: Path) -> Path:
        """Take a whole copy over, and remove those unused for longest to make room for it."""
        target = self.folder / sha256
        path.replace(target)
        os.utime(target)
        self._shrink()
        return target

    def names(self) -> set[str]:
        """Digests of the copies."""
        return {path.name for path in self.folder.iterdir()}

    def remove(self, sha256: str) -> None:
        """Remove a copy, where there is one."""
        (self.folder / sha256).unlink(missing_ok=True)

    def _shrink(self) -> None:
        copies = []
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                status = path.stat()
                copies.append((status.st_mtime, status.st_size, path))
        excess = sum(size for _, size, _ in copies) - self._max_bytes
        now = time.time()
        for used_at, size, path in sorted(copies):
            if excess <= 0 or now - used_at < _FRESH_SECONDS:
                return
            path.unlink(missing_ok=True)
            excess -= size
