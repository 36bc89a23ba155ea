"""Messages to idle workers over a broker that a queue has work, once the work is committed.

The ledger stays the truth. A message carries a job's id and means no more than "look at this queue": what is lost is
sent again (``worker.maintenance``), what comes twice finds nothing to do. Without a broker workers poll.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from sqlalchemy import event
from sqlalchemy.orm import Session

from app.database import Database

if TYPE_CHECKING:
    from celery import Celery

log = logging.getLogger(__name__)

#: Name of the task that workers do for a message.
TASK = "posetween.work"

_NOTED = "jobs to tell of"

# A request waits for the broker no longer than this, and after a failure the next ones do not wait at all for a while.
_PATIENCE_SECONDS = 2.0
_SILENCE_SECONDS = 10.0

_SETTINGS = {
    "task_ignore_result": True,
    "task_serializer": "json",
    "accept_content": ["json"],
    "task_publish_retry": False,
    "broker_connection_timeout": _PATIENCE_SECONDS,
}


def notify_after_commit(session: Session, queue: str, job_id: int) -> None:
    """Have workers told of a job when the transaction is committed."""
    session.info.setdefault(_NOTED, []).append((queue, job_id))


class Notifier:
    """Sends messages.

    Args:
        broker_url: ``redis://…``.
    """

    def __init__(self, broker_url: str) -> None:
        self._celery = _celery(broker_url)
        self._silent_until = -float("inf")

    def attach(self, database: Database) -> None:
        """Tell of what transactions of a database noted, once they are committed."""

        def publish(session: Session) -> None:
            for queue, job_id in session.info.pop(_NOTED, []):
                self.publish(queue, job_id)

        event.listen(database.write, "after_commit", publish)

    def publish(self, queue: str, job_id: int) -> bool:
        """Send one message; tells whether the broker took it. Never raises: the job only starts later without it."""
        if time.monotonic() < self._silent_until:
            return False
        try:
            self._celery.send_task(TASK, [job_id], queue=queue)
        except Exception:
            self._silent_until = time.monotonic() + _SILENCE_SECONDS
            log.warning("the broker does not take messages; jobs wait until it does", exc_info=True)
            return False
        return True

    def count_pending(self, queue: str) -> int:
        """Messages of a queue that no worker has taken yet.

        Raises:
            kombu.exceptions.OperationalError: The broker does not answer.
        """
        with self._celery.connection_for_read() as connection, connection.channel() as channel:
            count = int(channel.queue_declare(queue, durable=True, auto_delete=False).message_count)
        self._silent_until = -float("inf")
        return count

    def check(self) -> None:
        """Find out whether the broker answers.

        Raises:
            kombu.exceptions.OperationalError: It does not.
        """
        with self._celery.connection_for_read() as connection:
            connection.ensure_connection(max_retries=1, timeout=_PATIENCE_SECONDS)

    def close(self) -> None:
        """Close the connections."""
        self._celery.close()


def _celery(broker_url: str) -> Celery:
    from celery import Celery  # only where there is a broker: it takes a third of a second to load

    celery = Celery("posetween", broker=broker_url, set_as_current=False)
    celery.conf.update(_SETTINGS)
    limits = {"socket_timeout": _PATIENCE_SECONDS, "socket_connect_timeout": _PATIENCE_SECONDS}
    celery.conf.broker_transport_options = {**limits, "max_retries": 0}
    return celery
