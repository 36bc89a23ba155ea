"""The verifier: judges where a keypoint is, given what several sources say.

The idea of a small network that does not track but judges candidates, trained on rendered video, is that of
Aydemir et al., *Verifier-Guided Pseudo-Labeling* (CVPR 2026, arXiv 2603.12217); the form is ours.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from models.backbones.config import STRIDES
from models.stdpose.correlation import correlate
from models.stdpose.temporal import FusionBlock, MaskedAttention
from models.stdpose.windows import WindowBatch

_NEAR = (0.01, 0.03, 0.08)  # kernels in which candidates agree, shares of the unit
_LABELS = 2
_CONTEXT = 7
_INPUTS = 4 + len(_NEAR) + 2 + 3 * _LABELS * len(STRIDES) + 2 + _CONTEXT


@dataclass(frozen=True, kw_only=True)
class VerifierConfig:
    """Size of a :class:`Verifier`; the defaults are those of the preset ``tiny``.

    Args:
        candidates: ``C``, sources that are judged.
        channels: Width of a token.
        blocks: How often candidates, frames and keypoints are compared.
        heads: Attention heads.
    """

    candidates: int = 11
    channels: int = 64
    blocks: int = 2
    heads: int = 4


@dataclass(frozen=True, eq=False)
class Candidates:
    """Places that a keypoint might have.

    Attributes:
        xy: ``(B, C, T, K, 2)`` input pixels.
        claim: ``(B, C, T, K)`` how sure its source is, in the source's own measure.
        present: ``(B, C, T, K)`` whether there is such a candidate.
    """

    xy: Tensor
    claim: Tensor
    present: Tensor

    def without(self, candidates: Tensor) -> Candidates:
        """The same without the candidates that ``(C,)`` marks."""
        return replace(self, present=self.present & ~candidates[:, None, None])


class Verifier(nn.Module):
    """Weighs candidates by how they look, move, agree, and by what their sources claim."""

    def __init__(self, config: VerifierConfig, unit: float) -> None:
        super().__init__()
        self.unit = unit
        width = config.channels
        self.source = nn.Parameter(0.02 * torch.randn(config.candidates, width))
        self.enter = nn.Sequential(nn.Linear(_INPUTS, width), nn.GELU(), nn.Linear(width, width))
        self.compare = nn.ModuleList(_Comparison(width, config.heads) for _ in range(config.blocks))
        self.fuse = nn.ModuleList(FusionBlock(width, config.heads, expansion=2) for _ in range(config.blocks))
        chosen, scaled = nn.Linear(width, 1), nn.Linear(width, 2)
        nn.init.zeros_(chosen.weight)
        nn.init.zeros_(scaled.weight)
        self.choose = nn.Sequential(nn.LayerNorm(width), chosen)
        self.scale = nn.Sequential(nn.LayerNorm(width), scaled)

    def forward(
        self, maps: tuple[Tensor, ...], templates: list[Tensor], window: WindowBatch, candidates: Candidates
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Judge.

        Args:
            maps: See ``StdPose.describe``.
            templates: See ``StdPose.templates``.
            window: What is known.
            candidates: At least one present everywhere.

        Returns:
            ``(B, T, K, 2)`` places, the weighted means of the candidates; ``(B, T, K)`` logarithms of the median
            distance from the truth, pixels; ``(B, C, T, K)`` weights.
        """
        present = candidates.present.movedim(1, -1)  # (B, T, K, C)
        places = candidates.xy.movedim(1, 3)  # (B, T, K, C, 2)
        middle = _middle(places, present)
        inputs = torch.cat(
            [
                _apart(places, middle, self.unit),
                _agreement(places, present, self.unit),
                candidates.claim.movedim(1, -1)[..., None],
                present[..., None].to(places.dtype),
                _likeness(maps, templates, window, candidates.xy),
                _motion(places, window, self.unit),
                _context(window, self.unit)[:, :, :, None].expand(*places.shape[:-1], _CONTEXT),
            ],
            dim=-1,
        )
        tokens = self.enter(inputs) + self.source
        pooled = torch.zeros_like(tokens[..., 0, :])
        share = (present / present.sum(dim=-1, keepdim=True).clamp(min=1))[..., None]
        for compare, fuse in zip(self.compare, self.fuse, strict=True):
            tokens = compare(tokens, present)
            pooled = fuse(pooled + (tokens * share).sum(dim=-2), window.valid)
            tokens = tokens + pooled[..., None, :]
        logits = self.choose(tokens)[..., 0].float().masked_fill(~present, -torch.inf)
        weight = logits.softmax(dim=-1)
        xy = (weight[..., None] * places).sum(dim=-2)
        spread = (weight * (places - xy[..., None, :]).square().sum(dim=-1)).sum(dim=-1).add(0.25).sqrt().log()
        scale = self.scale(pooled).float()
        # An error bar grows with the spread of what is believed, so that the network need only correct it.
        return xy, scale[..., 0] + 0.5 * spread + scale[..., 1] * spread, weight.movedim(-1, 1)


