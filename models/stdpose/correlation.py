"""Comparing descriptors: of a keypoint on its labelled frames, with those around a place on another frame."""

from __future__ import annotations

import torch
from torch import Tensor


def descriptors(maps: Tensor, rows: Tensor, xy: Tensor, stride: int, radius: int) -> Tensor:
    """Descriptors at and around some places, bilinearly interpolated.

    Args:
        maps: ``(N, h, w, C)``.
        rows: ``(...)`` which map to look at.
        xy: ``(..., 2)`` input pixels, centres at integers; beyond the border the border is repeated.
        stride: Input pixels per cell.
        radius: Cells on each side.

    Returns:
        ``(..., (2 radius + 1)^2, C)``, rows of cells one after the other.
    """
    cells, share = _block(maps, rows, xy, stride, radius)
    side = 2 * radius + 2
    grid = cells.view(*cells.shape[:-2], side, side, cells.shape[-1])
    return _between(grid, share[..., None, None, None, :], -3).flatten(-3, -2)


def correlate(maps: Tensor, rows: Tensor, xy: Tensor, templates: Tensor, stride: int, radius: int) -> Tensor:
    """Correlations of templates with the cells around some places.

    Interpolating the correlations equals correlating interpolated descriptors and is much cheaper: all cells of a patch
    lie equally far between those of the map.

    Args:
        maps: ``(N, h, w, C)``.
        rows: ``(B, T)`` which map to look at.
        xy: ``(B, T, K, 2)`` input pixels.
        templates: ``(B, K, P, C)``.
        stride: Input pixels per cell.
        radius: Cells on each side.

    Returns:
        ``(B, T, K, (2 radius + 1)^2, P)``.
    """
    cells, share = _block(maps, rows[..., None].expand(xy.shape[:-1]), xy, stride, radius)
    side = 2 * radius + 2
    products = cells @ templates[:, None].transpose(-1, -2).to(cells.dtype)
    grid = products.float().view(*products.shape[:-2], side, side, products.shape[-1])
    return _between(grid, share[..., None, None, None, :], -3).flatten(-3, -2)


def peaks(maps: Tensor, rows: Tensor, templates: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Where on the whole map a template fits best.

    Args:
        maps: ``(N, h, w, C)``.
        rows: ``(B, T)`` which map to look at.
        templates: ``(B, K, P, C)``.
        stride: Input pixels per cell.

    Returns:
        ``(B, T, K, P, 2)`` input pixels of the best cell, and ``(B, T, K, P)`` its correlation.
    """
    width = maps.shape[2]
    flat = maps.flatten(1, 2)[rows]  # (B, T, hw, C)
    products = flat @ templates.flatten(1, 2)[:, None].transpose(-1, -2).to(flat.dtype)  # (B, T, hw, KP)
    best, cell = products.float().max(dim=2)
    xy = torch.stack([cell % width, cell // width], dim=-1)
    shape = (*rows.shape, *templates.shape[1:3])
    return ((xy + 0.5) * stride - 0.5).view(*shape, 2), best.view(shape)


def offsets(radius: int, device: torch.device) -> Tensor:
    """``((2 radius + 1)^2, 2)`` cells from the middle of a patch, x first, in the order that patches have."""
    steps = torch.arange(-radius, radius + 1, device=device, dtype=torch.float32)
    return torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1).flatten(0, 1)


def _block(maps: Tensor, rows: Tensor, xy: Tensor, stride: int, radius: int) -> tuple[Tensor, Tensor]:
    height, width = maps.shape[1:3]
    place = (xy + 0.5) / stride - 0.5
    corner = place.floor()
    steps = torch.arange(-radius, radius + 2, device=maps.device)
    x = (corner[..., :1].long() + steps).clamp(0, width - 1)
    y = (corner[..., 1:].long() + steps).clamp(0, height - 1)
    index = (rows[..., None, None] * height + y[..., :, None]) * width + x[..., None, :]
    cells = maps.reshape(-1, maps.shape[-1]).index_select(0, index.flatten())
    return cells.view(*xy.shape[:-1], -1, maps.shape[-1]), place - corner


def _between(grid: Tensor, share: Tensor, axis: int) -> Tensor:
    along_y = share[..., 1].to(grid.dtype)
    count = grid.shape[axis] - 1
    grid = torch.lerp(grid.narrow(axis, 0, count), grid.narrow(axis, 1, count), along_y)
    along_x = share[..., 0].to(grid.dtype)
    return torch.lerp(grid.narrow(axis + 1, 0, count), grid.narrow(axis + 1, 1, count), along_x)
