"""Descriptors from ViTPose: a plain vision transformer, pretrained on people and animals, with a pyramid around it."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import PreTrainedModel, VitPoseBackbone, VitPoseBackboneConfig, VitPoseForPoseEstimation

from models.backbones import published
from models.backbones.config import IMAGENET, STRIDES, VitPyramidConfig
from models.backbones.layers import GROUPS
from models.backbones.pyramid import Pyramid, colours
from models.errors import CheckpointError

#: How transformers calls what is in a folder of ViTPose's: the whole estimator, or the backbone alone.
KINDS: Mapping[str, type[PreTrainedModel]] = MappingProxyType(
    {"vitpose": VitPoseForPoseEstimation, "vitpose_backbone": VitPoseBackbone}
)

_EXPERT = 0  # ViTPose+ has one per training set; this is COCO's
_SAME = ("hidden_size", "num_hidden_layers", "num_attention_heads", "image_size", "patch_size", "mlp_ratio", "qkv_bias")


class VitPyramid(nn.Module):
    """ViTPose with descriptors at strides 4, 8 and 16.

    The transformer is that of Xu et al. (*ViTPose*, NeurIPS 2022). As in ViTDet's simple feature pyramid (Li et al.,
    *Exploring plain vision transformer backbones*, ECCV 2022) every level comes from its last layer, finer ones by
    transposed convolutions; around them stands a :class:`models.backbones.pyramid.Pyramid`.

    Args:
        config: Its size.
        vit: A transformer of that size to use instead of a new one.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, config: VitPyramidConfig, vit: VitPoseBackbone | None = None) -> None:
        super().__init__()
        self.config = config
        self.vit = vit if vit is not None else VitPoseBackbone(_published(config))
        self.rise = nn.ModuleList(
            (
                nn.Sequential(
                    nn.ConvTranspose2d(config.width, 2 * config.channels, 2, 2),
                    nn.GroupNorm(GROUPS, 2 * config.channels),
                    nn.GELU(),
                    nn.ConvTranspose2d(2 * config.channels, config.channels, 2, 2),
                ),
                nn.ConvTranspose2d(config.width, config.channels, 2, 2),
                nn.Conv2d(config.width, config.channels, 1),
            )
        )
        self.around = Pyramid(config.detail, config.channels)
        for name, values in zip(("mean", "deviation"), IMAGENET, strict=True):
            self.register_buffer(name, colours(values), persistent=False)

    @property
    def pretrained(self) -> nn.Module:
        """The part that others have trained."""
        return self.vit

    @classmethod
    def from_pretrained(cls, source: str | Path, config: VitPyramidConfig) -> VitPyramid:
        """A network whose transformer has ViTPose's published weights; the pyramid's are random.

        Of the experts of ViTPose+ (Xu et al., TPAMI 2023) that of COCO is kept.

        Args:
            source: See ``models.backbones.published.describe``; of the backbone or of the whole estimator.
            config: Size of the network.

        Raises:
            CheckpointError: There are no such weights, some are missing, or they are of another size.
        """
        vit = _read(source)
        for name in _SAME:
            theirs, ours = (_plain(getattr(sizes, name)) for sizes in (vit.config, _published(config)))
            if theirs != ours:
                raise CheckpointError(f"the ViTPose of {source} has another size: {name} is {theirs}, not {ours}")
        return cls(config, vit)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Describe every cell of some images, see ``Backbone.forward``."""
        images = (images - self.mean) / self.deviation
        coarse = self.encode(images)
        return cast(tuple[Tensor, ...], self.around(images, [rise(coarse) for rise in self.rise]))

    def encode(self, images: Tensor) -> Tensor:
        """The transformer's last layer.

        Args:
            images: ``(N, 3, H, W)`` normalised; ``H`` and ``W`` are multiples of 16.

        Returns:
            ``(N, width, H / 16, W / 16)``.
        """
        grid = (images.shape[-2] // STRIDES[-1], images.shape[-1] // STRIDES[-1])
        patches = self.vit.embeddings.patch_embeddings.projection(images).flatten(2).transpose(1, 2)
        tokens = self.vit.encoder(patches + self._positions(grid)).last_hidden_state
        maps: Tensor = self.vit.layernorm(tokens).transpose(1, 2).unflatten(2, grid)
        return maps

    def _positions(self, grid: tuple[int, int]) -> Tensor:
        """``(1, rows * columns, width)``; the first of the learned ones belongs to all, see ViTPose's code."""
        learned: Tensor = self.vit.embeddings.position_embeddings
        own = learned[:, 1:]
        if grid != self.config.grid:
            maps = own.transpose(1, 2).reshape(1, -1, *self.config.grid)
            own = F.interpolate(maps, size=grid, mode="bicubic", align_corners=False).flatten(2).transpose(1, 2)
        return own + learned[:, :1]


def _published(config: VitPyramidConfig) -> VitPoseBackboneConfig:
    return VitPoseBackboneConfig(
        image_size=[STRIDES[-1] * cells for cells in config.grid],
        patch_size=[STRIDES[-1], STRIDES[-1]],
        hidden_size=config.width,
        num_hidden_layers=config.depth,
        num_attention_heads=config.heads,
    )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _read(source: str | Path) -> VitPoseBackbone:
    kind = published.describe(source).model_type
    if kind not in KINDS:
        raise CheckpointError(f"{source} holds a {kind}; a ViTPose is needed")
    network = published.read(KINDS[kind], source, fresh="head.")
    vit = cast(VitPoseBackbone, network.backbone if isinstance(network, VitPoseForPoseEstimation) else network)
    return vit if vit.config.num_experts == 1 else _merged(vit)


def _merged(vit: VitPoseBackbone) -> VitPoseBackbone:
    """The same without experts: one's outputs are the last of those of the layer that it shares."""
    state = vit.state_dict()
    plain = {name: weights for name, weights in state.items() if ".experts." not in name}
    for name, weights in plain.items():
        expert = name.replace(".fc2.", f".experts.{_EXPERT}.")
        if expert != name:
            plain[name] = torch.cat([weights, state[expert]])
    config = deepcopy(vit.config)
    config.num_experts = 1
    merged = VitPoseBackbone(config)
    merged.load_state_dict(plain)
    return merged
