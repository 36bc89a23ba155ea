"""A worker process: look for a job, do it, look again."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid

from sqlalchemy.exc import OperationalError

from app.database import connect
from app.jobs import ledger
from app.settings import Settings
from app.storage import open_storage
from worker.run import KINDS, run_job

log = logging.getLogger(__name__)


def work(settings: Settings, stopping: threading.Event, *, until_idle: bool = False) -> None:
    """Do jobs until told to stop.

    Args:
        settings: Where things are.
        stopping: Set it to stop: a running job goes back to the queue at its next step.
        until_idle: Return as soon as no job waits.
    """
    database = connect(settings.database)
    storage = open_storage(settings)
    # Never used twice, not even by the same process: it is half of the fencing token.
    owner = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
    storage.sweep()
    log.info("worker %s looks for jobs", owner)
    reaped_at = -float("inf")
    try:
        while not stopping.is_set():
            try:
                with database.session() as session:
                    if time.monotonic() - reaped_at > settings.lease_seconds / 2:
                        reaped_at = time.monotonic()
                        ledger.reap(session)
                    held = ledger.claim(session, owner, settings.lease_seconds, list(KINDS))
                if held is not None:
                    run_job(settings, database, storage, held, stopping)
                    continue
            except OperationalError:
                # No room or no time on the database's side; a job that was under way comes back when its lease ends.
                log.warning("the database does not answer", exc_info=True)
            if until_idle:
                return
            stopping.wait(settings.poll_seconds)
    finally:
        database.dispose()
