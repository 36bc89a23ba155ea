"""Training goes on where it was stopped, as if it had not been, and lowers the loss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.compute.devices import choose
from models.errors import CheckpointError
from models.pretraining.clips import clips
from models.pretraining.training import Recipe, StepReport, Training
from models.pretraining.validation import validate
from models.stdpose import checkpoints
from models.stdpose.network import StdPose, StdPoseConfig

EXACT = choose("cpu", "fp32")
_RECIPE = Recipe(
    seed=3,
    steps=5,
    features_until=0.2,
    refiner_until=0.4,
    joint_until=0.6,
    scenes_per_group=1,
    clips_per_scene=2,
)


def fresh(config: StdPoseConfig) -> StdPose:
    torch.manual_seed(_RECIPE.seed)
    return StdPose(config)


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.slow
def test_a_stopped_training_goes_on_as_if_nothing_had_happened(tmp_path: Path, small: StdPoseConfig) -> None:
    whole = Training(_RECIPE, fresh(small), compute=EXACT)
    stages = [report.stage for report in whole.run()]
    assert stages == ["features", "refiner", "joint", "verifier", "verifier"]

    state = tmp_path / "state.safetensors"
    stopped = Training(_RECIPE, fresh(small), state, EXACT)
    running = stopped.run()
    for _ in range(3):
        assert isinstance(next(running), StepReport)
    running.close()
    stopped.save()
    resumed = Training(_RECIPE, fresh(small), state, EXACT)
    assert [report.step for report in resumed.run()] == [4, 5]
    assert same(whole.network, resumed.network)
    assert same(whole.average, resumed.average)


def test_a_checkpoint_gives_back_the_network(tmp_path: Path, network: StdPose, small: StdPoseConfig) -> None:
    path = tmp_path / "small.safetensors"
    checkpoints.save(path, network.state_dict(), small, {"seed": 1})
    loaded = checkpoints.load(path)
    for a, b in zip(network.state_dict().values(), loaded.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)


def test_what_is_no_checkpoint_is_refused(tmp_path: Path, network: StdPose, small: StdPoseConfig) -> None:
    path = tmp_path / "small.safetensors"
    with pytest.raises(CheckpointError, match="cannot be read"):
        checkpoints.load(path)
    checkpoints.save(path, network.state_dict(), small, {})
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        checkpoints.load(path)


def test_an_untrained_network_leaves_first_guesses_as_they_are(small: StdPoseConfig) -> None:
    held_out = list(clips(11, 0, 1, plain=True))
    figures = validate(StdPose(small).eval(), held_out, EXACT)
    np.testing.assert_allclose(figures["from_linear"], figures["linear"], rtol=1e-5)
    np.testing.assert_allclose(figures["from_flow"], figures["flow"], rtol=1e-5)
