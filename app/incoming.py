"""Files that arrive piece by piece, and disks that have no room for them."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from obstore.exceptions import BaseError

from app import disk
from app.errors import NoSpace


class Incoming:
    """A file that arrives piece by piece in scratch, digested on the way.

    Args:
        path: Where it is.
        file: The same, open.
        reserved: Whether it leaves the reserve of the disk alone, see ``app.disk``.
    """

    def __init__(self, path: Path, file: IO[bytes], *, reserved: bool = True) -> None:
        self.path = path
        self.size = 0
        self._reserved = reserved
        self._file = file
        self._digest = hashlib.sha256()

    def write(self, piece: bytes) -> None:
        """Append bytes.

        Raises:
            NoSpace: The disk is full; what there was room for is there.
        """
        rest = memoryview(piece)
        fits = disk.room(self.path.parent) if self._reserved else len(rest)
        short = fits < len(rest)
        rest = rest[:fits]
        while rest:
            with room():
                written = self._file.write(rest)  # fewer bytes than asked for, where the disk is about to be full
            self._digest.update(rest[:written])
            self.size += written
            rest = rest[written:]
        if short:
            raise NoSpace(f"{disk.FULL}; nothing of this was kept")

    def sync(self) -> None:
        """See what has arrived safely to disk, which can take a while.

        Raises:
            NoSpace: The disk is full.
        """
        with room():
            os.fsync(self._file.fileno())

    def digest(self) -> bytes:
        """SHA-256 of what has arrived."""
        return self._digest.digest()


@contextmanager
def room() -> Iterator[None]:
    """Tell a full disk or bucket by its name.

    Raises:
        NoSpace: What the block wrote did not fit.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise NoSpace("the disk of the server is full; nothing of this was kept") from error
    except BaseError as error:
        if "No space left" not in str(error):
            raise
        raise NoSpace("the storage of the server is full; nothing of this was kept") from error


def check_disk(folder: Path) -> None:
    """Refuse to write more where only the reserve of a disk is left.

    Raises:
        NoSpace: It is.
    """
    if not disk.room(folder):
        raise NoSpace(disk.FULL)
