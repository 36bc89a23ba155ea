"""Convolution and attention that choose where to look: samples of a map at places between its cells."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_LEAST_MASK = 1e-4


class ModulatedDeformConv(nn.Module):
    """A convolution of 3 x 3 whose taps are moved and weighed at every place (Zhu et al., *Deformable ConvNets v2*).

    Args:
        channels: Entering and leaving.
        groups: Groups of channels with offsets of their own.
    """

    taps: Tensor

    def __init__(self, channels: int, groups: int) -> None:
        super().__init__()
        self.groups = groups
        self.mixing = nn.Conv2d(9 * channels, channels, 1)
        y, x = torch.meshgrid(torch.arange(-1.0, 2), torch.arange(-1.0, 2), indexing="ij")
        self.register_buffer("taps", torch.stack([x, y], dim=-1).flatten(0, 1), persistent=False)

    def forward(self, maps: Tensor, offsets: Tensor, modulation: Tensor) -> Tensor:
        """Convolve.

        Args:
            maps: ``(B, C, h, w)``.
            offsets: ``(B, 18 groups, h, w)`` cells, x before y.
            modulation: ``(B, 9 groups, h, w)`` weights of the taps.

        Returns:
            ``(B, C, h, w)``.
        """
        batch, _, height, width = maps.shape
        shift = offsets.view(batch * self.groups, 9, 2, height * width).transpose(2, 3)
        places = centres(height, width, maps.device)[:, None] + self.taps  # (h * w, 9, 2)
        source = maps.reshape(batch * self.groups, -1, height, width)
        sampled = sample(source, places.transpose(0, 1) + shift)  # (B * groups, C / groups, 9, h * w)
        weighed = sampled * modulation.view(batch * self.groups, 1, 9, height * width)
        taps = weighed.unflatten(0, (batch, self.groups)).flatten(1, 3).unflatten(2, (height, width))
        convolved: Tensor = self.mixing(taps)
        return convolved


@dataclass(frozen=True, eq=False)
class Gathered:
    """The result of deformable attention.

    Attributes:
        tokens: ``(B, N, C)``.
        stray: Scalar, how far attention strays from the subject: weight on tokens outside it, and length of offsets.
    """

    tokens: Tensor
    stray: Tensor


class DeformableCrossAttention(nn.Module):
    """Tokens look at a few places around their own on another frame, places on the subject before others.

    ``out = sum over k of softmax_k(a_k(q) + log m(p + o_k)) W (m F)(p + o_k)`` with ``o_k = r tanh(...)``. That it is
    deformable and held to the surroundings of the target body is the paper's (Focused-Regions, AAAI 2025); the bound
    by ``r``, the mask within the softmax, and offsets that depend on both frames are our reconstruction, after Zhu et
    al. (*Deformable DETR*, ICLR 2021).

    Args:
        channels: ``C``.
        heads: Each with places of its own.
        grid: Rows and columns of tokens.
        points: Places per head.
        reach: ``r``, as a share of the crop's sides.
    """

    def __init__(self, channels: int, heads: int, grid: tuple[int, int], points: int = 4, reach: float = 0.25) -> None:
        super().__init__()
        self.heads, self.grid, self.points, self.reach = heads, grid, points, reach
        self.query_norm, self.source_norm = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.offsets = nn.Linear(2 * channels, 2 * heads * points)
        self.weights = nn.Linear(channels, heads * points)
        self.value = nn.Linear(channels, channels)
        self.leaving = nn.Linear(channels, channels)
        nn.init.normal_(self.offsets.weight, std=0.01)

    def forward(self, tokens: Tensor, source: Tensor, mask: Tensor) -> Gathered:
        """Look.

        Args:
            tokens: ``(B, N, C)`` of the centre frame.
            source: ``(B, N, C)`` of another frame.
            mask: ``(B, N)`` probability that a token of the other frame shows the subject.
        """
        batch, count, channels = tokens.shape
        rows, columns = self.grid
        query, source = self.query_norm(tokens), self.source_norm(source)
        reach = self.reach * torch.tensor([columns, rows], device=tokens.device, dtype=torch.float32)
        bent = torch.tanh(self.offsets(torch.cat([query, source], dim=-1)).float())
        bent = bent.view(batch, count, self.heads, self.points, 2).permute(0, 2, 3, 1, 4)  # (B, heads, points, N, 2)
        places = (centres(rows, columns, tokens.device) + reach * bent).flatten(0, 1)
        value = (mask[..., None] * self.value(source)).transpose(1, 2)
        value = value.reshape(batch * self.heads, channels // self.heads, rows, columns)
        masks = mask[:, None].expand(batch, self.heads, count).reshape(batch * self.heads, 1, rows, columns)
        found = sample(torch.cat([value, masks.to(value.dtype)], dim=1), places)  # (B * heads, c + 1, points, N)
        on_subject = found[:, -1].float().clamp(_LEAST_MASK, 1)
        scores = self.weights(query).view(batch, count, self.heads, self.points).permute(0, 2, 3, 1).flatten(0, 1)
        weight = (scores.float() + on_subject.log()).softmax(dim=1)  # (B * heads, points, N)
        mixed = (found[:, :-1] * weight[:, None].to(found.dtype)).sum(dim=2)  # (B * heads, c, N)
        mixed = mixed.reshape(batch, channels, count).transpose(1, 2)
        # This teaches which places count, not where they are: it would outweigh the pose there and scatter them.
        stray = (weight * (1 - on_subject.detach())).sum(dim=1).mean() + bent.square().mean()
        return Gathered(self.leaving(mixed), stray)


def centres(height: int, width: int, device: torch.device) -> Tensor:
    """``(h * w, 2)`` places of cells, x before y, row by row."""
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return torch.stack([x, y], dim=-1).flatten(0, 1).float()


def sample(maps: Tensor, places: Tensor) -> Tensor:
    """Maps ``(M, c, h, w)`` at places ``(M, p, n, 2)`` in cells: ``(M, c, p, n)``; beyond the border is nothing."""
    size = torch.tensor([maps.shape[-1], maps.shape[-2]], device=maps.device)
    grid = (2 * places.float() + 1) / size - 1
    return F.grid_sample(maps.float(), grid, align_corners=False).to(maps.dtype)
