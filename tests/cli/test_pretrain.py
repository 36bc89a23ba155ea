"""``posetween pretrain``: what it refuses, and that a training has everything it needs to go on in its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app


def pretrain(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["pretrain", *map(str, arguments)])


@pytest.fixture
def begun(tmp_path: Path, small_checkpoint: Path) -> Path:
    """The folder of a training of seed 4 that was stopped before its first step."""
    from models.pretraining.training import Recipe, Training
    from models.stdpose import checkpoints

    folder = tmp_path / "begun"
    Training(Recipe(seed=4, steps=9), checkpoints.load(small_checkpoint), folder / "state.safetensors").save()
    return folder


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--preset", "giant"], "no preset 'giant'"),
        (["--pretrained", "nowhere"], "has no ViTPose"),
        (["--begin", "nowhere.safetensors"], "cannot be read"),
        (["--device", "abacus"], "no device 'abacus'"),
        (["--resume"], "no training to resume"),
    ],
)
def test_wrong_usage_ends_with_a_sentence(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    result = pretrain("-o", tmp_path / "new", *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "go on with --resume"),
        (["--resume", "--seed", "5"], "begun with --seed 4"),
        (["--resume", "--preset", "tiny"], "this one has begun"),
    ],
)
def test_what_a_training_began_with_cannot_be_changed(begun: Path, arguments: list[str], sentence: str) -> None:
    result = pretrain("-o", begun, *arguments)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_whole_network_leaves_no_preset_to_choose(tmp_path: Path, small_checkpoint: Path) -> None:
    for option in (("--preset", "tiny"), ("--head", small_checkpoint)):
        assert pretrain("-o", tmp_path, "--begin", small_checkpoint, *option).exit_code == 2


def test_a_head_of_another_size_is_refused(tmp_path: Path, small_checkpoint: Path) -> None:
    result = pretrain("-o", tmp_path / "new", "--head", small_checkpoint)
    assert result.exit_code == 2
    assert "of another size" in result.stderr


def test_a_file_of_another_kind_is_no_training(tmp_path: Path, small_checkpoint: Path) -> None:
    (tmp_path / "state.safetensors").write_bytes(small_checkpoint.read_bytes())
    result = pretrain("-o", tmp_path, "--resume")
    assert result.exit_code == 2
    assert "not the state of a training" in result.stderr


@pytest.mark.slow
def test_a_training_remembers_its_recipe(begun: Path) -> None:
    result = pretrain("-o", begun, "--resume", "--steps", 1, "--validation", 2)
    assert result.exit_code == 0, result.output
    about = json.loads((begun / "stdpose.json").read_text())
    assert about["recipe"]["seed"] == 4
    assert about["steps"] == 1
    assert 0 < about["validation"]["flow"] < about["validation"]["linear"]
    assert "step 1" in (begun / "log.txt").read_text()
