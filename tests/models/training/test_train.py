"""A training learns, ends, and says what it cannot do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from models.estimators.checkpoints import load
from models.estimators.presets import RANDOM, build, configure
from models.training.clips import Clips
from models.training.train import TrainingError, train
from models.training.validation import validate
from tests.models.training.quick import QUICK


def test_learning_lowers_the_loss_and_the_error(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    config = replace(QUICK, epochs=12, clips=64, estimator="stdpose")
    epochs = list(train(config, fly[1], *split, tmp_path))
    assert [epoch.index for epoch in epochs] == list(range(len(epochs)))
    assert epochs[-1].progress == 1
    assert min(epoch.loss for epoch in epochs) < 0.6 * epochs[0].loss
    errors = [epoch.validation["error"] for epoch in epochs]
    assert min(errors) < 0.6 * errors[0]
    best = [epoch.index for epoch in epochs if epoch.best][-1]
    assert errors[best] == min(errors)
    assert all(0 <= epoch.waiting <= 1 for epoch in epochs)
    loaded = load(tmp_path / "best.safetensors", fly[1])
    assert len(loaded.recipe["curve"]) == best + 1
    assert loaded.recipe["training"]["seed"] == 0


def test_without_progress_it_ends_early(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    config = replace(QUICK, epochs=30, patience=2, rate=0.0)
    assert len(list(train(config, fly[1], *split, tmp_path))) == 3


def test_the_clock_can_end_it(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    epochs = list(train(replace(QUICK, minutes=0.05, patience=0), fly[1], *split, tmp_path))
    assert epochs[-1].progress == 1
    assert epochs[0].epochs == 0


def test_accumulated_parts_learn_the_same(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    # AdamW heeds how gradients relate to each other, hardly how large they are: what is compared is its memory of them.
    exact = replace(QUICK, epochs=1, clips=8, precision="fp32", frozen=0.0, clip=1e9)
    states = []
    for parts in (1, 4):
        (epoch,) = train(replace(exact, accumulate=parts), fly[1], *split, tmp_path / str(parts))
        assert epoch.step == 1
        states.append(load_file(tmp_path / str(parts) / "state.safetensors"))
    whole, parted = states
    memories = [name for name in whole if name.endswith("/exp_avg")]
    assert memories
    assert max(float(whole[name].abs().max()) for name in memories) > 1e-4
    for name in memories:
        torch.testing.assert_close(parted[name], whole[name], rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("no room"), RuntimeError("DefaultCPUAllocator: can't allocate memory")]
)
def test_too_little_memory_halves_the_batch(fly, split, tmp_path: Path, monkeypatch, error: Exception) -> None:  # type: ignore[no-untyped-def]
    from models.estimators.single_frame import SingleFrame

    learnt, looked_at, real = [], [], SingleFrame.forward

    def cramped(self, frames, labelled=None):  # type: ignore[no-untyped-def]
        (learnt if self.training else looked_at).append(len(frames))
        if len(frames) > 3:
            raise error
        return real(self, frames, labelled)

    monkeypatch.setattr(SingleFrame, "forward", cramped)
    (epoch,) = train(replace(QUICK, epochs=1), fly[1], *split, tmp_path)
    assert learnt[:3] == [8, 4, 2]
    assert max(learnt[2:]) == 2
    assert looked_at[0] > 3 >= looked_at[-1]
    assert epoch.validation


@pytest.mark.parametrize(("learns", "words"), [(True, "for 1 clips at a time"), (False, "to look at one clip")])
def test_far_too_little_memory_is_said(fly, split, tmp_path: Path, monkeypatch, learns: bool, words: str) -> None:  # type: ignore[no-untyped-def]
    from models.estimators.single_frame import SingleFrame

    real = SingleFrame.forward

    def cramped(self, frames, labelled=None):  # type: ignore[no-untyped-def]
        if self.training == learns:
            raise MemoryError
        return real(self, frames, labelled)

    monkeypatch.setattr(SingleFrame, "forward", cramped)
    with pytest.raises(TrainingError, match=words):
        list(train(replace(QUICK, epochs=1), fly[1], *split, tmp_path))


def test_a_loss_that_is_no_number_ends_it(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TrainingError, match="not a number at step"):
        list(train(replace(QUICK, rate=1e30, clip=1e30, warm=0.0, frozen=0.0, epochs=9), fly[1], *split, tmp_path))
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"estimator": "openpose"}, "no estimator"),
        ({"preset": "vast"}, "no preset"),
        ({"device": "abacus"}, "no device"),
        ({"changes": {"heads": 7}}, "do not divide"),
    ],
)
def test_bad_settings(fly, split, tmp_path: Path, changes, words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TrainingError, match=words):
        next(train(replace(QUICK, **changes), fly[1], *split, tmp_path))


def test_too_few_labels(fly, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    few = fly[0].select(np.arange(5))
    with pytest.raises(TrainingError, match="5 labelled frames"):
        next(train(QUICK, fly[1], [few], [], tmp_path))


def test_a_video_that_is_gone(fly, split, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    gone = [replace(one, path=tmp_path / "gone.mp4") for one in split[0]]
    with pytest.raises(TrainingError, match=r"gone\.mp4"):
        next(train(QUICK, fly[1], gone, [], tmp_path))


def test_measuring_nothing_measures_nothing(fly, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]

    config = configure("single_frame", "tiny", fly[1].size, height=64, width=64)
    empty = Clips([], fly[1], config, tmp_path / "none")
    measured = validate(build("single_frame", config, pretrained=RANDOM), empty, torch.device("cpu"))
    assert (dict(measured.figures), list(measured.reliability)) == ({}, [])
