"""The sizes that STDPose comes in, and networks of them to begin a training with."""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType

import torch

from models.backbones.config import BackboneConfig, LitePyramidConfig, VitPyramidConfig
from models.backbones.efficientnet_lite import EfficientNetLite, LitePyramid
from models.errors import CheckpointError
from models.stdpose.candidates import sources
from models.stdpose.network import StdPose, StdPoseConfig
from models.stdpose.verifier import VerifierConfig

#: Size by name: ``lite`` and ``tiny`` for machines without a GPU, the others on the ViTPose of the same name. Millions
#: of parameters in the backbone: lite 0.8, tiny 0.9, small 22.5, base 87.7, large 305.7, huge 633.7; around it 2 to 5
#: more. What is around the larger ViTs was chosen, not tuned.
PRESETS = MappingProxyType(
    {
        "tiny": StdPoseConfig(backbone=BackboneConfig()),
        "lite": StdPoseConfig(
            backbone=LitePyramidConfig(), matches=4, verifier=VerifierConfig(candidates=len(sources(4)))
        ),
        "small": StdPoseConfig(
            backbone=VitPyramidConfig(width=384, depth=12, heads=12, detail=(24, 48, 80), channels=96),
            channels=192,
            blocks=4,
            heads=6,
        ),
        "base": StdPoseConfig(
            backbone=VitPyramidConfig(width=768, depth=12, heads=12), channels=256, blocks=4, heads=8
        ),
        "large": StdPoseConfig(
            backbone=VitPyramidConfig(width=1024, depth=24, heads=16), channels=256, blocks=4, heads=8
        ),
        "huge": StdPoseConfig(
            backbone=VitPyramidConfig(width=1280, depth=32, heads=16), channels=256, blocks=4, heads=8
        ),
    }
)


def build(name: str, *, seed: int = 0, pretrained: str | Path | None = None) -> StdPose:
    """A network of a preset, untrained but for its backbone where ``pretrained`` names weights.

    Args:
        name: Of the preset.
        seed: Of the random weights.
        pretrained: Where published weights are: for ``lite`` a file, see ``models.backbones.efficientnet_lite.find``;
            for the others see ``VitPyramid.from_pretrained``; ``None`` for random ones.

    Raises:
        ValueError: There is no such preset.
        CheckpointError: There are no such weights, they are of another size, or the preset has no ViTPose.
        ImportError: The preset takes transformers, which is not installed.
    """
    if name not in PRESETS:
        raise ValueError(f"there is no preset {name!r}; choose one of {', '.join(PRESETS)}")
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network = StdPose(PRESETS[name])
    if pretrained is None:
        return network
    backbone = PRESETS[name].backbone
    if isinstance(backbone, LitePyramidConfig):
        network.backbone = LitePyramid(backbone, EfficientNetLite.from_package(Path(pretrained)))
        return network
    if not isinstance(backbone, VitPyramidConfig):
        raise CheckpointError(f"the preset {name} has no ViTPose that weights could be read for")
    # Here, because transformers takes seconds to import; that it is there, building the network has shown.
    from models.backbones.vitpose import VitPyramid

    network.backbone = VitPyramid.from_pretrained(pretrained, backbone)
    return network
