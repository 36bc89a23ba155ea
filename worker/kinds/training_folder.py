"""Where a training keeps what the next attempt goes on from, on this machine.

An attempt that breaks off, or whose process is killed, leaves its folder; the next attempt of the job on the same
machine goes on there after the last whole epoch. A lock says who writes: a worker that was stopped beyond its lease and
wakes up must not write into the folder of the one that took over.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.database import Database
from app.jobs import states
from app.tables import Job
from worker.context import Cancelled, Context, JobFailed

log = logging.getLogger(__name__)


@contextmanager
def training_folder(context: Context) -> Iterator[Path]:
    """The folder of the context's job; it stays where another attempt may follow, and is removed otherwise."""
    root = context.settings.scratch_dir / "trainings"
    root.mkdir(parents=True, exist_ok=True)
    sweep(context.database, root)
    held = context.held
    folder, lock = _begun(root / f"{held.job_id}") or _begun(root / f"{held.job_id}.{held.attempt}") or (None, None)
    if folder is None or lock is None:
        raise RuntimeError(f"two processes do attempt {held.attempt} of job {held.job_id}")
    try:
        yield folder
    except (Cancelled, JobFailed):
        shutil.rmtree(folder, ignore_errors=True)
        raise
    else:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def _begun(folder: Path) -> tuple[Path, int] | None:
    """A folder that nobody else writes to, with its lock; None where somebody does."""
    folder.mkdir(exist_ok=True)
    lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return folder, lock


def sweep(database: Database, root: Path) -> None:
    """Remove the folders of jobs that have ended elsewhere."""
    for folder in root.iterdir():
        number = folder.name.partition(".")[0]
        if not number.isdecimal():
            continue
        with database.session(readonly=True) as session:
            job = session.get(Job, int(number))
        if job is None or job.state in states.FINISHED:
            log.info("the folder of training %s is removed", folder.name)
            shutil.rmtree(folder, ignore_errors=True)
