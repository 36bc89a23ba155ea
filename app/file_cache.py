"""A cache of files that can be made again: those used last, up to a number of bytes.

So are kept images of frames, and what networks see in frames.

The processes of a machine share them; the kernel keeps in memory what is read often. Losing them costs nothing but
time, so nothing here waits for the disk, and a disk without room, or with its reserve alone, only means that less is
kept.
"""

from __future__ import annotations

import os
import shutil
import stat
import threading
import time
import uuid
from contextlib import suppress
from pathlib import Path

from app import disk

#: Using a file within this time of its last use is not written down.
_USED_SECONDS = 30.0
#: Of the most that may be kept: what may be written before somebody looks how much is there, and what is made room for.
_LOOK_SHARE, _SPARE_SHARE = 1 / 32, 1 / 8
#: Characters of the digest of an object, which the names of what was made from it begin with.
_DIGEST = 64


class FileCache:
    """Bytes by name, forgotten in the order in which they were used last.

    Args:
        folder: Where they are; each part of a name but the last is a folder.
        max_bytes: What they may take together, give or take a sixteenth for each process; 0 keeps nothing.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder = folder
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._written = max_bytes  # before the first is written somebody looks

    def __contains__(self, name: str) -> bool:
        return (self.folder / name).exists()

    def get(self, name: str) -> bytes | None:
        """The bytes that were kept under a name, which counts as a use."""
        with suppress(OSError), open(f"{self.folder}/{name}", "rb", buffering=0) as file:
            if time.time() - os.fstat(file.fileno()).st_mtime > _USED_SECONDS:
                with suppress(OSError):  # of another user, who may have set it up
                    os.utime(file.fileno())
            return file.readall()
        return None

    def put(self, name: str, data: bytes) -> None:
        """Keep something, where there is room; what was not used for longest is forgotten for it."""
        if len(data) > self.max_bytes:
            return
        path = self.folder / name
        part = path.with_name(f".{uuid.uuid4().hex}")
        with suppress(OSError):
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                if disk.room(path.parent) < len(data):
                    return
                _write(part, data)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
        with self._lock:
            self._written += len(data)
            if self._written < self.max_bytes * _LOOK_SHARE:
                return
            self._written = 0
        self._forget()

    def views(self) -> set[str]:
        """Digests of the objects of which anything is kept."""
        try:
            return {name[:_DIGEST] for name in os.listdir(self.folder)}
        except FileNotFoundError:
            return set()

    def drop(self, sha256: str) -> None:
        """Forget what was made from an object."""
        for folder in self.folder.glob(f"{sha256}*"):
            shutil.rmtree(folder, ignore_errors=True)

    def clear(self) -> None:
        """Forget everything."""
        for folder, _, names in os.walk(self.folder, topdown=False):
            for name in names:
                (Path(folder) / name).unlink(missing_ok=True)
            with suppress(OSError):  # somebody keeps something there just now
                Path(folder).rmdir()

    def _forget(self) -> None:
        """Make room, unless there is enough."""
        kept = []
        for folder, _, names in os.walk(self.folder):
            for name in names:
                path = os.path.join(folder, name)
                with suppress(FileNotFoundError):
                    status = os.stat(path)
                    kept.append((status.st_mtime, status.st_size, path))
        size = sum(each for _, each, _ in kept)
        if size <= self.max_bytes:
            return
        for _, each, path in sorted(kept):
            if size <= self.max_bytes * (1 - _SPARE_SHARE):
                return
            with suppress(FileNotFoundError):
                os.unlink(path)
            size -= each


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    with open(descriptor, "wb") as file:
        file.write(data)
