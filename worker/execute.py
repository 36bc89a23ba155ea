"""Running one claimed job to whatever end it comes to."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sqlalchemy.orm import Session

from app.database import TROUBLE, Database
from app.errors import Busy, DamagedObject, MissingObject, NoSpace, Unreachable, database_trouble
from app.jobs import ledger, states
from app.jobs.ledger import Claim, Fenced
from app.jobs.log import plain
from app.labs.quotas import OverQuota
from app.logs import about
from app.settings import Settings
from app.storage import Storage
from app.trash.visible import is_work_for_nobody
from worker.context import Cancelled, Context, JobFailed, MissingFile, Stopping, TakesLong, TooLittleMemory
from worker.metrics import WorkerMetrics
from worker.registry import load

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 5.0  # before the second attempt; four times as long before the third
_AGAIN_SECONDS = 0.2  # between two tries to write down an end
_LONGEST_SENTENCE = 200

#: How a worker lets go of a job that does not end with it: the worker shuts down; it went wrong and is tried again;
#: somebody else has it; it is for workers that do what takes long.
GIVEN_BACK, RETRIED, LOST, PASSED_ON = "given_back", "retried", "lost", "passed_on"


def run_job(
    settings: Settings,
    database: Database,
    storage: Storage,
    held: Claim,
    stopping: threading.Event,
    metrics: WorkerMetrics | None = None,
) -> None:
    """Do a claimed job and write down how it ended."""
    metrics = metrics or WorkerMetrics(settings)
    context = Context(settings, database, storage, held, stopping, metrics)
    began = time.monotonic()
    with about(job_id=held.job_id, job_kind=held.kind, attempt=held.attempt):
        waited = {"waited": round(held.waited, 3)} if held.waited is not None else {}
        log.info("job begins", extra=waited)
        if held.waited is not None:
            metrics.waited.labels(held.kind).observe(held.waited)
        outcome, reason = _do(context)
        metrics.done.labels(held.kind, outcome).inc()
        fields = {"outcome": outcome, "seconds": round(time.monotonic() - began, 3)}
        level = logging.INFO if reason is None else logging.WARNING
        log.log(level, "job ends", extra=fields if reason is None else {**fields, "reason": reason})


def _do(context: Context) -> tuple[str, str | None]:
    """Do a job; gives the outcome, and the reason where something went wrong."""
    with context.heartbeat():  # also while its end is written down
        return _settle(context)


def _settle(context: Context) -> tuple[str, str | None]:
    try:
        with context.database.session(readonly=True) as session:
            if is_work_for_nobody(session, context.held.job_id):
                raise Cancelled
        load(context.held.kind)(context)
    except Fenced:
        return LOST, "the lease ran out, or the job has ended"
    except Cancelled:
        return _end(context, ledger.cancelled, states.CANCELLED), None
    except Stopping:
        return _end(context, ledger.release, GIVEN_BACK), None
    except TakesLong as word:
        queue = word.queue
        return _end(context, lambda session, held: ledger.pass_on(session, held, queue), PASSED_ON), None
    except (JobFailed, OverQuota) as error:
        reason = str(error)
        return _end(context, lambda session, held: ledger.fail(session, held, reason), states.FAILED), reason
    except (NoSpace, Unreachable, Busy, MissingFile, MissingObject, DamagedObject, TooLittleMemory) as error:
        return _give_up(context, str(error))
    except TROUBLE as error:
        log.warning("the database does not answer", exc_info=True)
        trouble = database_trouble(error)
        full = isinstance(trouble, NoSpace)
        return _give_up(context, str(trouble) if full else "the database did not answer the worker")
    except Exception as error:
        log.exception("job broke")
        return _give_up(context, f"the worker ran into an error of its own ({_said(error)}); its log says more")
    return states.SUCCEEDED, None


def _said(error: Exception) -> str:
    """An error in a few words. Where files of the server are is not for those who read of a job."""
    text = str(error)
    if isinstance(error, OSError):
        text = error.strerror or ""
    line = plain((text.splitlines() or [""])[0]) or ""
    return f"{type(error).__name__}: {line[:_LONGEST_SENTENCE]}"


def _give_up(context: Context, reason: str) -> tuple[str, str]:
    # A full disk or a storage that is away may be over soon: three attempts at once would be as good as one.
    pause = _PAUSE_SECONDS * context.held.attempt**2
    state = _end(context, lambda session, held: ledger.release(session, held, reason, pause=pause))
    return RETRIED if state == states.QUEUED else state, reason


def _end(context: Context, write: Callable[[Session, Claim], str | None], outcome: str | None = None) -> str:
    """Write down how a job ended; gives the outcome, which is the state that ``write`` gives where none is named.

    While the database has no time for that it is tried again, for as long as a lease is: else the lease would run out,
    and cost an attempt.
    """
    until = time.monotonic() + context.settings.lease_seconds
    while True:
        try:
            with context.database.session() as session:
                state = write(session, context.held)
        except Fenced:
            return LOST
        except TROUBLE:
            if time.monotonic() > until:
                raise
            log.warning("the database does not hear of the end of a job; once more", exc_info=True)
            time.sleep(_AGAIN_SECONDS)
        else:
            return outcome or str(state)
