"""A network that is small and untrained, so that what it does is arbitrary but the same every time."""

from __future__ import annotations

import pytest
import torch

from models.backbones import BackboneConfig
from models.engines.stdpose import StdPoseEngine
from models.stdpose import StdPose, StdPoseConfig

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
