"""Objects named by their digest, in a local folder or an S3 bucket, through one interface.

An object is written once under its final key and never changes, so writing it twice is harmless and two workers cannot
overwrite each other. What is not whole yet lives in a scratch folder of this machine.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlparse

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, S3Store, from_url

from app.errors import DamagedObject
from app.incoming import Incoming, room
from app.object_cache import ObjectCache
from app.settings import Settings
from app.storage_errors import away, named, reach
from app.verified import Verified

log = logging.getLogger(__name__)

#: A scratch file that nobody wrote to for so long belongs to a process that is gone.
_ABANDONED_SECONDS = 24 * 3600

#: Between making its lock and holding it a process needs less.
_BEGUN_SECONDS = 10

_FOLDER = "sha256"

# Some six seconds of trying again: a request shall not wait for minutes, and a job is tried again as a whole.
_RETRIES, _RETRIED_FOR = 6, timedelta(seconds=20)

_ADDRESS_HOLDS = timedelta(minutes=5)

_AT_ONCE = 8  # objects read from a remote store

_PIECE = 2**20  # bytes

#: Called several times a second while something takes long; what it raises ends it.
Step = Callable[[], None]


def go_on() -> None:
    """The step that ends nothing."""


@dataclass(frozen=True)
class Stored:
    """A stored object: its digest, which is its name, and its size in bytes."""

    sha256: str
    size: int


class Storage:
    """A content-addressed store.

    Args:
        url: ``file:///folder`` or ``s3://bucket/prefix``; an S3 store's address and keys are read from ``AWS_…``.
        scratch: Folder on this machine, on the disk of a local store: a finished file is then only renamed.
        cache_bytes: Room for local copies of remote objects.
        public_endpoint: Address under which those who download reach an S3 store; the service's own where empty.
        redirects: Whether they may be sent there at all.
    """

    def __init__(
        self, url: str, scratch: Path, *, cache_bytes: int = 2**30, public_endpoint: str = "", redirects: bool = True
    ) -> None:
        self._scratch = scratch
        scratch.mkdir(parents=True, exist_ok=True)
        address = urlparse(url)
        self._root = Path(unquote(address.path)) if address.scheme == "file" else None
        self._store: ObjectStore = LocalStore(self._root, mkdir=True) if self._root else _remote(url)
        self._shown: S3Store | None = None
        self._verified = Verified()
        if address.scheme == "s3" and redirects:
            self._shown = S3Store.from_url(url, config={"endpoint": public_endpoint} if public_endpoint else None)
        if not self._root:
            self._cache = ObjectCache(scratch / "cache", cache_bytes)

    @contextmanager
    def receive(self, *, reserved: bool = True) -> Iterator[Incoming]:
        """Take in a file; unless it is kept inside the block, nothing of it stays.

        Args:
            reserved: Whether it leaves the reserve of the disk alone.

        Raises:
            NoSpace: The disk is full.
        """
        with self.scratch_file() as path, room(), path.open("xb", buffering=0) as file:
            yield Incoming(path, file, reserved=reserved)

    @contextmanager
    def scratch_file(self) -> Iterator[Path]:
        """A path for a file that is not whole yet; what is still there after the block is removed."""
        path = self._scratch / f"{uuid.uuid4().hex}.part"
        lock = path.with_suffix(".lock")
        with lock.open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            try:
                yield path
            finally:
                path.unlink(missing_ok=True)
                lock.unlink(missing_ok=True)

    @contextmanager
    def scratch_folder(self) -> Iterator[Path]:
        """A folder for files of one piece of work; what is still in it after the block is removed."""
        with self.scratch_file() as path:
            path.mkdir()
            try:
                yield path
            finally:
                shutil.rmtree(path)

    @property
    def readable(self) -> tuple[Path, ...]:
        """Where on this machine the files are that ``file`` gives."""
        return (self._root or self._cache.folder,)

    def sweep(self) -> None:
        """Remove what processes that were killed left in scratch: the kernel has taken their locks away."""
        for path in self._scratch.glob("*.lock"):
            with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as held:
                if time.time() - path.stat().st_mtime > _BEGUN_SECONDS:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    for left in self._scratch.glob(f"{path.stem}.*"):
                        if left.is_dir():
                            shutil.rmtree(left, ignore_errors=True)
                        else:
                            left.unlink(missing_ok=True)
        # Without a lock: of an older version.
        for path in self._scratch.glob("*.part*"):
            with suppress(FileNotFoundError):
                locked = (self._scratch / f"{path.name.partition('.')[0]}.lock").exists()
                if not locked and time.time() - path.stat().st_mtime > _ABANDONED_SECONDS:
                    path.unlink()

    def copies(self) -> set[str]:
        """Digests of the objects of which this machine has a copy."""
        return set() if self._root else self._cache.names()

    def drop_copy(self, sha256: str) -> None:
        """Remove this machine's copy of an object of a remote store."""
        self._cache.remove(sha256)

    def keep(self, incoming: Incoming) -> Stored:
        """Store what has arrived, durably."""
        return self._adopt(incoming.path, Stored(incoming.digest().hex(), incoming.size))

    def adopt(self, path: Path, sha256: str | None = None, step: Step = go_on) -> Stored:
        """Store a finished scratch file, durably; a local store takes the file away.

        Args:
            path: Of the file.
            sha256: Its digest, where that is known.
            step: Called after each piece of the file; what it raises ends this, and nothing is stored.
        """
        if sha256 is None:
            digest = hashlib.sha256()
            for piece in _pieces(path, step):
                digest.update(piece)
            sha256 = digest.hexdigest()
        return self._adopt(path, Stored(sha256, path.stat().st_size), step)

    def put(self, data: bytes) -> Stored:
        """Store bytes, durably."""
        with self.receive() as incoming:
            incoming.write(data)
            return self.keep(incoming)

    def has(self, sha256: str) -> bool:
        """Return whether an object is there."""
        try:
            self.put_at(sha256)
        except FileNotFoundError:
            return False
        return True

    def check(self) -> None:
        """Find out whether the store answers.

        Raises:
            OSError: A folder is not there or not ours to write.
            obstore.exceptions.BaseError: A bucket does not answer.
        """
        if self._root and not os.access(self._root, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(f"{self._root} cannot be written")
        Storage.has(self, "0" * 64)  # not a call of its own for those who count calls

    def put_at(self, sha256: str) -> datetime:
        """When an object was put last.

        Raises:
            FileNotFoundError: It is not there.
        """
        with reach():
            return obstore.head(self._store, _key(sha256))["last_modified"]

    def objects(self, at_once: int) -> Iterator[list[tuple[str, int, datetime]]]:
        """Every object's digest, size and time of the last put, some at once."""
        with reach():
            for found in obstore.list(self._store, prefix=_FOLDER, chunk_size=at_once):
                yield [(meta["path"].rpartition("/")[2], meta["size"], meta["last_modified"]) for meta in found]

    def verify(self, sha256: str) -> None:
        """Read an object and compare its digest.

        Raises:
            DamagedObject: The store gave other bytes than were put.
            MissingObject: It is not there.
        """
        digest = hashlib.sha256()
        with named(sha256), reach():
            for piece in obstore.get(self._store, _key(sha256)):
                digest.update(piece)
        _check(sha256, digest.hexdigest())

    def discard(self, sha256: str) -> None:
        """Remove an object that nothing refers to, where it is there."""
        with suppress(FileNotFoundError), reach():
            obstore.delete(self._store, _key(sha256))

    def get(self, sha256: str) -> bytes:
        """Read a whole object.

        Raises:
            DamagedObject: The store gave other bytes than were put.
            MissingObject: It is not there.
        """
        with named(sha256), reach():
            data = bytes(obstore.get(self._store, _key(sha256)).bytes())
        _check(sha256, hashlib.sha256(data).hexdigest())
        return data

    def get_all(self, digests: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Read whole objects, in the order given; of a remote store some at a time.

        Raises:
            DamagedObject: The store gave other bytes than were put.
            MissingObject: One is not there.
        """
        if self._root or len(digests) < 2:
            yield from ((sha256, self.get(sha256)) for sha256 in digests)
            return
        pool = ThreadPoolExecutor(min(_AT_ONCE, len(digests)))
        try:
            yield from zip(digests, pool.map(self.get, digests), strict=True)
        finally:
            pool.shutdown(cancel_futures=True)

    def file(self, sha256: str, step: Step = go_on, *, within: float | None = None) -> Path:
        """A local file with the object's bytes, fetched first where the store is remote; to be opened at once.

        It is read and compared with its digest at its first use in this process, and again where somebody touched it.

        Args:
            sha256: The object.
            step: Called after each piece that is fetched or read; what it raises ends this.
            within: Read it again unless that was done so many seconds ago, or since.

        Raises:
            DamagedObject: The store has other bytes than were put.
            MissingObject: It is not there.
        """
        if self._root:
            path = self._root / _key(sha256)
            with named(sha256):
                self._verify(path, sha256, step, within)
            return path
        found = self._cache.find(sha256)
        if found is not None:
            try:
                self._verify(found, sha256, step, within)
            except (DamagedObject, FileNotFoundError):
                self._cache.remove(sha256)
            else:
                return found
        # Not from the reserve's side: what people label is read through these copies, and their room is bounded.
        with self.receive(reserved=False) as incoming:
            with named(sha256), reach():
                for piece in obstore.get(self._store, _key(sha256)):
                    incoming.write(piece)
                    step()
            _check(sha256, incoming.digest().hex())
            return self._cache.add(sha256, incoming.path)

    def address(self, sha256: str) -> str | None:
        """A presigned address that serves the object, with ranges, for five minutes; None where we alone can."""
        if self._shown is None:
            return None
        return obstore.sign(self._shown, "GET", _key(sha256), _ADDRESS_HOLDS)

    def _verify(self, path: Path, sha256: str, step: Step, within: float | None) -> None:
        status = path.stat()
        if not self._verified.holds(path, status, within):
            digest = hashlib.sha256()
            for piece in _pieces(path, step):
                digest.update(piece)
            _check(sha256, digest.hexdigest())
            self._verified.note(path, status)

    def _adopt(self, path: Path, stored: Stored, step: Step = go_on) -> Stored:
        with reach(), room():
            if self._root:
                target = self._root / _key(stored.sha256)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.utime(path)  # it is put now, however long ago it was written
                _sync(path)
                path.replace(target)
                self._verified.note(target, target.stat())  # it was digested a moment ago
                _sync(target.parent)
            else:
                self._send(path, stored.sha256, step)
        return stored

    def _send(self, path: Path, sha256: str, step: Step) -> None:
        try:
            obstore.put(self._store, _key(sha256), _pieces(path, step))
        except FileNotFoundError as error:
            if not path.exists():
                raise
            # A transfer that broke off is called off, and the store may know nothing of it any more.
            raise away(error) from error


def open_storage(settings: Settings, kind: Callable[..., Storage] = Storage) -> Storage:
    """The store that settings name; ``kind`` makes it."""
    return kind(
        settings.storage,
        settings.scratch_dir,
        cache_bytes=settings.cache_bytes,
        public_endpoint=settings.public_storage_endpoint,
        redirects=settings.redirect_downloads,
    )


def _remote(url: str) -> ObjectStore:
    try:
        return from_url(url, retry_config={"max_retries": _RETRIES, "retry_timeout": _RETRIED_FOR})
    except BaseError as error:
        raise ValueError(f"{url} is no storage that this service knows; write file:// or s3://") from error


def _check(wanted: str, found: str) -> None:
    if found != wanted:
        log.error("the object %s has the digest %s: it was damaged", wanted, found)
        raise DamagedObject(wanted, found)


def _key(sha256: str) -> str:
    return f"{_FOLDER}/{sha256[:2]}/{sha256}"


def _pieces(path: Path, step: Step) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece
            step()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
