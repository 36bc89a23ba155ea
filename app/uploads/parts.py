"""The bytes of uploads that are not whole: a file each, in a folder that the API processes of a machine share.

A file holds nothing but bytes that count, so its size is the upload's offset, also after a process was killed. Who
writes holds its lock; the kernel releases it when a process dies.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import IO

from cachetools import FIFOCache

from app.incoming import Incoming, room

_LOOK_SECONDS = 0.02
_DIGESTS = 256


class PartTaken(Exception):
    """Somebody else is writing to the part."""


class PartMissing(Exception):
    """There is no such part on this machine."""


class PartFile(Incoming):
    """An upload's file while one request holds it.

    Args:
        path: Where it is.
        file: The same, open.
        digest: SHA-256 of all of its bytes where that is known.
    """

    def __init__(self, path: Path, file: IO[bytes], digest: hashlib._Hash | None) -> None:
        super().__init__(path, file)
        self.size = file.seek(0, os.SEEK_END)
        self.digested = digest is not None
        if digest is not None:
            self._digest = digest

    def mark(self) -> tuple[int, hashlib._Hash]:
        """Where it ends now, to come back to."""
        return self.size, self._digest.copy()

    def cut(self, mark: tuple[int, hashlib._Hash]) -> None:
        """Drop everything after a mark."""
        self.size, self._digest = mark
        self._file.truncate(self.size)
        self._file.seek(self.size)

    @contextmanager
    def aside(self) -> Iterator[Incoming]:
        """A file for bytes that do not count yet."""
        path = self.path.with_suffix(".aside")
        try:
            with room(), path.open("wb", buffering=0) as file:
                yield Incoming(path, file)
        finally:
            path.unlink(missing_ok=True)

    def append(self, other: Incoming) -> None:
        """Append all bytes of another file.

        Raises:
            NoSpace: The disk is full; what there was room for stays.
        """
        with other.path.open("rb") as file:
            while piece := file.read(2**20):
                self.write(piece)

    def sha256(self) -> str:
        """Digest of the whole file; what another process wrote is read again."""
        if self.digested:
            return self.digest().hex()
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


class Parts:
    """The parts on this machine.

    Args:
        folder: Where they are, on the disk of a local store.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._digests: FIFOCache[str, tuple[int, hashlib._Hash]] = FIFOCache(_DIGESTS)

    def make(self, upload_id: str) -> None:
        """Make an empty part.

        Raises:
            NoSpace: The disk is full.
        """
        with room():
            self._path(upload_id).touch(exist_ok=False)
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def offset(self, upload_id: str) -> int:
        """The number of bytes of an upload that are safely on disk.

        Raises:
            PartMissing: There is no such part.
        """
        try:
            with self._path(upload_id).open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                os.fsync(file.fileno())
        except FileNotFoundError as error:
            raise PartMissing from error
        return size

    @asynccontextmanager
    async def hold(self, upload_id: str, patience: float) -> AsyncIterator[PartFile]:
        """A part to write to, which nobody else has for the length of the block.

        Args:
            upload_id: Whose part.
            patience: Seconds to wait for somebody else, who may be about to notice that the connection is gone.

        Raises:
            PartTaken: Somebody else keeps it.
            PartMissing: There is no such part.
        """
        deadline = time.monotonic() + patience
        while True:
            try:
                file = self._lock(upload_id)
                break
            except PartTaken:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(_LOOK_SECONDS)
        with file:
            size, digest = self._digests.pop(upload_id, (-1, None))
            known = hashlib.sha256() if not _size(file) else digest if _size(file) == size else None
            part = PartFile(self._path(upload_id), file, known)
            try:
                yield part
            finally:
                if part.digested and part.path.exists():
                    self._digests[upload_id] = part.mark()
                fcntl.flock(file.fileno(), fcntl.LOCK_UN)

    def empty(self, upload_id: str) -> None:
        """Drop the bytes of a part, where there is one, and leave it there."""
        with suppress(FileNotFoundError):
            os.truncate(self._path(upload_id), 0)

    def remove(self, upload_id: str) -> None:
        """Remove a part, where there is one."""
        for path in (self._path(upload_id), self._path(upload_id).with_suffix(".aside")):
            path.unlink(missing_ok=True)

    def remove_idle(self, upload_ids: Iterable[str]) -> None:
        """Remove the parts of some uploads that nobody writes to just now."""
        for upload_id in upload_ids:
            with suppress(PartTaken, PartMissing), self._lock(upload_id):
                self.remove(upload_id)

    def there(self) -> set[str]:
        """Uploads of which there are files here."""
        return {path.stem for path in self.folder.iterdir()}

    def idle(self, seconds: float) -> set[str]:
        """Uploads of which there are files here that nobody wrote to for so long."""
        found = set()
        for path in self.folder.iterdir():
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > seconds:
                    found.add(path.stem)
        return found

    def _path(self, upload_id: str) -> Path:
        return self.folder / upload_id

    def _lock(self, upload_id: str) -> IO[bytes]:
        path = self._path(upload_id)
        try:
            file = path.open("r+b", buffering=0)
        except FileNotFoundError as error:
            raise PartMissing from error
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who held it before may have made it an object of the store, or removed it.
            if os.stat(path).st_ino != os.fstat(file.fileno()).st_ino:
                raise PartMissing
        except (BlockingIOError, FileNotFoundError, PartMissing) as error:
            file.close()
            raise (PartTaken if isinstance(error, BlockingIOError) else PartMissing) from error
        return file


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size
