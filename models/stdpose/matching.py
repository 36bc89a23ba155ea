"""Where on each frame a keypoint might be by its looks alone: the best places of all levels together, and a path.

That the best few places of a match, not the best alone, hold the right one far more often, and that choosing among
them is a matter of the frames around, is known from tracking by detection; the scores and the path's costs are ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from models.backbones.config import STRIDES
from models.stdpose.windows import WindowBatch

_APART = 2  # cells of the finest level between two places, at least
_NARROW = 0.35  # of the unit, standard deviation of the places that are looked for around interpolation
_PRIOR = 0.25  # correlation that a place so far away lacks
_SHARP = 12.0  # unary cost of a correlation of 1
_STEADY = 0.02  # of the unit, a step that differs so much from interpolation's costs as much as 0.5 of unary cost
_LONGEST_STEP = 40.0  # pairwise cost, at most: what moves fast is not lost


@dataclass(frozen=True, eq=False)
class Matches:
    """The best places of each keypoint on each frame, best first, and a path along them.

    Attributes:
        xy: ``(B, M, T, K, 2)`` input pixels.
        height: ``(B, M, T, K)`` correlation there, -1 to 1.
        path: ``(B, T, K, 2)`` input pixels.
    """

    xy: Tensor
    height: Tensor
    path: Tensor


@torch.no_grad()
def match(
    maps: tuple[Tensor, ...], templates: Sequence[Tensor], window: WindowBatch, linear: Tensor, count: int, unit: float
) -> Matches:
    """Look for every keypoint on every frame.

    Args:
        maps: See ``StdPose.describe``.
        templates: See ``StdPose.templates``.
        window: What is known.
        linear: ``(B, T, K, 2)`` linear interpolation.
        count: ``M``.
        unit: Pixels of a typical subject.
    """
    height = _heights(maps, templates, window)  # (B, T, K, h, w)
    grid = _grid(height.shape[-2:], height.device)  # (h, w, 2)
    away = (grid - linear[..., None, None, :]).square().sum(dim=-1) / (_NARROW * unit) ** 2
    near = height - _PRIOR * away
    peak = F.max_pool2d(near.flatten(0, 2)[:, None], 2 * _APART + 1, 1, _APART)[:, 0].view(near.shape)
    ranked = near.masked_fill(near < peak, -torch.inf).flatten(3)
    best, cell = ranked.topk(count, dim=-1)  # (B, T, K, M)
    cell = torch.where(best.isfinite(), cell, cell[..., :1])
    rows, columns = cell // height.shape[-1], cell % height.shape[-1]
    xy = _between_cells(height, rows, columns)
    found = height.flatten(3).gather(-1, cell)
    path = _path(xy, near.flatten(3).gather(-1, cell), linear, unit)
    return Matches(xy.movedim(3, 1), found.movedim(3, 1), path)


def _heights(maps: tuple[Tensor, ...], templates: Sequence[Tensor], window: WindowBatch) -> Tensor:
    """Correlation of all levels together with both labels, the nearer counting more, on the cells of the finest."""
    size = maps[0].shape[1:3]
    weight = torch.stack([1 - window.elapsed, window.elapsed], dim=-1) * window.has[:, None]  # (B, T, K, 2)
    weight = weight / weight.sum(dim=-1, keepdim=True).clamp(min=1e-3)
    total = torch.zeros((), device=maps[0].device)
    for level, template in zip(maps, templates, strict=True):
        centre = template[..., template.shape[-2] // 2, :]  # (B, K, 2, C)
        flat = level.flatten(1, 2)[window.rows]  # (B, T, hw, C)
        like = flat @ centre.flatten(1, 2)[:, None].transpose(-1, -2).to(flat.dtype)  # (B, T, hw, K * 2)
        both = like.float().unflatten(-1, centre.shape[1:3])
        mixed = (both * weight[:, :, None]).sum(dim=-1).transpose(-1, -2)  # (B, T, K, hw)
        map_ = mixed.unflatten(-1, level.shape[1:3]).flatten(0, 1)
        if level.shape[1:3] != size:
            map_ = F.interpolate(map_, size=size, mode="bilinear", align_corners=False)
        total = total + map_.unflatten(0, window.rows.shape)
    return total / len(STRIDES)


def _grid(size: torch.Size, device: torch.device) -> Tensor:
    y, x = (((torch.arange(side, device=device) + 0.5) * STRIDES[0] - 0.5) for side in size)
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1)


def _between_cells(heights: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pixels of maxima, each moved to the vertex of the parabolas through it and its neighbours."""
    height, width = heights.shape[-2:]
    flat = heights.flatten(3)

    def at(y: Tensor, x: Tensor) -> Tensor:
        return flat.gather(-1, y.clamp(0, height - 1) * width + x.clamp(0, width - 1))

    here = at(rows, columns)
    shifts = []
    for low, high in (
        (at(rows, columns - 1), at(rows, columns + 1)),
        (at(rows - 1, columns), at(rows + 1, columns)),
    ):
        bend = low - 2 * here + high
        shifts.append(torch.where(bend < -1e-6, 0.5 * (low - high) / bend.clamp(max=-1e-6), 0.0).clamp(-0.5, 0.5))
    cells = torch.stack([columns + shifts[0], rows + shifts[1]], dim=-1)
    return (cells + 0.5) * STRIDES[0] - 0.5


def _path(xy: Tensor, score: Tensor, linear: Tensor, unit: float) -> Tensor:
    """The sequence of places ``(B, T, K, M, 2)`` that scores best while it moves much as interpolation does."""
    states = xy - linear[..., None, :]  # (B, T, K, M, 2)
    cost = _SHARP * (score.amax(dim=-1, keepdim=True) - score)
    total, came = cost[:, 0], []
    for t in range(1, xy.shape[1]):
        step = states[:, t, :, None] - states[:, t - 1, :, :, None]  # (B, K, from, to, 2)
        jump = (step.square().sum(dim=-1) / (2 * (_STEADY * unit) ** 2)).clamp(max=_LONGEST_STEP)
        best, origin = (total[..., None] + jump).min(dim=-2)
        came.append(origin)
        total = best + cost[:, t]
    state = total.argmin(dim=-1)
    chosen = [state]
    for origin in reversed(came):
        state = origin.gather(-1, state[..., None])[..., 0]
        chosen.append(state)
    rows = torch.stack(chosen[::-1], dim=1)[..., None, None].expand(*xy.shape[:3], 1, 2)
    return xy.gather(3, rows)[..., 0, :]
