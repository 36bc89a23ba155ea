"""Every size can be built, and begun with published weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from models.backbones.config import VitPyramidConfig
from models.backbones.vitpose import VitPyramid
from models.errors import CheckpointError
from models.stdpose import presets
from models.stdpose.network import StdPose, StdPoseConfig

_CONFIG = VitPyramidConfig(width=32, depth=1, heads=2, detail=(8, 8, 8), channels=8)


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("name", "expected"), [("tiny", 0.9), ("small", 22.5), ("base", 87.7), ("large", 305.7), ("huge", 633.7)]
)
def test_a_preset_has_the_parameters_it_says(name: str, expected: float) -> None:
    with torch.device("meta"):
        network = StdPose(presets.PRESETS[name])
    backbone = parameters(network.backbone) / 1e6
    assert round(backbone, 1) == expected
    assert 1 < parameters(network) / 1e6 - backbone < 8


@pytest.mark.parametrize(
    ("name", "width", "depth"), [("small", 384, 12), ("base", 768, 12), ("large", 1024, 24), ("huge", 1280, 32)]
)
def test_the_transformer_is_vitposes(name: str, width: int, depth: int) -> None:
    with torch.device("meta"):
        backbone = StdPose(presets.PRESETS[name]).backbone
    assert isinstance(backbone, VitPyramid)
    layer = 12 * width**2 + 13 * width
    patches, positions, norm = (3 * 16 * 16 + 1) * width, (16 * 12 + 1) * width, 2 * width
    assert parameters(backbone.vit) == depth * layer + patches + positions + norm


def test_published_weights_enter_a_preset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = StdPoseConfig(backbone=_CONFIG, channels=32, blocks=1, heads=2)
    monkeypatch.setattr(presets, "PRESETS", {"minute": config})
    published = VitPyramid(_CONFIG).vit
    published.save_pretrained(tmp_path)
    backbone = presets.build("minute", pretrained=tmp_path).backbone
    assert isinstance(backbone, VitPyramid)
    for name, weights in published.state_dict().items():
        torch.testing.assert_close(backbone.vit.state_dict()[name], weights)


def test_tiny_takes_no_published_weights(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="the preset tiny has no ViTPose"):
        presets.build("tiny", pretrained=tmp_path)


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(
        ValueError, match="there is no preset 'giant'; choose one of tiny, lite, small, base, large, huge"
    ):
        presets.build("giant")
