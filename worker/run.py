"""Running one claimed job to whatever end it comes to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from app.database import TROUBLE, Database
from app.errors import Busy, NoSpace, Unreachable
from app.exports.service import EXPORT
from app.jobs import ledger
from app.jobs.ledger import Claim, Fenced
from app.runs.service import PROPAGATE
from app.settings import Settings
from app.storage import Storage
from app.videos.service import INGEST
from worker.context import Cancelled, Context, JobFailed, Stopping
from worker.export import export
from worker.ingest import ingest
from worker.memory import TooLittleMemory
from worker.propagate import propagate

log = logging.getLogger(__name__)

_PAUSE_SECONDS = 5.0  # before the second attempt; four times as long before the third
_LONGEST_SENTENCE = 200

KINDS: dict[str, Callable[[Context], None]] = {INGEST: ingest, PROPAGATE: propagate, EXPORT: export}


def run_job(settings: Settings, database: Database, storage: Storage, held: Claim, stopping: threading.Event) -> None:
    """Do a claimed job and write down how it ended."""
    context = Context(settings, database, storage, held, stopping)
    log.info("job %d (%s) begins, attempt %d", held.job_id, held.kind, held.attempt)
    try:
        with context.beating():
            KINDS[held.kind](context)
    except Fenced:
        log.warning("job %d is no longer ours", held.job_id)
        return
    except Cancelled:
        _end(database, held, ledger.cancelled)
    except Stopping:
        _end(database, held, ledger.release)
    except JobFailed as error:
        reason = str(error)
        _end(database, held, lambda session, held: ledger.fail(session, held, reason))
    except (NoSpace, Unreachable, Busy, TooLittleMemory) as error:
        log.warning("job %d: %s", held.job_id, error)
        _give_back(database, held, str(error))
    except TROUBLE:
        log.warning("job %d: the database does not answer", held.job_id, exc_info=True)
        _give_back(database, held, "the database did not answer the worker")
    except Exception as error:
        log.exception("job %d broke", held.job_id)
        said = (str(error).splitlines() or [""])[0][:_LONGEST_SENTENCE]
        reason = f"the worker ran into an error of its own ({type(error).__name__}: {said}); its log says more"
        _give_back(database, held, reason)
    log.info("job %d (%s) ends", held.job_id, held.kind)


def _give_back(database: Database, held: Claim, reason: str) -> None:
    # A full disk or a storage that is away may be over soon: three attempts at once would be as good as one.
    pause = _PAUSE_SECONDS * held.attempt**2
    _end(database, held, lambda session, held: ledger.release(session, held, reason, pause=pause))


def _end(database: Database, held: Claim, write: Callable[..., None]) -> None:
    try:
        with database.session() as session:
            write(session, held)
    except Fenced:
        log.warning("job %d is no longer ours", held.job_id)
