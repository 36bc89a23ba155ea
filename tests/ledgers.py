"""A database with a lab and a project that jobs can be of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from app.database import Database, connect
from app.tables import Lab, Project
from migrations import apply as migrate


@contextmanager
def ledger(url: str) -> Iterator[Database]:
    """Make one in an empty database; both have the id 1."""
    database = connect(url)
    migrate.upgrade(database)
    with database.session() as session:
        session.add(Lab(id=1, name="lab"))
        session.flush()
        session.add(Project(id=1, lab_id=1, name="project"))
    yield database
    database.dispose()
