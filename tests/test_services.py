"""What tests need that may not be there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.services import needed


def test_a_module_that_is_not_there_is_passed_over_or_asked_for(monkeypatch):
    assert needed("re") is re
    monkeypatch.delenv("REQUIRE_SERVICES", raising=False)
    with pytest.raises(pytest.skip.Exception, match="no_such_module cannot be imported"):
        needed("no_such_module")
    monkeypatch.setenv("REQUIRE_SERVICES", "1")
    with pytest.raises(pytest.fail.Exception, match="no_such_module cannot be imported"):
        needed("no_such_module")


def test_no_test_is_passed_over_where_everything_has_to_be_there():
    skipping = "import" + "orskip"
    assert [path.name for path in Path(__file__).parent.rglob("*.py") if skipping in path.read_text()] == []
