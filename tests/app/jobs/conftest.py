from __future__ import annotations

import pytest

from app.database import connect
from app.tables import Lab, Project
from migrations import apply as migrate


@pytest.fixture
def database(database_url):
    """A ledger, with a lab and a project that jobs can be of."""
    database = connect(database_url)
    migrate.upgrade(database)
    with database.session() as session:
        session.add(Lab(id=1, name="lab"))
        session.flush()
        session.add(Project(id=1, lab_id=1, name="project"))
    yield database
    database.dispose()
