"""Networks that turn frames into maps of descriptors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

#: Input pixels per cell of each level, finest first.
STRIDES = (4, 8, 16)

#: Of group normalisation; widths of convolutional layers are multiples of it.
GROUPS = 8


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """Size of a :class:`Backbone`; the defaults are those of the preset ``tiny``.

    Args:
        widths: Channels after the stem and at strides 4, 8 and 16.
        channels: ``C``, length of a descriptor.
    """

    widths: tuple[int, int, int, int] = (24, 48, 80, 128)
    channels: int = 64


@dataclass(frozen=True, kw_only=True)
class VitPyramidConfig:
    """Size of a :class:`models.vitpose.VitPyramid`; the defaults are ViTPose-B's.

    Args:
        width: Of a token.
        depth: Transformer layers.
        heads: Of their attention.
        grid: Rows and columns of the learned position embedding, which is resized to the tokens of a crop.
        detail: Channels of the convolutional stream after its stem and at strides 4 and 8.
        channels: ``C``, length of a descriptor.
    """

    width: int = 768
    depth: int = 12
    heads: int = 12
    grid: tuple[int, int] = (16, 12)
    detail: tuple[int, int, int] = (32, 64, 96)
    channels: int = 128


def build_backbone(config: BackboneConfig | VitPyramidConfig) -> nn.Module:
    """The network of a configuration, with random weights.

    Raises:
        ImportError: It takes transformers, which is not installed.
    """
    if isinstance(config, BackboneConfig):
        return Backbone(config)
    # Here, because transformers takes seconds to import and is installed only where these networks are used.
    try:
        from models.vitpose import VitPyramid
    except ModuleNotFoundError as error:
        raise ImportError("ViTPose backbones need transformers: pip install 'posetween[vitpose]'") from error
    return VitPyramid(config)


def pad(images: np.ndarray) -> np.ndarray:
    """Repeat the last row and column of ``(T, H, W, 3)`` images until both sides are whole cells of every level."""
    rows, columns = (-side % STRIDES[-1] for side in images.shape[1:3])
    return np.pad(images, ((0, 0), (0, rows), (0, columns), (0, 0)), mode="edge") if rows or columns else images


class Backbone(nn.Module):
    """A small convolutional network with descriptors at strides 4, 8 and 16.

    Residual blocks with group normalisation (the frames of one clip are too alike for batch statistics), and a feature
    pyramid that brings the context of coarse levels to fine ones (Lin et al., *Feature pyramid networks*, CVPR 2017).
    The paper's backbone is a ViT; this stands in for it on machines without a GPU.
    """

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.config = config
        stem, fine, middle, coarse = config.widths
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 5, 2, 2, bias=False), nn.GroupNorm(GROUPS, stem), nn.ReLU(inplace=True)
        )
        self.stages = nn.ModuleList(
            nn.Sequential(Residual(before, after, 2), Residual(after, after, 1))
            for before, after in ((stem, fine), (fine, middle), (middle, coarse))
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, config.channels, 1) for width in (fine, middle, coarse))
        self.smooth = nn.ModuleList(nn.Conv2d(config.channels, config.channels, 3, 1, 1) for _ in range(2))

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Describe every cell of some images.

        Args:
            images: ``(N, 3, H, W)`` RGB in 0 to 255; ``H`` and ``W`` are multiples of 16.

        Returns:
            For each of ``STRIDES`` descriptors of length 1, ``(N, H / stride, W / stride, C)`` float32.
        """
        mean = images.mean(dim=(1, 2, 3), keepdim=True)
        deviation = images.std(dim=(1, 2, 3), keepdim=True)
        x = self.stem(((images - mean) / (deviation + 8)).contiguous(memory_format=torch.channels_last))
        levels = []
        for stage in self.stages:
            x = stage(x)
            levels.append(x)
        fine, middle, coarse = (lateral(level) for lateral, level in zip(self.lateral, levels, strict=True))
        middle = self.smooth[1](middle + enlarge(coarse, middle))
        fine = self.smooth[0](fine + enlarge(middle, fine))
        return tuple(F.normalize(level.float(), dim=1).permute(0, 2, 3, 1) for level in (fine, middle, coarse))


class Residual(nn.Module):
    """Two convolutions and a shortcut (He et al., *Deep residual learning*, CVPR 2016), with group normalisation."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.first_norm = nn.GroupNorm(GROUPS, after)
        self.second = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.second_norm = nn.GroupNorm(GROUPS, after)
        same = before == after and stride == 1
        self.skip = nn.Identity() if same else nn.Conv2d(before, after, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        """``(N, before, h, w)`` to ``(N, after, h / stride, w / stride)``."""
        y = F.relu(self.first_norm(self.first(x)), inplace=True)
        return F.relu(self.second_norm(self.second(y)) + self.skip(x), inplace=True)


def enlarge(coarse: Tensor, fine: Tensor) -> Tensor:
    """Bring a coarse map to the size of a fine one."""
    return F.interpolate(coarse, size=fine.shape[-2:], mode="bilinear", align_corners=False)
