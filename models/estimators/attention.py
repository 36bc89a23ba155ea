"""Attention among the tokens of a clip, and from one set of tokens to another."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

_EXPANSION = 3  # of feed-forward layers


class EncoderLayer(nn.Module):
    """A transformer layer that normalises first (Xiong et al., ICML 2020).

    Args:
        channels: ``C``.
        heads: Of attention.
        drop: Share of values that dropout sets to nothing.
    """

    def __init__(self, channels: int, heads: int, drop: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.attention = Attention(channels, heads)
        self.feed = FeedForward(channels, drop)
        self.drop = nn.Dropout(drop)

    def forward(self, tokens: Tensor, bias: Tensor | None = None) -> Tensor:
        """``(B, N, C)`` to the same; ``bias`` ``(B, N)`` is added to the scores of tokens that are looked at."""
        normed = self.norm(tokens)
        tokens = tokens + self.drop(self.attention(normed, normed, bias))
        mixed: Tensor = self.feed(tokens)
        return mixed


class CrossLayer(nn.Module):
    """A transformer layer whose queries are one set of tokens and whose keys and values another.

    Args:
        channels: ``C`` of both.
        heads: Of attention.
        drop: Share of values that dropout sets to nothing.
    """

    def __init__(self, channels: int, heads: int, drop: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.source_norm = nn.LayerNorm(channels)
        self.attention = Attention(channels, heads)
        self.feed = FeedForward(channels, drop)
        self.drop = nn.Dropout(drop)

    def forward(self, tokens: Tensor, source: Tensor, bias: Tensor | None = None) -> Tensor:
        """``(B, N, C)`` after looking at ``source`` ``(B, M, C)``, whose scores ``bias`` ``(B, M)`` is added to."""
        tokens = tokens + self.drop(self.attention(self.norm(tokens), self.source_norm(source), bias))
        mixed: Tensor = self.feed(tokens)
        return mixed


class FeedForward(nn.Module):
    """The second half of a transformer layer, ``(..., C)`` to the same."""

    def __init__(self, channels: int, drop: float = 0.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, _EXPANSION * channels),
            nn.GELU(),
            quiet(nn.Linear(_EXPANSION * channels, channels)),
            nn.Dropout(drop),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Add what the layers make of the tokens."""
        fed: Tensor = tokens + self.layers(tokens)
        return fed


class Attention(nn.Module):
    """Multi-head attention of queries ``(B, N, C)`` to a source ``(B, M, C)``."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(channels, channels)
        self.source = nn.Linear(channels, 2 * channels)
        self.leaving = quiet(nn.Linear(channels, channels))

    def forward(self, tokens: Tensor, source: Tensor, bias: Tensor | None = None) -> Tensor:
        """Mix; ``bias`` ``(B, M)`` is added to the scores of the source."""
        query = self.query(tokens).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        key, value = self.source(source).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        added = None if bias is None else bias[:, None, None].to(query.dtype)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=added)
        left: Tensor = self.leaving(mixed.transpose(1, 2).flatten(2))
        return left


def quiet(layer: nn.Linear) -> nn.Linear:
    """The last layer of a residual branch, which hardly says anything at first.

    So a network begins as what it was built upon, which may be trained already (after Goyal et al., arXiv 1706.02677).
    """
    nn.init.normal_(layer.weight, std=0.001)
    nn.init.zeros_(layer.bias)
    return layer
