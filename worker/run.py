"""Running one claimed job to whatever end it comes to."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from app.database import Database
from app.errors import NoSpace
from app.exports.service import EXPORT
from app.jobs import ledger
from app.jobs.ledger import Claim, Fenced
from app.runs.packing import PACK
from app.runs.service import PROPAGATE
from app.settings import Settings
from app.storage import Storage
from app.videos.service import INGEST
from worker.context import Cancelled, Context, JobFailed, Stopping
from worker.export import export
from worker.ingest import ingest
from worker.memory import TooLittleMemory
from worker.pack import pack
from worker.propagate import propagate

log = logging.getLogger(__name__)

KINDS: dict[str, Callable[[Context], None]] = {INGEST: ingest, PROPAGATE: propagate, PACK: pack, EXPORT: export}


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
    except (NoSpace, TooLittleMemory) as error:
        log.warning("job %d: %s", held.job_id, error)
        reason = str(error)
        _end(database, held, lambda session, held: ledger.release(session, held, reason))
    except Exception as error:
        log.exception("job %d broke", held.job_id)
        reason = f"the worker ran into an error of its own ({type(error).__name__}: {error}); its log says more"
        _end(database, held, lambda session, held: ledger.release(session, held, reason))
    log.info("job %d (%s) ends", held.job_id, held.kind)


def _end(database: Database, held: Claim, write: Callable[..., None]) -> None:
    try:
        with database.session() as session:
            write(session, held)
    except Fenced:
        log.warning("job %d is no longer ours", held.job_id)
