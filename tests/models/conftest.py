"""A network that is small and untrained, so that what it does is arbitrary but the same every time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from models.backbones.config import BackboneConfig
from models.stdpose.engine import StdPoseEngine
from models.stdpose.network import StdPose, StdPoseConfig
from models.stdpose.windows import Window

SMALL = StdPoseConfig(
    backbone=BackboneConfig(widths=(16, 16, 24, 24), channels=16), channels=32, blocks=1, heads=2, radius=2, rounds=2
)


@pytest.fixture(scope="session")
def small() -> StdPoseConfig:
    return SMALL


@pytest.fixture(scope="session")
def network() -> StdPose:
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(1)
        network = StdPose(SMALL)
        for parameter in network.head.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


@pytest.fixture(scope="session")
def untrained(network: StdPose) -> StdPoseEngine:
    return StdPoseEngine(network)


@pytest.fixture
def window() -> Window:
    """Three keypoints labelled on the first and on the last of seven frames."""
    rng = np.random.default_rng(0)
    return Window(
        times=np.arange(7),
        before=np.zeros(3, dtype=int),
        after=np.full(3, 6),
        has_before=np.ones(3, dtype=bool),
        has_after=np.ones(3, dtype=bool),
        begin=rng.uniform(10, 50, (3, 2)),
        end=rng.uniform(10, 50, (3, 2)),
    )


@pytest.fixture(scope="module")
def images() -> Tensor:
    return 255 * torch.rand(7, 3, 64, 48, generator=torch.Generator().manual_seed(3))
