"""A checkpoint says which network it is of, whatever its backbone."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.backbones.config import VitPyramidConfig
from models.backbones.vitpose import VitPyramid
from models.errors import CheckpointError
from models.stdpose import checkpoints
from models.stdpose.network import StdPose, StdPoseConfig
from models.weights import digest

_VIT = VitPyramidConfig(width=32, depth=1, heads=2, grid=(8, 6), detail=(8, 8, 8), channels=8)


@pytest.fixture
def vitpose(tmp_path: Path, small: StdPoseConfig) -> Path:
    path = tmp_path / "vitpose.safetensors"
    network = StdPose(replace(small, backbone=_VIT))
    checkpoints.save(path, network.state_dict(), network.config, {"seed": 1})
    return path


def change(path: Path, **entries: object) -> None:
    recipe = path.with_suffix(".json")
    about = json.loads(recipe.read_text())
    about["config"]["backbone"] |= entries
    recipe.write_text(json.dumps(about))


def test_a_checkpoint_of_a_transformer_gives_back_the_network(vitpose: Path, small: StdPoseConfig) -> None:
    loaded = checkpoints.load(vitpose)
    assert loaded.config == replace(small, backbone=_VIT)
    assert isinstance(loaded.backbone, VitPyramid)
    images = 255 * torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    again = vitpose.with_name("again.safetensors")
    checkpoints.save(again, loaded.state_dict(), loaded.config, {})
    with torch.inference_mode():
        for one, other in zip(loaded.describe(images), checkpoints.load(again).describe(images), strict=True):
            torch.testing.assert_close(one, other)


def test_every_part_of_the_size_is_kept(tmp_path: Path, network: StdPose, small: StdPoseConfig) -> None:
    path = tmp_path / "small.safetensors"
    checkpoints.save(path, network.state_dict(), small, {})
    assert checkpoints.load(path).config == small
    assert json.loads(path.with_suffix(".json").read_text())["sha256"] == digest(path)


def test_a_checkpoint_that_names_no_backbone_is_convolutional(
    tmp_path: Path, network: StdPose, small: StdPoseConfig
) -> None:
    path = tmp_path / "small.safetensors"
    checkpoints.save(path, network.state_dict(), small, {})
    recipe = path.with_suffix(".json")
    about = json.loads(recipe.read_text())
    assert about["config"]["backbone"].pop("kind") == "convolutional"
    recipe.write_text(json.dumps(about))
    assert checkpoints.load(path).config == small


def test_an_unknown_backbone_is_refused(vitpose: Path) -> None:
    change(vitpose, kind="hourglass")
    with pytest.raises(CheckpointError, match="of the kind 'hourglass'; known are convolutional, lite, vitpose"):
        checkpoints.load(vitpose)


def test_weights_of_another_size_are_refused(vitpose: Path) -> None:
    change(vitpose, depth=2)
    with pytest.raises(CheckpointError, match="is not a checkpoint of stdpose"):
        checkpoints.load(vitpose)


def test_a_part_of_another_shape_is_refused(vitpose: Path) -> None:
    recipe = vitpose.with_suffix(".json")
    about = json.loads(recipe.read_text())
    about["config"]["verifier"] = 3
    recipe.write_text(json.dumps(about))
    with pytest.raises(CheckpointError, match="is not a checkpoint of stdpose"):
        checkpoints.load(vitpose)


def test_without_transformers_a_checkpoint_says_so(vitpose: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.delitem(sys.modules, "models.backbones.vitpose")
    with pytest.raises(CheckpointError, match=r"vitpose\.safetensors cannot be used here: .* transformers"):
        checkpoints.load(vitpose)
