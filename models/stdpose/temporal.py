"""Temporal feature fusion: attention over time and over keypoints."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PositionEmbedding(nn.Module):
    """A learnable embedding of the place in time between a keypoint's two labels, linear between its entries.

    The paper adds learnable position embeddings to the frames of a fixed clip; ours stretches with the gap.

    Args:
        channels: ``C``.
        entries: Stored places from the label before to the label after.
    """

    def __init__(self, channels: int, entries: int = 17) -> None:
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(entries, channels))

    def forward(self, elapsed: Tensor) -> Tensor:
        """Embed places in time, ``(...)`` in 0 to 1, as ``(..., C)``."""
        place = elapsed.clamp(0, 1) * (len(self.table) - 1)
        low = place.floor().long().clamp(max=len(self.table) - 2)
        return torch.lerp(self.table[low], self.table[low + 1], (place - low)[..., None])


class FusionBlock(nn.Module):
    """A transformer block over the tokens of every keypoint and frame.

    Attention over time per keypoint, beside a temporal convolution; attention over keypoints per frame; a feed-forward
    layer. Normalisation comes first in each.

    Args:
        channels: ``C``.
        heads: Of both attentions.
        expansion: Of the feed-forward layer.
    """

    def __init__(self, channels: int, heads: int, expansion: int = 3) -> None:
        super().__init__()
        self.time_norm = nn.LayerNorm(channels)
        self.time = MaskedAttention(channels, heads)
        self.neighbours = nn.Conv1d(channels, channels, 3, padding=1, groups=channels)
        self.keypoint_norm = nn.LayerNorm(channels)
        self.keypoints = MaskedAttention(channels, heads)
        self.feed_norm = nn.LayerNorm(channels)
        self.feed = nn.Sequential(
            nn.Linear(channels, expansion * channels), nn.GELU(), nn.Linear(expansion * channels, channels)
        )

    def forward(self, tokens: Tensor, valid: Tensor) -> Tensor:
        """Fuse ``(B, T, K, C)`` tokens; those that ``valid`` ``(B, T, K)`` leaves out are seen by no other."""
        batch, time, points, channels = tokens.shape
        series = tokens.transpose(1, 2).reshape(batch * points, time, channels)
        present = valid.transpose(1, 2).reshape(batch * points, time)
        normed = self.time_norm(series) * present[..., None]
        series = series + self.time(normed, present) + self.neighbours(normed.transpose(1, 2)).transpose(1, 2)
        tokens = series.view(batch, points, time, channels).transpose(1, 2).reshape(batch * time, points, channels)
        tokens = tokens + self.keypoints(self.keypoint_norm(tokens), valid.flatten(0, 1))
        tokens = tokens + self.feed(self.feed_norm(tokens))
        return tokens.view(batch, time, points, channels)


class MaskedAttention(nn.Module):
    """Attention among tokens ``(N, length, C)`` of which some are present, ``(N, length)``."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.entering = nn.Linear(channels, 3 * channels)
        self.leaving = nn.Linear(channels, channels)

    def forward(self, x: Tensor, present: Tensor) -> Tensor:
        """Mix; those absent are seen by no other."""
        batch, length, channels = x.shape
        q, k, v = self.entering(x).view(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        # Written out: the fused kernel is several times slower on sequences this short, backward most of all.
        scores = (q * (channels // self.heads) ** -0.5) @ k.transpose(-1, -2)
        if not bool(present.all()):
            itself = torch.eye(length, dtype=torch.bool, device=x.device)
            scores = scores.masked_fill(~(present[:, None, :] | itself)[:, None], -torch.inf)
        mixed = scores.softmax(dim=-1).to(v.dtype) @ v
        fused: Tensor = self.leaving(mixed.transpose(1, 2).reshape(batch, length, channels))
        return fused
