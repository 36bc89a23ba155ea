"""docker-compose.yml as Compose would see it, and the tools that check what Docker reads."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

ROOT = Path(__file__).parents[2]

_VARIABLE = re.compile(r"\$(?:\$|\{(?P<name>\w+)(?::(?P<kind>[?-])(?P<rest>[^}]*))?\})")


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the checkout."""
    return ROOT


@pytest.fixture(scope="session")
def tool() -> Callable[[str, str], str]:
    """Path of a program, of this environment or of the machine; a loud skip where it is missing."""

    def find(name: str, package: str) -> str:
        found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
        if found is None:
            sentence = f"{name}: install {package}"
            if os.environ.get("REQUIRE_SERVICES"):
                pytest.fail(sentence)
            pytest.skip(sentence)
        return found

    return find


@pytest.fixture(scope="session")
def compose() -> dict[str, Any]:
    """docker-compose.yml with its variables in it."""
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())


@pytest.fixture(scope="session")
def secrets_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as scripts/new-env makes it."""
    path = tmp_path_factory.mktemp("env") / ".env"
    subprocess.run([ROOT / "scripts" / "new-env", path], check=True, stdout=subprocess.DEVNULL)
    return path


@pytest.fixture(scope="session")
def resolved(compose: dict[str, Any], secrets_file: Path) -> dict[str, Any]:
    """docker-compose.yml with the values of such a file in place of its variables."""
    return resolve(compose, {name: value or "" for name, value in dotenv_values(secrets_file).items()})


def resolve(value: Any, variables: Mapping[str, str]) -> Any:
    """Put values in place of variables, as the compose specification says."""
    if isinstance(value, dict):
        return {name: resolve(part, variables) for name, part in value.items()}
    if isinstance(value, list):
        return [resolve(part, variables) for part in value]
    return _VARIABLE.sub(lambda match: _value(match, variables), value) if isinstance(value, str) else value


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    name = match["name"]
    if name is None:
        return "$"
    if variables.get(name):
        return variables[name]
    if match["kind"] == "?":
        raise LookupError(f"{name}: {match['rest']}")
    return match["rest"] or ""
