"""A worker process that is told of jobs over Redis.

One process and one thread does one job at a time (Celery's pool ``solo``): a GPU is not shared, and PyTorch does not
survive a fork. A message only says that a queue has work. The worker claims the job whose turn it is then, which may be
another than the one that the message was sent for: messages come in the order in which jobs were queued, and doing them
in that order would leave no room for priorities and for labs' equal shares.

Now and then the worker looks for itself as well, so that it works on while Redis is away or does not reach it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_shutting_down

from app.database import TROUBLE
from app.jobs.notifier import TASK
from app.settings import Settings
from worker.slots import beside
from worker.worker import Worker

log = logging.getLogger(__name__)

_SETTINGS = {
    # A message is gone when its job has ended, not when it was received, also if the worker dies of it.
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    # No limit: the pool does one message at a time anyway. With a limit of 1 a message that cannot be acknowledged,
    # because Redis was killed during its job, would count against it for ever, and the worker would hear no other.
    "worker_prefetch_multiplier": 0,
    "task_ignore_result": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    "worker_hijack_root_logger": False,
    "worker_redirect_stdouts": False,
    "worker_enable_remote_control": False,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
}

_TRANSPORT = {
    # Messages of a job that takes longer come twice, which is harmless: the ledger knows what is done.
    "visibility_timeout": 3600,
    "unacked_restore_interval": 10,
    "unacked_restore_throttle": 1,
    "socket_keepalive": True,
    "health_check_interval": 30,
}


def serve(settings: Settings, stopping: threading.Event) -> None:
    """Do jobs of the settings' queues until SIGTERM; a running job goes back to the queue at its next step.

    Args:
        settings: Where things are; with a broker.
        stopping: Set by Celery when the process shall end.
    """

    def stop(**_: Any) -> None:
        stopping.set()

    def leave(**_: Any) -> None:
        """Keep Celery from setting up logs: ours are."""

    worker_shutting_down.connect(stop)
    setup_logging.connect(leave)
    try:
        with (
            Worker(settings, stopping) as worker,
            beside(settings, worker, stopping),
            _looking(settings, worker, stopping) as turn,
        ):
            celery = celery_app(settings, worker, stopping, turn)
            log.info("worker %s listens to %s", worker.owner, ", ".join(settings.queues))
            celery.Worker(
                pool="solo",
                concurrency=1,
                queues=",".join(settings.queues),
                hostname=worker.owner.replace(":", "-", 1).replace(":", "@"),
                loglevel="WARNING",
                quiet=True,
                without_gossip=True,
                without_mingle=True,
                without_heartbeat=True,
            ).start()
    finally:
        setup_logging.disconnect(leave)
        worker_shutting_down.disconnect(stop)


@contextmanager
def _looking(settings: Settings, worker: Worker, stopping: threading.Event) -> Iterator[threading.Lock]:
    """Look for jobs now and then, for the length of a block; gives a lock, which is held while one is done."""
    turn = threading.Lock()
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(settings.ring_seconds):
            if turn.acquire(blocking=False):
                try:
                    while not stopping.is_set() and _one(worker):
                        pass
                finally:
                    turn.release()

    thread = threading.Thread(target=look, name="looking", daemon=True)
    thread.start()
    try:
        yield turn
    finally:
        stopping.set()
        ended.set()
        thread.join()


def _one(worker: Worker) -> bool:
    try:
        return worker.do_one()
    except TROUBLE:
        # The job comes back when its lease ends.
        log.warning("the database does not answer", exc_info=True)
    except Exception:
        log.exception("no job could be done")
    return False


def celery_app(settings: Settings, worker: Worker, stopping: threading.Event, turn: threading.Lock) -> Celery:
    """Celery with the one task there is."""
    celery = Celery("posetween", broker=settings.broker_url, set_as_current=False)
    celery.conf.update(_SETTINGS)
    celery.conf.broker_transport_options = _TRANSPORT

    def work(job_id: int) -> None:
        with turn:
            if not stopping.is_set():
                _one(worker)

    celery.task(work, name=TASK)
    return celery
