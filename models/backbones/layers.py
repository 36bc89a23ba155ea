"""Convolutional layers that several networks are made of."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

#: Of group normalisation; widths of convolutional layers are multiples of it.
GROUPS = 8


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
