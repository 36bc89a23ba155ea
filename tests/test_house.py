"""The rules of the house that no linter checks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scheduling import LONG

ROOT = Path(__file__).parents[1]
ROOMS = ("pose", "posetween", "formats", "models", "app", "worker", "cli")
VAGUE = {"utils", "helpers", "common", "base", "manager", "misc"}


@pytest.mark.parametrize("room", ROOMS)
def test_a_module_fits_on_a_few_screens(room):
    modules = {path: len(path.read_text().splitlines()) for path in (ROOT / room).rglob("*.py")}
    assert modules
    assert {str(path): lines for path, lines in modules.items() if lines > 400} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_a_module_has_a_name_that_says_something(room):
    assert not [path for path in (ROOT / room).rglob("*") if path.stem in VAGUE]


def test_the_root_of_models_holds_nothing_but_its_doors():
    assert {path.stem for path in (ROOT / "models").glob("*.py")} == {
        "__init__",
        "errors",
        "hiding",
        "propagate",
        "registry",
    }


def test_the_files_that_come_first_are_there():
    assert [name for name in LONG if not (ROOT / "tests" / name).exists()] == []
    assert len({*LONG}) == len(LONG)


def test_tests_are_no_package():
    assert not [*(ROOT / "tests").rglob("__init__.py")]
