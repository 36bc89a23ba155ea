"""The commands of ``docs/first-hour.md`` do what the page says, one after the other."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.settings import Settings
from cli.main import app
from tests.cli.importing.conftest import working
from tests.conftest import serve

__all__ = ["working"]

PAGE = Path(__file__).parents[2] / "docs" / "first-hour.md"
#: What the service of this test stands for, or another test does.
ELSEWHERE = ("git clone", "make up", "source ")


@pytest.fixture
def service(tmp_path):
    """A service that fits an engine to a video for a moment only: what comes of it is not looked at here."""
    yield from serve(Settings(data_dir=tmp_path / "data", port=0, adapt_seconds=1))


def test_the_commands_one_after_the_other(working, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    address = str(working.http.base_url).partition("/api/")[0]
    environment = {"POSETWEEN_SERVER": address, "POSETWEEN_KEY": working.key}
    blocks = re.findall(r"```(sh|python)\n(.*?)```", PAGE.read_text(), re.DOTALL)
    ran = []
    for kind, text in blocks:
        if kind == "python":
            exec(compile(text, str(PAGE), "exec", dont_inherit=True), {})
            continue
        for line in text.splitlines():
            if line.startswith(ELSEWHERE):
                continue
            words = shlex.split(line)
            assert words[0] == "posetween", line
            done = CliRunner().invoke(app, words[1:], env=environment)
            assert done.exit_code == 0, f"{line}\n{done.output}"
            ran.append(words[1])
    assert ran == ["sample", "projects", "videos", "labels", "videos", "export", "propagate"]
    assert "60 poses, 3 of them by a person" in capsys.readouterr().out
    assert len(json.loads((tmp_path / "poses.json").read_text())["annotations"]) == 60


@pytest.mark.parametrize("picture", re.findall(r"\]\((images/[^)]*)\)", PAGE.read_text()))
def test_its_pictures_are_there(picture):
    assert (PAGE.parent / picture).stat().st_size > 1000
