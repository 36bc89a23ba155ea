"""Local copies of objects that were erased: of a remote store's, images of frames and what networks saw in them, open
files.

Each machine clears away its own, now and then: who erases something does not reach the others' disks.
"""

from __future__ import annotations

import logging

from sqlalchemy import func, select

from app.database import Database
from app.file_cache import FileCache
from app.storage import Storage
from app.tables import Blob, Erasure

log = logging.getLogger(__name__)

#: How often a machine looks.
SECONDS = 20.0

_ASKED_AT_ONCE = 500


class Leftovers:
    """Clears them away.

    Args:
        database: Knows which objects there are.
        storage: Its local copies.
        caches: What else was made from objects and is kept here; those that are to keep nothing are emptied.
    """

    def __init__(self, database: Database, storage: Storage, *caches: FileCache) -> None:
        self._database = database
        self._storage = storage
        self._caches = caches
        self._seen = -1

    def clear(self) -> bool:
        """Remove what belongs to no object any more; tells whether anything was erased since the last time."""
        self._storage.sweep()
        for cache in self._caches:
            if not cache.max_bytes:
                cache.clear()
        copies, views = self._storage.copies(), [cache.views() for cache in self._caches]
        gone = self._gone({*copies}.union(*views))
        for sha256 in gone & {*copies}:
            self._storage.drop_copy(sha256)
        for cache, held in zip(self._caches, views, strict=True):
            for sha256 in gone & held:
                cache.drop(sha256)
        with self._database.session(readonly=True) as session:
            newest = session.scalar(select(func.max(Erasure.id))) or 0
        anew, self._seen = self._seen not in (-1, newest), newest
        return anew

    def _gone(self, digests: set[str]) -> set[str]:
        wanted, known = sorted(digests), set()
        with self._database.session(readonly=True) as session:
            for start in range(0, len(wanted), _ASKED_AT_ONCE):
                some = wanted[start : start + _ASKED_AT_ONCE]
                known |= set(session.scalars(select(Blob.sha256).where(Blob.sha256.in_(some))))
        return digests - known
