"""A small convolutional backbone, for machines without a GPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.config import BackboneConfig
from models.backbones.layers import GROUPS, Residual, enlarge


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

    @property
    def pretrained(self) -> nn.Module:
        """The part that was trained before: all of it."""
        return self

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
