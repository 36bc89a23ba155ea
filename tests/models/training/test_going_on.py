"""A training that was interrupted or has ended, and is begun again in the folder that it left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from models.estimators.checkpoints import load
from models.training.train import Epoch, TrainingError, so_far, train
from tests.models.training.quick import QUICK


def test_going_on_is_as_if_never_stopped(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    config = replace(QUICK, estimator="cmpose")  # draws at random while it learns
    list(train(config, fly[1], *split, tmp_path / "once"))
    stopped: Iterator[Epoch] = train(config, fly[1], *split, tmp_path / "twice")
    next(stopped)
    stopped.close()  # type: ignore[attr-defined]
    rest = list(train(config, fly[1], *split, tmp_path / "twice"))
    assert [epoch.index for epoch in rest] == [1, 2]
    once, twice = (load_file(tmp_path / name / "state.safetensors") for name in ("once", "twice"))
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_a_training_that_is_called_off_goes_on_from_its_last_epoch(fly, split, finished, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    left = finished.steps - 2  # within the last epoch

    def step() -> None:
        nonlocal left
        left -= 1
        if not left:
            raise KeyError("called off")

    with pytest.raises(KeyError):
        list(train(QUICK, fly[1], *split, tmp_path / "twice", step=step))
    rest = list(train(QUICK, fly[1], *split, tmp_path / "twice"))
    assert len(rest) == 1
    once, twice = (load_file(path / "state.safetensors") for path in (finished.folder, tmp_path / "twice"))
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_a_finished_training_stays_finished(fly, split, finished, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert list(train(QUICK, fly[1], *split, finished.copied(tmp_path / "again"))) == []


def test_the_checkpoint_is_there_before_the_state_that_tells_of_it(fly, split, finished, tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("models.training.saved_state.save", killed)
        with pytest.raises(KeyboardInterrupt):
            list(train(QUICK, fly[1], *split, tmp_path / "twice"))
    assert load(tmp_path / "twice" / "best.safetensors").name == "single_frame"
    list(train(QUICK, fly[1], *split, tmp_path / "twice"))
    once, twice = (load_file(path / "best.safetensors") for path in (finished.folder, tmp_path / "twice"))
    assert all(torch.equal(once[name], twice[name]) for name in once)


def test_epochs_so_far_are_remembered(finished, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert so_far(tmp_path) == []
    folder = finished.copied(tmp_path / "again")
    assert so_far(folder) == finished.epochs
    (folder / "state.safetensors").write_bytes(b"torn")
    with pytest.raises(TrainingError, match="not the state of a training"):
        so_far(folder)


def test_a_state_of_other_settings_is_left_alone(fly, split, finished, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    folder = finished.copied(tmp_path / "again")
    before = (folder / "state.safetensors").read_bytes()
    base = folder / "best.safetensors"
    shifted = [replace(split[0][0], weight=split[0][0].weight / 2), *split[0][1:]]
    with pytest.raises(TrainingError, match="other settings"):
        next(train(replace(QUICK, seed=9), fly[1], *split, folder))
    with pytest.raises(TrainingError, match="or labels"):
        next(train(QUICK, fly[1], shifted, split[1], folder))
    with pytest.raises(TrainingError, match="or labels"):
        next(train(QUICK, fly[1], *split, folder, base))
    assert (folder / "state.safetensors").read_bytes() == before
