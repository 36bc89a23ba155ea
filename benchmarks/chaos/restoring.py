"""The drill of a bad day: a copy made while everybody works is put back elsewhere, and audited there."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from app.database import connect
from app.settings import Settings
from benchmarks.chaos.installation import Installation
from benchmarks.chaos.invariants import (
    Evidence,
    acknowledged_absences_are_kept,
    acknowledged_labels_are_kept,
    acknowledged_revisions_are_kept,
    acknowledged_uploads_are_whole,
)
from benchmarks.chaos.journal import Journal
from benchmarks.chaos.moment import Moment

_AUDITED = (
    acknowledged_labels_are_kept,
    acknowledged_absences_are_kept,
    acknowledged_revisions_are_kept,
    acknowledged_uploads_are_whole,
)


@contextmanager
def restore_elsewhere(moment: Moment) -> Iterator[None]:
    """A copy of the database is made under load and put back into a second place; what was promised before is there."""
    installation = moment.installation
    told = moment.load.journal.so_far()
    folder = moment.folder / f"drill-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    with moment.bystander.writing():
        made = installation.run("db", "backup", str(folder / "copy"))
        yield
        if made.returncode:
            moment.violations.append(f"drill: no copy was made: {made.stderr.strip()[-300:]}")
            return
        with _second_place(installation, folder) as second:
            moment.violations += [f"drill: {found}" for found in _restored(moment, second, folder / "copy", told)]
    moment.checked.update({"labels in restored copies": len(told.labels), "copies restored": 1})
    shutil.rmtree(folder)


def _restored(moment: Moment, second: Settings, copy: Path, told: Journal) -> Iterator[str]:
    back = moment.installation.run("db", "restore", str(copy), settings=second)
    if back.returncode:
        yield f"the copy could not be put back: {back.stderr.strip()[-300:]}"
        return
    database = connect(second.database)
    evidence = Evidence(database, moment.installation.storage, second.lease_seconds, told)
    for invariant in _AUDITED:
        yield from (f"{invariant.__name__}: {found}" for found in invariant(evidence))
    database.dispose()


@contextmanager
def _second_place(installation: Installation, folder: Path) -> Iterator[Settings]:
    """Settings of an installation whose database is not there yet, over the same objects."""
    settings = installation.settings
    changed = {"data_dir": folder / "second", "storage_url": settings.storage}
    if installation.postgres is None:
        yield settings.model_copy(update=changed)
        return
    address = make_url(settings.database)
    name = f"drill_{uuid.uuid4().hex[:8]}"
    plain = address.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(plain, autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        try:
            second = address.set(database=name).render_as_string(hide_password=False)
            yield settings.model_copy(update={**changed, "database_url": second})
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]