class _Comparison(nn.Module):
    """Attention among the candidates of one keypoint on one frame, and a feed-forward layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.among = MaskedAttention(width, heads)
        self.neighbours = nn.Conv1d(width, width, 5, padding=2, groups=width)
        self.feed_norm = nn.LayerNorm(width)
        self.feed = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        batch, time, points, sources, width = tokens.shape
        normed = self.norm(tokens) * present[..., None]
        among = self.among(normed.view(-1, sources, width), present.reshape(-1, sources)).view(tokens.shape)
        series = normed.permute(0, 2, 3, 4, 1).reshape(-1, width, time)
        along = self.neighbours(series).view(batch, points, sources, width, time).permute(0, 4, 1, 2, 3)
        tokens = tokens + among + along
        moved: Tensor = tokens + self.feed(self.feed_norm(tokens))
        return moved


def _middle(places: Tensor, present: Tensor) -> Tensor:
    """The present candidate with the least summed distance from the others, ``(B, T, K, 1, 2)``."""
    apart = (places[..., :, None, :] - places[..., None, :, :]).norm(dim=-1)
    total = (apart * present[..., None, :]).sum(dim=-1).masked_fill(~present, torch.inf)
    best = total.argmin(dim=-1)[..., None, None].expand(*places.shape[:3], 1, 2)
    return places.gather(3, best)


def _apart(places: Tensor, middle: Tensor, unit: float) -> Tensor:
    apart = (places - middle) / unit
    return torch.cat([torch.tanh(4 * apart), torch.tanh(24 * apart)], dim=-1)


def _agreement(places: Tensor, present: Tensor, unit: float) -> Tensor:
    squared = ((places[..., :, None, :] - places[..., None, :, :]) / unit).square().sum(dim=-1)
    share = present[..., None, :] / present.sum(dim=-1)[..., None, None].clamp(min=1)
    return torch.stack([(share * torch.exp(-squared / (2 * near**2))).sum(dim=-1) for near in _NEAR], dim=-1)


def _likeness(maps: tuple[Tensor, ...], templates: list[Tensor], window: WindowBatch, places: Tensor) -> Tensor:
    """The likeness of places to the keypoint's labels, of their best neighbours, and the difference of the two."""
    sources = places.shape[1]
    rows, every = window.rows.repeat(1, sources), places.flatten(1, 2)
    known = window.has[:, None].repeat(1, every.shape[1], 1, 1)
    parts = []
    for level, template, stride in zip(maps, templates, STRIDES, strict=True):
        centre = template[..., template.shape[-2] // 2, :]
        around = correlate(level, rows, every, centre, stride, 1) * known[..., None, :]  # (B, C * T, K, 9, 2)
        here, best = around[..., 4, :], around.amax(dim=-2)
        parts += [here, best, best - around.mean(dim=-2)]
    like = torch.cat(parts, dim=-1)
    return like.view(len(like), sources, -1, *like.shape[2:]).movedim(1, 3)


def _motion(places: Tensor, window: WindowBatch, unit: float) -> Tensor:
    """Speed and bend of each candidate's path, ``(B, T, K, C, 2)``."""
    step = (places[:, 1:] - places[:, :-1]) / unit
    step = step * (window.valid[:, 1:] & window.valid[:, :-1])[..., None, None]
    nothing = torch.zeros_like(places[:, :1])
    before, after = torch.cat([nothing, step], dim=1), torch.cat([step, nothing], dim=1)
    speed, bend = (before + after).norm(dim=-1) / 2, (after - before).norm(dim=-1)
    return torch.stack([torch.log1p(50 * speed), torch.log1p(50 * bend)], dim=-1)


def _context(window: WindowBatch, unit: float) -> Tensor:
    between = (window.anchor_xy[:, :, 1] - window.anchor_xy[:, :, 0]).norm(dim=-1) / unit
    between = torch.log1p(20 * between)[:, None].expand(window.elapsed.shape)
    has = window.has[:, None].expand(*window.elapsed.shape, _LABELS).to(window.elapsed.dtype)
    single = torch.stack([window.elapsed, window.elapsed * (1 - window.elapsed), between], dim=-1)
    return torch.cat([single, torch.log1p(window.steps), has], dim=-1)
