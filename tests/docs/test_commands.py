"""What the pages tell people to type exists: commands, options, settings, routes, targets, scripts and benchmarks."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from app.main import create_app
from app.settings import Settings
from cli.main import COMMANDS, app

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
ROOMS = ("app", "cli", "examples", "models", "worker", "posetween", "tests")
#: Blocks of commands, and commands within a line.
CODE = re.compile(r"```(?:sh)?\n(.*?)```|(?<!`)`([^`\n]+)`(?!`)", re.DOTALL)
ROUTE = re.compile(r"/api/v1(/[A-Za-z0-9/{}_.…-]+)")


def lines(page):
    for block, inline in CODE.findall(page.read_text()):
        for line in (block or inline).replace("\\\n", " ").splitlines():
            yield line.split("  #")[0].split(" # ")[0].strip()


def commands(page):
    for line in lines(page):
        words = line.split()
        if "posetween" in words and "=" not in words[0]:
            yield line, words[words.index("posetween") + 1 :]


def known(words):
    """The command that words call, and those that are left."""
    command, rest = get_command(app).get_command(None, words[0]), list(words[1:])
    while rest and rest[0] in getattr(command, "commands", {}):
        command = command.commands[rest.pop(0)]
    return command, rest


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_and_their_options(page):
    for line, words in commands(page):
        if not words or not re.fullmatch(r"[a-z]+", words[0]):
            continue
        assert words[0] in COMMANDS, line
        command, rest = known(words)
        options = {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}
        for word in rest:
            if re.fullmatch(r"--?[a-z][a-z0-9-]*", word):
                assert word in options, f"{line}: {command.name} has no {word}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_targets_scripts_and_benchmarks(page):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in lines(page):
        for target in re.findall(r"^make ([a-z]+)", line):
            assert target in targets, line
        for script in re.findall(r"\bscripts/[A-Za-z_-]+", line):
            assert (ROOT / script).exists() or (ROOT / f"{script}.py").exists(), line
        for name in re.findall(r"python -m (benchmarks\.[a-z_.]+|formats\.[a-z_]+)", line):
            place = ROOT / name.replace(".", "/")
            assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), line


@pytest.fixture(scope="module")
def routes(tmp_path_factory):
    paths = create_app(Settings(data_dir=tmp_path_factory.mktemp("data"))).openapi()["paths"]
    return [re.sub(r"\{[^}]*\}", "[^/]+", path) for path in paths]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_routes(page, routes):
    for path in ROUTE.findall(page.read_text()):
        if "…" in path or path.endswith("openapi.json"):
            continue
        asked = re.sub(r"\{[^}]*\}", "1", f"/api/v1{path.rstrip('.')}")
        assert any(re.fullmatch(route, asked) for route in routes), f"{page.name}: there is no route {path}"


@pytest.fixture(scope="module")
def source():
    """All that may read a variable of the environment."""
    files = [path for room in ROOMS for path in (ROOT / room).rglob("*.py")]
    return "".join(path.read_text() for path in (*files, ROOT / "docker-compose.yml", ROOT / ".env.example"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_settings(page, source):
    for name in set(re.findall(r"\bPOSETWEEN_[A-Z0-9_]*[A-Z0-9]\b", page.read_text())):
        field = name.removeprefix("POSETWEEN_").lower()
        assert field in Settings.model_fields or name in source, f"{page.name}: nothing reads {name}"


def test_a_command_with_an_option_that_is_not_there_is_found():
    command, rest = known(["videos", "propagate", "1", "--magic"])
    assert (command.name, rest) == ("propagate", ["1", "--magic"])
    assert sum(1 for page in PAGES for _ in commands(page)) > 60
