"""A thread of a worker process that erases what was deleted, when no other process does, and what its machine keeps."""

from __future__ import annotations

import logging
import threading
import time
from contextvars import copy_context
from functools import partial

from obstore.exceptions import BaseError

from app.database import TROUBLE, Database
from app.errors import ServiceError
from app.file_cache import FileCache
from app.jobs import periodic_tasks
from app.settings import Settings
from app.storage import Storage
from app.trash.erasure import Eraser
from app.trash.leftovers import SECONDS, Leftovers
from worker.context import Stopping
from worker.kinds import training_folder
from worker.kinds.features import features

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 1.0
_LOOK_SECONDS = 2.0


class Erasing:
    """The thread. It looks at once when it begins.

    Args:
        settings: Where this machine keeps things.
        database: Whose rows.
        storage: Whose objects.
    """

    def __init__(self, settings: Settings, database: Database, storage: Storage) -> None:
        self._database = database
        self._trainings = settings.scratch_dir / "trainings"
        self._eraser = Eraser(database, storage, self._listen)
        frames = FileCache(settings.frames_dir, settings.frame_cache_bytes)
        self._leftovers = Leftovers(database, storage, frames, features(settings))
        self._cleared_at = -float("inf")
        self._ended = threading.Event()
        self._thread = threading.Thread(target=partial(copy_context().run, self._run), name="erasing", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is being erased is gone on with by whoever looks next, see ``Eraser``."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._look()
            except Stopping:
                return
            except TROUBLE:
                log.warning("the database does not answer", exc_info=True)
            except (ServiceError, BaseError, OSError):
                log.warning("not everything could be erased this time", exc_info=True)
            except Exception:
                log.exception("what was deleted could not be erased")
            if self._ended.wait(_PAUSE_SECONDS):
                return

    def _listen(self) -> None:
        if self._ended.is_set():
            raise Stopping

    def _look(self) -> None:
        with self._database.session(readonly=True) as session:
            due = periodic_tasks.due(session, periodic_tasks.ERASE, _LOOK_SECONDS)
        if due:
            with self._database.session() as session:
                due = periodic_tasks.take(session, periodic_tasks.ERASE, _LOOK_SECONDS)
        erased = self._eraser.run() if due else 0
        if erased or time.monotonic() - self._cleared_at > SECONDS:
            self._cleared_at = time.monotonic()
            self._leftovers.clear()
            if self._trainings.is_dir():
                training_folder.sweep(self._database, self._trainings)
