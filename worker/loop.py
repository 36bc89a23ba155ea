"""A worker process that looks for jobs itself: does one, looks again.

For a while after a job it looks more often: who waits for a correction soon makes the next one, and this process has
what it computes with at hand.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import nullcontext

from app.database import TROUBLE
from app.settings import Settings
from worker.slots import beside
from worker.worker import Worker

log = logging.getLogger(__name__)

_SOON_SECONDS = 0.05
_WARM_SECONDS = 60.0


def work(settings: Settings, stopping: threading.Event, *, until_idle: bool = False) -> None:
    """Do jobs until told to stop.

    Args:
        settings: Where things are.
        stopping: Set it to stop: a running job goes back to the queue at its next step.
        until_idle: Return as soon as no job waits.
    """
    with Worker(settings, stopping) as worker, nullcontext() if until_idle else beside(settings, worker, stopping):
        log.info("worker %s looks for jobs", worker.owner)
        warm_until = -float("inf")
        while not stopping.is_set():
            try:
                if worker.do_one():
                    warm_until = time.monotonic() + _WARM_SECONDS
                    continue
            except TROUBLE:
                # A job that was under way comes back when its lease ends.
                log.warning("the database does not answer", exc_info=True)
            if until_idle:
                return
            soon = time.monotonic() < warm_until
            stopping.wait(min(settings.poll_seconds, _SOON_SECONDS) if soon else settings.poll_seconds)
