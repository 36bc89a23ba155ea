"""Descriptors from any backbone that transformers knows: DINOv2, ConvNeXt, Swin, ResNet and so on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import torch.nn.functional as F
from torch import Tensor, nn
from transformers import CONFIG_MAPPING, MODEL_FOR_BACKBONE_MAPPING, AutoBackbone, PreTrainedModel

from models.backbones import published
from models.backbones.config import IMAGENET, STRIDES, AutoPyramidConfig
from models.backbones.pyramid import Pyramid, colours
from models.errors import CheckpointError

# What transformers adds between a network and those that use its levels, which no published weights have.
_FRESH = "hidden_states_norms."


class AutoPyramid(nn.Module):
    """A backbone of transformers with descriptors at strides 4, 8 and 16.

    Every level of descriptors is a sum over all levels of the backbone, each projected and brought to its size: so the
    backbone may have one level or several, at any strides. Around it stands a
    :class:`models.backbones.pyramid.Pyramid`. All but the backbone is ours.

    Args:
        config: Its size.
        body: A backbone of that size to use instead of a new one.

    Raises:
        ValueError: The configuration is of no backbone.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: AutoPyramidConfig, body: PreTrainedModel | None = None) -> None:
        super().__init__()
        self.config = config
        self.body = body if body is not None else _built(config.body)
        widths = cast(Any, self.body).channels
        self.lateral = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(width, config.channels, 1) for width in widths) for _ in STRIDES
        )
        self.around = Pyramid(config.detail, config.channels)
        for name, values in (("mean", config.mean), ("deviation", config.deviation)):
            self.register_buffer(name, colours(values), persistent=False)

    @classmethod
    def from_pretrained(cls, source: str | Path, *, detail: tuple[int, int, int], channels: int) -> AutoPyramid:
        """A network whose backbone has published weights; what is around it is random.

        Of a backbone in stages all are used, of a transformer the last layer.

        Args:
            source: See ``models.backbones.published.describe``; of the backbone or of a network that has it.
            detail: See :class:`AutoPyramidConfig`.
            channels: See :class:`AutoPyramidConfig`.

        Raises:
            CheckpointError: There are no such weights, some are missing, or they are of no backbone.
        """
        described = published.describe(source)
        kind = described.model_type
        if kind not in _kinds():
            raise CheckpointError(f"{source} holds a {kind}, which is no backbone; known are {', '.join(_kinds())}")
        stages = [name for name in described.stage_names if name != "stem"]
        used = stages if hasattr(described, "depths") else stages[-1:]
        architecture = cast(type[PreTrainedModel], MODEL_FOR_BACKBONE_MAPPING[type(described)])
        body = published.read(architecture, source, fresh=_FRESH, out_features=used)
        mean, deviation = _colours(source)
        entries = json.loads(body.config.to_json_string())
        return cls(
            AutoPyramidConfig(body=entries, detail=detail, channels=channels, mean=mean, deviation=deviation), body
        )

    @property
    def pretrained(self) -> nn.Module:
        """The part that others have trained."""
        return self.body

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Describe every cell of some images, see ``Backbone.forward``."""
        images = (images - self.mean) / self.deviation
        seen = self.body(self._whole(images)).feature_maps
        height, width = images.shape[-2:]
        levels = []
        for stride, laterals in zip(STRIDES, self.lateral, strict=True):
            cells = (height // stride, width // stride)
            parts = (_brought(lateral(maps), cells) for lateral, maps in zip(laterals, seen, strict=True))  # type: ignore[call-overload]
            levels.append(sum(parts, images.new_zeros(())))
        return cast(tuple[Tensor, ...], self.around(images, levels))

    def _whole(self, images: Tensor) -> Tensor:
        """Stretch images a little until their sides are whole patches: the rest of a patch would not be seen."""
        patch = getattr(self.body.config, "patch_size", None) or 1
        sides = patch if isinstance(patch, list | tuple) else (patch, patch)
        size = [max(1, round(side / whole)) * whole for side, whole in zip(images.shape[-2:], sides, strict=True)]
        if size == list(images.shape[-2:]):
            return images
        return F.interpolate(images, size=size, mode="bilinear", align_corners=False)


def _brought(maps: Tensor, cells: tuple[int, int]) -> Tensor:
    if maps.shape[-2] > cells[0]:
        return F.adaptive_avg_pool2d(maps, cells)
    return F.interpolate(maps, size=cells, mode="bilinear", align_corners=False)


def _kinds() -> list[str]:
    """Backbones by transformers' names; timm's take a library of their own, and ViTPose has a pyramid of its own."""
    kinds = {architecture.model_type for architecture in MODEL_FOR_BACKBONE_MAPPING}
    return sorted(kinds - {"timm_backbone", "vitpose_backbone", ""})


def _built(entries: Mapping[str, Any]) -> PreTrainedModel:
    kind = entries.get("model_type")
    if kind not in _kinds():
        raise ValueError(f"{kind!r} is no backbone; known are {', '.join(_kinds())}")
    described = CONFIG_MAPPING[kind].from_dict(dict(entries))
    return cast(PreTrainedModel, AutoBackbone.from_config(described))  # type: ignore[no-untyped-call]


def _colours(source: str | Path) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and deviation of the images that a network was trained with: ImageNet's where they are not told."""
    try:
        told = json.loads((Path(source) / "preprocessor_config.json").read_text())
        mean, deviation = (tuple(map(float, told[name])) for name in ("image_mean", "image_std"))
    except (OSError, ValueError, KeyError, TypeError):
        return IMAGENET
    return cast(Any, (mean, deviation)) if len(mean) == len(deviation) == 3 and min(deviation) > 0 else IMAGENET
