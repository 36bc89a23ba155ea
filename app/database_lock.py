"""A lock on an open SQLite database, so that no copy is put in the place of one that a service works on."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class DatabaseLock:
    """A lock on the folder of a database: the file itself may be moved away while a service still writes to it.

    The kernel takes it away from processes that end.

    Args:
        database: The database's file, whether it is there or not.
    """

    def __init__(self, database: Path) -> None:
        self._descriptor: int | None = os.open(database.absolute().parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def share(self) -> None:
        """Hold it with all others that work on the database; waits while a copy is put back."""
        assert self._descriptor is not None
        fcntl.flock(self._descriptor, fcntl.LOCK_SH)

    def take_alone(self) -> bool:
        """Hold it with nobody else; tells whether nobody else has it."""
        assert self._descriptor is not None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        """Give it back."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
