"""``posetween convert``."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from formats.registry import FORMATS, write
from tests.formats.tables import HERE, two_mice


def run(*words):
    return CliRunner().invoke(app, ["convert", *map(str, words)])


@pytest.fixture
def labels(tmp_path):
    write(two_mice(), "coco", tmp_path / "labels.json")
    return tmp_path / "labels.json"


def test_a_file_becomes_one_of_another_format(labels, tmp_path):
    done = run(labels, tmp_path / "project", "--to", "dlc")
    assert done.exit_code == 0, done.output
    assert "4 poses with" in done.output
    assert "hidden: 1 point: that a known point is hidden" in done.output
    assert (tmp_path / "project" / "labeled-data" / "left" / "CollectedData_posetween.csv").is_file()
    again = run(tmp_path / "project", tmp_path / "again.json", "--to", "coco", "--json")
    told = json.loads(again.output)
    assert (told["from"], told["poses"], told["output"]) == ("dlc", 4, str(tmp_path / "again.json"))
    assert not [*tmp_path.glob(".*")]


def test_a_dry_run_says_what_would_be_lost_and_writes_nothing(labels, tmp_path):
    before = {*tmp_path.rglob("*")}
    done = run(labels, tmp_path / "yolo", "--to", "yolo", "--check")
    assert done.exit_code == 0, done.output
    assert "keypoints: nose, tail" in done.output
    assert "video 'left' (640 x 480, length not said): 3 poses on 2 frames, nobody on 1; tracks: 1, 2" in done.output
    assert "would be lost: machine: 2 points: that a machine made a point, and how sure it is" in done.output
    assert {*tmp_path.rglob("*")} == before
    told = json.loads(run(labels, "--to", "yolo", "--check", "--json").output)
    assert told["event"] == "checked"
    assert told["losses"]["machine"] == 2
    assert told["output"] is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["labels.json", "out.json"], "--to is one of coco"),
        (["labels.json", "out.json", "--to", "coco", "--from", "nothing"], "--from is one of coco"),
        (["labels.json", "--to", "coco"], "name a file or folder to write"),
        (["gone.json", "out.json", "--to", "coco"], "gone.json: there is no such file"),
        (["labels.json", "nowhere/out.json", "--to", "coco"], "not a place for a file"),
        (["labels.json", ".", "--to", "dlc"], "not there yet, or empty"),
        (["labels.json", "out", "--to", "posetrack"], "PoseTrack has the joints"),
        (["labels.json", "out.json", "--to", "coco-results"], "needs --truth"),
        (["labels.json", "out.json", "--to", "coco", "--truth", "labels.json"], "--truth is for coco-results alone"),
        (["labels.json", "out.json", "--to", "coco-results", "--truth", "gone.json"], "gone.json: there is no such"),
        (["labels.json", "out.xml", "--to", "cvat", "--from", "cvat"], "labels.json, line 1: not XML"),
    ],
)
def test_what_cannot_be_done_is_wrong_usage(words, said, labels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = {*tmp_path.rglob("*")}
    done = run(*words)
    assert done.exit_code == 2, done.output
    assert said in done.output
    assert {*tmp_path.rglob("*")} == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_disk_that_is_full_is_no_fault_of_the_data_set(labels, tmp_path, monkeypatch):
    full = replace(FORMATS["coco"], write=lambda dataset, target: Path("/dev/full").write_bytes(b"x"))
    monkeypatch.setitem(FORMATS, "coco", full)
    done = run(labels, tmp_path / "out.json", "--to", "coco")
    assert done.exit_code == 1, done.output
    assert f"{tmp_path / 'out.json'} was not written: " in done.output
    assert "No space left on device" in done.output
    assert [*tmp_path.iterdir()] == [labels]


@pytest.mark.parametrize("to", [name for name in HERE if name != "posetrack"])
def test_every_format_can_be_written_and_read(to, labels, tmp_path):
    assert run(labels, tmp_path / "there", "--to", to).exit_code == 0
    back = run(tmp_path / "there", tmp_path / "back.json", "--to", "coco", "--json")
    assert back.exit_code == 0, back.output
    assert json.loads(back.output)["from"] == to


def test_what_is_never_read_back_is_written_too(labels, tmp_path):
    people = tmp_path / "people.json"
    write(two_mice().with_videos((two_mice().videos[0], replace(two_mice().videos[1], name="other"))), "coco", people)
    words = [labels, tmp_path / "results.json", "--to", "coco-results", "--truth", people]
    done = run(*words)
    assert done.exit_code == 0, done.output
    assert "left out: 1 pose on no image of the truth" in done.output
    assert len(json.loads((tmp_path / "results.json").read_text())) == 3
    assert json.loads(run(*words, "--json").stdout)["left_out"] == 1
    assert run(labels, tmp_path / "info.py", "--to", "mmpose-info").exit_code == 0
    assert "'nose'" in (tmp_path / "info.py").read_text()
    told = json.loads(run(labels, "--to", "mmpose-info", "--check", "--json").stdout)
    assert (told["event"], told["poses"], told["losses"]) == ("checked", 4, {})
    assert not [*tmp_path.glob(".*")]


def test_a_dry_run_of_what_is_never_read_back_opens_the_truth_and_counts(labels, tmp_path):
    poses = two_mice()
    write(
        poses.with_videos((poses.videos[0], replace(poses.videos[1], name="other"))), "coco", tmp_path / "people.json"
    )
    before = {*tmp_path.rglob("*")}
    words = ["--to", "coco-results", "--check", "--truth"]
    told = json.loads(run(labels, *words, tmp_path / "people.json", "--json").stdout)
    assert (told["event"], told["output"], told["left_out"], told["losses"]) == ("checked", None, 1, {})
    done = run(labels, *words, tmp_path / "people.json")
    assert "would be left out: 1 pose on no image of the truth" in done.stdout
    gone = run(labels, *words, tmp_path / "gone.json")
    assert gone.exit_code == 2
    assert "gone.json: there is no such file" in gone.output
    assert {*tmp_path.rglob("*")} == before
