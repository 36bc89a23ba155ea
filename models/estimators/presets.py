"""The estimators and the sizes that they come in, and networks of them to begin a training with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from models.backbones.build import read_backbone
from models.errors import CheckpointError
from models.estimators.cmpose import CmPose, CmPoseConfig
from models.estimators.estimator import Estimator, EstimatorConfig
from models.estimators.focused_regions import FocusedRegions, FocusedRegionsConfig
from models.estimators.jmpose import JmPose, JmPoseConfig
from models.estimators.single_frame import SingleFrame, SingleFrameConfig
from models.estimators.stdpose import StdPoseEstimator, StdPoseEstimatorConfig
from models.stdpose import checkpoints
from models.stdpose.presets import PRESETS
from models.weights import TINY

#: Words for where a backbone's weights come from, besides folders.
SHIPPED, RANDOM = "shipped", "random"


@dataclass(frozen=True)
class Kind:
    """A published system: its network and what configures it."""

    network: type[Estimator]
    config: type[EstimatorConfig]


#: Estimators by the name that users give.
ESTIMATORS: Mapping[str, Kind] = MappingProxyType(
    {
        "single_frame": Kind(SingleFrame, SingleFrameConfig),
        "stdpose": Kind(StdPoseEstimator, StdPoseEstimatorConfig),
        "focused_regions": Kind(FocusedRegions, FocusedRegionsConfig),
        "cmpose": Kind(CmPose, CmPoseConfig),
        "jmpose": Kind(JmPose, JmPoseConfig),
    }
)

#: Sizes that any estimator comes in. ``tiny`` is for machines without a GPU and stands on the backbone that the package
#: ships; the others are ViTPose's, whose input is 256 x 192.
SIZES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "tiny": {},
        **{
            name: {"height": 256, "width": 192, "channels": channels, "heads": 8, "head_channels": 128}
            for name, channels in (("small", 256), ("base", 384), ("large", 512), ("huge", 640))
        },
    }
)

#: What a preset changes in one kind of estimator, beyond its size.
_OWN: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "single_frame": {"layers": 4},
        "stdpose": {"layers": 4},
        "focused_regions": {"human_layers": 2, "keypoint_layers": 2},
        "cmpose": {"layers": 4, "fine_layers": 2},
        "jmpose": {"stream": 48, "blocks": 3, "groups": 12, "shrink": 1},
    }
)


def configure(name: str, preset: str, keypoints: int, **changes: Any) -> EstimatorConfig:
    """The configuration of an estimator of a preset.

    Args:
        name: One of ``ESTIMATORS``.
        preset: One of ``SIZES``.
        keypoints: ``K``.
        changes: Fields that differ from the preset's.

    Raises:
        ValueError: There is no such estimator, preset or field, or they do not fit together.
    """
    if name not in ESTIMATORS:
        raise ValueError(f"there is no estimator {name!r}; choose one of {', '.join(ESTIMATORS)}")
    if preset not in SIZES:
        raise ValueError(f"there is no preset {preset!r}; choose one of {', '.join(SIZES)}")
    own = {} if preset == "tiny" else _OWN[name]
    fields = {"backbone": PRESETS[preset].backbone, **SIZES[preset], **own, **changes}
    try:
        return ESTIMATORS[name].config(keypoints=keypoints, **fields)
    except TypeError as error:
        raise ValueError(f"{name} cannot be configured so: {error}") from error


def build(name: str, config: EstimatorConfig, *, seed: int = 0, pretrained: str | Path = SHIPPED) -> Estimator:
    """A network to begin a training with.

    Args:
        name: One of ``ESTIMATORS``.
        config: Its size. Its backbone gives way to that of ``pretrained`` where this is of another architecture.
        seed: Of the random weights.
        pretrained: Where the backbone's weights come from: ``SHIPPED`` for those of the package, which has them for
            ``tiny``; ``RANDOM``; else see ``models.backbones.build.read_backbone``.

    Raises:
        CheckpointError: There are no such weights, they do not fit, or their backbone does not take such crops.
        ImportError: The backbone takes transformers, which is not installed.
    """
    if pretrained == SHIPPED and config.backbone != PRESETS["tiny"].backbone:
        raise CheckpointError(
            "the package has weights for the preset tiny alone; name a folder of a backbone's weights to begin with, "
            f"or {RANDOM!r}, which takes very many labels"
        )
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        if pretrained in (SHIPPED, RANDOM):
            network = ESTIMATORS[name].network(config)
        else:
            backbone = read_backbone(pretrained, config.backbone)
            _check_crops(backbone, config, pretrained)
            network = ESTIMATORS[name].network(replace(config, backbone=backbone.config))  # type: ignore[arg-type]
            network.backbone = backbone
    if pretrained == SHIPPED:
        network.backbone.load_state_dict(checkpoints.load(TINY).backbone.state_dict())
    return network


def _check_crops(backbone: nn.Module, config: EstimatorConfig, source: str | Path) -> None:
    try:
        with torch.inference_mode():
            backbone(torch.zeros(1, 3, config.height, config.width))
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"the backbone of {source} does not take crops of {config.height} x {config.width} pixels: {error}"
        ) from error
