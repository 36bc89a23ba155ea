"""From tokens to heat maps."""

from __future__ import annotations

from torch import Tensor, nn

from models.backbones.layers import GROUPS


class HeatmapHead(nn.Module):
    """Two transposed convolutions and a last one, ViTPose's classic head (Xu et al., NeurIPS 2022).

    Ours: group normalisation, since clips of one video are too alike for batch statistics; and fine features are added
    where the stride allows, since a token of 16 pixels is coarse on crops as small as those of the preset ``tiny``.

    Args:
        channels: Of a token.
        fine: Channels of fine features.
        width: Channels of its layers, a multiple of 8.
        keypoints: ``K``.
    """

    def __init__(self, channels: int, fine: int, width: int, keypoints: int) -> None:
        super().__init__()
        self.rise = nn.Sequential(
            nn.ConvTranspose2d(channels, width, 4, 2, 1),
            nn.GroupNorm(GROUPS, width),
            nn.ReLU(inplace=True),
            nn.ConvTranspose2d(width, width, 4, 2, 1),
        )
        self.lateral = nn.Conv2d(fine, width, 1)
        last = nn.Conv2d(width, keypoints, 1)
        nn.init.normal_(last.weight, std=0.001)
        self.last = nn.Sequential(
            nn.GroupNorm(GROUPS, width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, 1, 1),
            nn.GroupNorm(GROUPS, width),
            nn.ReLU(inplace=True),
            last,
        )

    def forward(self, tokens: Tensor, fine: Tensor) -> Tensor:
        """``(M, C, h / 4, w / 4)`` and ``(M, c, h, w)`` to ``(M, K, h, w)`` float32."""
        heatmaps: Tensor = self.last(self.rise(tokens) + self.lateral(fine))
        return heatmaps.float()
