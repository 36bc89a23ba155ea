"""Settings come from the environment, and each is written down for people."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_explained(name):
    row = next((line for line in PAGE.read_text().splitlines() if f"`POSETWEEN_{name.upper()}`" in line), "")
    _, _, default, meaning, _ = row.split("|")
    assert len(meaning.strip()) > 10
    value = Settings.model_fields[name].default
    if isinstance(value, bool) or not isinstance(value, int | float):
        assert str(value).lower() in default.lower()
    else:
        assert eval(default.strip().strip("`").replace("_", "")) == value


def test_the_page_explains_nothing_else():
    named = [line.split("`")[1] for line in PAGE.read_text().splitlines() if line.startswith("| `POSETWEEN_")]
    assert sorted(named) == sorted(f"POSETWEEN_{name.upper()}" for name in Settings.model_fields)


def test_the_environment_is_read(monkeypatch):
    monkeypatch.setenv("POSETWEEN_PORT", "1234")
    monkeypatch.setenv("POSETWEEN_AUTH", "false")
    assert (Settings().port, Settings().auth) == (1234, False)


@pytest.mark.parametrize(
    ("name", "value"), [("port", -1), ("port", 70_000), ("lease_seconds", 0), ("max_pixels", "many")]
)
def test_settings_that_make_no_sense(name, value):
    with pytest.raises(ValidationError):
        Settings(**{name: value})
