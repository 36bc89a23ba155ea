from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def small_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a network that is small and untrained."""
    import torch

    from models.backbones.config import BackboneConfig
    from models.stdpose import checkpoints
    from models.stdpose.network import StdPose, StdPoseConfig

    backbone = BackboneConfig(widths=(16, 16, 24, 24), channels=16)
    config = StdPoseConfig(backbone=backbone, channels=32, blocks=1, heads=2, radius=2, rounds=2)
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(1)
        path = tmp_path_factory.mktemp("weights") / "small.safetensors"
        checkpoints.save(path, StdPose(config).state_dict(), config, {})
    return path
