from __future__ import annotations

import pytest

from tests.ledgers import ledger


@pytest.fixture
def database(database_url):
    """A ledger, with a lab and a project that jobs can be of."""
    with ledger(database_url) as database:
        yield database
