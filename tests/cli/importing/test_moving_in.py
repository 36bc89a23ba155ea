"""Every command of ``docs/moving-in.md`` does what it says."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import app
from formats.registry import write
from posetween import Client
from tests.cli.importing.conftest import project, table
from tests.formats.tables import WITHOUT_EXTRA

PAGE = Path(__file__).parents[3] / "docs" / "moving-in.md"
BLOCKS = [
    (section.partition("\n")[0], kind, text)
    for section in PAGE.read_text().split("\n## ")[1:]
    for kind, text in re.findall(r"```(sh|python)\n(.*?)```", section, re.DOTALL)
]


@pytest.fixture
def lab(walker, tmp_path, monkeypatch):
    """What the commands are about, in the folder that they are called in."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "films").mkdir()
    shutil.copy(walker.path, tmp_path / "films" / "walk.mp4")
    labels = table(walker, [0, 20, 44])
    if not WITHOUT_EXTRA:
        write(labels, "slp", tmp_path / "flies.slp")
    reaching = project(tmp_path / "reaching-anna-2026-03-01", walker, {0: 0, 20: 20, 44: 44})
    shutil.copytree(tmp_path / "films", reaching / "videos")
    machine = labels.with_columns(human=labels.human & False, score=np.full(labels.human.shape, 0.75))
    write(machine, "dlc-predictions", tmp_path / "predictions")
    (table_,) = (tmp_path / "predictions").iterdir()
    table_.rename(tmp_path / "walkDLC_resnet50.csv")
    project(tmp_path / "mirror-mouse", walker, {0: 0, 20: 20}, "lightning-pose")
    write(labels, "cvat", tmp_path / "annotations.xml")
    write(labels, "label-studio", tmp_path / "export.json")
    write(labels.with_videos((replace(labels.videos[0], num_frames=45),)), "coco", tmp_path / "labels.json")
    write(labels, "yolo", tmp_path / "yolo-set")
    project(tmp_path / "pictures", walker, {0: 0, 20: 20, 44: 44})
    place = tmp_path / "yolo-set" / "images" / "train" / "walk"
    place.parent.mkdir(parents=True)
    (tmp_path / "pictures" / "labeled-data" / "walk").rename(place)
    return tmp_path


@pytest.fixture
def call(working, lab):
    address = str(working.http.base_url).partition("/api/")[0]

    def invoke(line):
        words = shlex.split(line)
        assert words[0] == "posetween"
        environment = {"POSETWEEN_SERVER": address, "POSETWEEN_KEY": working.key}
        return CliRunner().invoke(app, words[1:], env=environment)

    return invoke


def test_there_is_a_block_for_each_tool():
    assert [title for title, kind, _ in BLOCKS if kind == "sh"] == [
        *(
            f"From {tool}"
            for tool in ("SLEAP", "DeepLabCut", "Lightning Pose", "CVAT", "Label Studio", "COCO and YOLO-pose")
        )
    ]


@pytest.mark.parametrize("title", [title for title, kind, _ in BLOCKS if kind == "sh"])
def test_the_commands_of_a_tool(title, call):
    (lines,) = (text for name, kind, text in BLOCKS if name == title and kind == "sh")
    if "SLEAP" in title and WITHOUT_EXTRA:
        pytest.skip("h5py is not installed")
    for line in lines.splitlines():
        done = call(line)
        assert done.exit_code == 0, f"{line}\n{done.output}"
        assert "--dry-run" in line or "is project" in done.output


def test_what_comes_afterwards(call, working, lab, capsys):
    assert call("posetween import reaching-anna-2026-03-01 --project reaching").exit_code == 0
    (text,) = (text for _, kind, text in BLOCKS if kind == "python")
    address = str(working.http.base_url).partition("/api/")[0]
    exec(compile(text, str(PAGE), "exec"), {"address": address, "key": working.key})
    assert "walk.mp4 (1, 40, 17, 2)" in capsys.readouterr().out
    assert (lab / "reaching.json").stat().st_size > 1000
    with Client(address, working.key) as client:
        assert [run["engine"] for video in client.videos(1) for run in client.runs(video["id"])] == ["flow"]
