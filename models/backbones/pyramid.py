"""A feature pyramid around a network of coarse maps, so that there are descriptors at strides 4, 8 and 16."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.backbones.layers import GROUPS, Residual, enlarge


class Pyramid(nn.Module):
    """A thin convolutional stream beside a network, and levels that are refined from coarse to fine.

    What patches of 16 pixels have lost is added from the stream, as in ViTMatte (Yao et al., 2023). That it and the
    network's levels are summed, and refined from coarse to fine, is ours.

    Args:
        detail: Channels of the stream after its stem and at strides 4 and 8.
        channels: ``C``, of the levels and of descriptors.
    """

    def __init__(self, detail: tuple[int, int, int], channels: int) -> None:
        super().__init__()
        stem, fine, middle = detail
        self.stem = nn.Sequential(
            nn.Conv2d(3, stem, 5, 2, 2, bias=False), nn.GroupNorm(GROUPS, stem), nn.ReLU(inplace=True)
        )
        self.stages = nn.ModuleList((Residual(stem, fine, 2), Residual(fine, middle, 2)))
        self.lateral = nn.ModuleList(nn.Conv2d(width, channels, 1) for width in (fine, middle))
        self.smooth = nn.ModuleList(nn.Conv2d(channels, channels, 3, 1, 1) for _ in range(2))

    def forward(self, images: Tensor, levels: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Describe every cell.

        Args:
            images: ``(N, 3, H, W)`` normalised; ``H`` and ``W`` are multiples of 16.
            levels: The network's at strides 4, 8 and 16, ``(N, C, H / stride, W / stride)``.

        Returns:
            See ``models.backbones.convolutional.Backbone.forward``.
        """
        stream, details = self.stem(images), []
        for stage, lateral in zip(self.stages, self.lateral, strict=True):
            stream = stage(stream)
            details.append(lateral(stream))
        middle = self.smooth[1](details[1] + levels[1] + enlarge(levels[2], levels[1]))
        fine = self.smooth[0](details[0] + levels[0] + enlarge(middle, levels[0]))
        return tuple(F.normalize(level.float(), dim=1).permute(0, 2, 3, 1) for level in (fine, middle, levels[2]))


def colours(values: tuple[float, float, float]) -> Tensor:
    """``(3, 1, 1)`` of a value for each colour, of 0 to 1, for images of 0 to 255."""
    return 255 * torch.tensor(values).view(3, 1, 1)
