"""A lab whose engines are measured, for the tests of what is read by measurements."""

from __future__ import annotations

import pytest

from app.runs import measuring
from app.settings import Settings
from tests.app.runs.lab import Lab


@pytest.fixture(scope="module")
def kind():
    """What the lab is made by; modules that ask it for more have their own."""
    return Lab


@pytest.fixture(scope="module")
def measuring_service(serving, tmp_path_factory):
    """A service for all tests of a module."""
    return serving(Settings(data_dir=tmp_path_factory.mktemp("lab"), port=0))


@pytest.fixture
def lab(kind, measuring_service, walker, monkeypatch):
    """A lab of its own in that service, of which everything is measured, whatever else the machine does."""
    monkeypatch.setattr(measuring, "LEAST_SECONDS", 600.0)
    made = kind(measuring_service, walker)
    yield made
    made.database.dispose()
