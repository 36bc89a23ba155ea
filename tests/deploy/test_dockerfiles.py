"""The Dockerfiles pass their linter, find what they copy, and take nothing along that is not the code."""

from __future__ import annotations

import itertools
import re
import subprocess
import tomllib
from importlib.metadata import distribution
from pathlib import Path

import pytest
from docker.utils import exclude_paths
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
FILES = ("Dockerfile", "Dockerfile.gpu")
FOLDERS = ("pose", "posetween", "formats", "models", "app", "worker", "cli", "migrations")


def patterns():
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


@pytest.mark.parametrize("name", FILES)
def test_the_linter_has_nothing_to_say(tool, name, tmp_path):
    hadolint = tool("hadolint", "the extra 'dev'")
    done = subprocess.run([hadolint, "--no-color", ROOT / name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    (tmp_path / "Dockerfile").write_text((ROOT / name).read_text().replace("python:3.11-slim-trixie", "python:latest"))
    assert subprocess.run([hadolint, tmp_path / "Dockerfile"], capture_output=True, check=False).returncode == 1


@pytest.mark.parametrize("name", FILES)
def test_what_the_linter_is_told_to_pass_over_is_explained(name):
    lines = (ROOT / name).read_text().splitlines()
    for before, line in itertools.pairwise(lines):
        if "hadolint ignore" in line:
            assert before.startswith("# "), line


@pytest.mark.parametrize("name", FILES)
def test_what_is_copied_is_in_the_context(name):
    context = exclude_paths(str(ROOT), patterns())
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / name).read_text(), re.MULTILINE)
    sources = [source for line in copied for source in line.split()]
    assert {*sources} == {*FOLDERS, "pyproject.toml", "constraints.txt", "README.md", "LICENSE", "NOTICE"}
    for source in sources:
        assert source in context or any(path.startswith(f"{source}/") for path in context), source


def test_every_package_is_copied():
    include = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]["find"]["include"]
    assert {*FOLDERS} == {pattern.removesuffix("*") for pattern in include}


def test_the_context_holds_nothing_but_the_code(tmp_path):
    code = {
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "LICENSE",
        "NOTICE",
        "app/main.py",
        "models/weights/a.safetensors",
    }
    private = {
        *(".env", ".env.local", "app/.env", "app/admin.key", "posetween-data/admin.key", "posetween-data/posetween.db"),
        *("posetween.db", "app/lab.db-wal", "app/walk.mp4.part", ".venv/bin/python", ".git/config", "backups/lab.dump"),
        *("demo-out/walk.mp4", "tests/app/test_main.py", "app/__pycache__/main.cpython-311.pyc", "docker-compose.yml"),
        *(".mypy_cache/x", "posetween.egg-info/PKG-INFO", "benchmarks/live_server.py", "id_rsa"),
    }
    for name in code | private:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    context = exclude_paths(str(tmp_path), patterns())
    assert {path for path in context if (tmp_path / path).is_file()} == code


@pytest.mark.parametrize("name", FILES)
def test_a_container_is_nobody_in_particular(name):
    text = (ROOT / name).read_text()
    assert "USER 10001:10001" in text
    assert text.index("USER 10001:10001") < text.index("\nCMD ")
    for line in ("STOPSIGNAL SIGTERM", 'VOLUME ["/data", "/tmp"]', "HEALTHCHECK", "org.opencontainers.image.licenses"):
        assert line in text


@pytest.mark.parametrize("name", FILES)
def test_the_label_names_the_version(name):
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f'org.opencontainers.image.version="{version}"' in (ROOT / name).read_text()


def needed(lines):
    """Names of all distributions that some requirements come to."""
    found, open_ = set(), [(Requirement(line), frozenset()) for line in lines]
    while open_:
        requirement, extras = open_.pop()
        marker, wanted = requirement.marker, (requirement.name.lower(), frozenset(requirement.extras))
        if wanted in found or not any(marker is None or marker.evaluate({"extra": name}) for name in {"", *extras}):
            continue
        found.add(wanted)
        open_ += [(Requirement(line), wanted[1]) for line in distribution(requirement.name).requires or []]
    return {name for name, _ in found}


def test_the_image_of_the_api_brings_no_torch():
    installed = re.compile(r"install --constraint constraints\.txt '\.\[(.+)\]'")
    extras = {name: {*installed.search((ROOT / name).read_text())[1].split(",")} for name in FILES}
    assert extras == {"Dockerfile": {"server", "formats"}, "Dockerfile.gpu": {"server", "worker", "vitpose", "formats"}}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    with_torch = set()
    for name in FILES:
        lines = [line for extra in extras[name] for line in project["optional-dependencies"][extra]]
        found = needed([*project["dependencies"], *lines])
        assert {"celery", "fastapi", "numpy"} <= found
        if "torch" in found:
            with_torch.add(name)
    assert with_torch == {"Dockerfile.gpu"}


def test_constraints_leave_the_build_of_torch_open():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    (torch,) = [line for line in lines if line.startswith("torch==")]
    assert "+" not in torch
    assert not [line for line in lines if line.startswith(("nvidia-", "triton"))]
