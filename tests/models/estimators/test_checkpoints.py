from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.errors import CheckpointError
from models.estimators.checkpoints import load, save
from models.estimators.presets import RANDOM, build, configure
from pose.skeleton import Skeleton

SKELETON = Skeleton(name="arm", keypoints=("left", "middle", "right"), edges=((0, 1), (1, 2)), swap=((0, 2),))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "arm.safetensors"
    estimator = build("stdpose", configure("stdpose", "tiny", 3, height=64, width=48), seed=1, pretrained=RANDOM)
    save(path, estimator, "stdpose", SKELETON, {"seed": 1})
    return path


def test_what_was_saved_is_loaded(path: Path) -> None:
    loaded = load(path, SKELETON)
    assert (loaded.name, loaded.skeleton, loaded.recipe) == ("stdpose", SKELETON, {"seed": 1})
    assert json.loads(path.with_suffix(".json").read_text())["sha256"] == loaded.sha256


def test_the_file_needs_no_other(path: Path) -> None:
    path.with_suffix(".json").unlink()
    assert load(path).name == "stdpose"


def test_a_torn_file_is_refused(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="not a whole checkpoint"):
        load(path)


def test_a_pickle_is_refused(path: Path) -> None:
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))
    with pytest.raises(CheckpointError, match="not a whole checkpoint"):
        load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no checkpoint gone\.safetensors"):
        load(tmp_path / "gone.safetensors")


def test_another_skeleton_is_refused(path: Path) -> None:
    other = Skeleton(name="leg", keypoints=("hip", "knee", "ankle"))
    with pytest.raises(CheckpointError, match="the 3 keypoints of arm, not the 3 of leg"):
        load(path, other)


def test_another_safetensors_file_is_refused(tmp_path: Path) -> None:
    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="not a whole checkpoint"):
        load(tmp_path / "other.safetensors")
