"""Target heat maps and tokens for known keypoints, and decoding of heat maps into keypoints."""

from __future__ import annotations

import torch
from torch import Tensor

from models.estimators.estimator import HEATMAP_STRIDE, TOKEN_STRIDE

#: Deviation of the Gaussians of heat maps, in cells.
SIGMA = 1.5

_BODY = 1.0  # tokens around a limb that show the subject


def gaussians(xy: Tensor, cells: tuple[int, int], *, sigma: float = SIGMA, stride: int = HEATMAP_STRIDE) -> Tensor:
    """Heat maps with a peak of 1 at the exact places.

    Args:
        xy: ``(..., 2)`` input pixels.
        cells: ``(h, w)``.
        sigma: Deviation in cells.
        stride: Pixels per cell.

    Returns:
        ``(..., h, w)``.
    """
    place = ((xy + 0.5) / stride - 0.5)[..., None]
    y, x = (
        torch.exp(-(torch.arange(side, device=xy.device) - place[..., axis, :]).square() / (2 * sigma**2))
        for axis, side in ((1, cells[0]), (0, cells[1]))
    )
    return y[..., :, None] * x[..., None, :]


def body_tokens(xy: Tensor, known: Tensor, edges: Tensor, grid: tuple[int, int]) -> Tensor:
    """Which tokens show the subject: those near a limb or a keypoint.

    Args:
        xy: ``(..., K, 2)`` input pixels.
        known: ``(..., K)``.
        edges: ``(E, 2)`` pairs of keypoints that are joined; a limb counts where both ends are known.
        grid: Rows and columns of tokens.

    Returns:
        ``(..., N)`` 0 or 1.
    """
    themselves = torch.arange(xy.shape[-2], device=xy.device)[:, None].expand(-1, 2)
    pairs = torch.cat([themselves, edges.to(xy.device)])
    begin, end = ((xy[..., pairs[:, side], :] + 0.5) / TOKEN_STRIDE - 0.5 for side in (0, 1))
    both = known[..., pairs[:, 0]] & known[..., pairs[:, 1]]
    y, x = torch.meshgrid(torch.arange(grid[0]), torch.arange(grid[1]), indexing="ij")
    centres = torch.stack([x, y], dim=-1).flatten(0, 1).to(xy)  # (N, 2)
    along = (end - begin)[..., None, :]
    towards = centres - begin[..., None, :]  # (..., pairs, N, 2)
    share = (towards * along).sum(-1) / along.square().sum(-1).clamp(min=1e-6)
    distance = (towards - share.clamp(0, 1)[..., None] * along).norm(dim=-1)
    shown: Tensor = ((distance < _BODY) & both[..., None]).any(dim=-2).to(xy.dtype)
    return shown


def places(heatmaps: Tensor, sigma: float = SIGMA) -> tuple[Tensor, Tensor]:
    """Where the peaks of heat maps are, between cells too.

    The logarithm of a Gaussian is a parabola along each axis, so three cells around the highest tell where its top is
    (Zhang et al., *Distribution-aware coordinate representation*, CVPR 2020, without their smoothing).

    Args:
        heatmaps: ``(..., h, w)``.
        sigma: Of the Gaussians, in cells; bounds the step between cells.

    Returns:
        ``(..., 2)`` input pixels, and ``(...)`` the height of the map there, 0 to 1.
    """
    height, width = heatmaps.shape[-2:]
    flat = heatmaps.flatten(-2).float()
    peak, best = flat.max(dim=-1)
    row, column = best // width, best % width
    steps = []
    for index, side, jump in ((column, width, 1), (row, height, width)):
        inside = (index > 0) & (index < side - 1)
        before, after = (
            flat.gather(-1, (best + way * jump * inside)[..., None])[..., 0].clamp(min=1e-4).log() for way in (-1, 1)
        )
        middle = peak.clamp(min=1e-4).log()
        bend = before - 2 * middle + after
        step = torch.where(inside & (bend < -1e-3), (before - after) / (2 * bend).clamp(max=-1e-3), 0.0)
        steps.append(step.clamp(-0.5, 0.5))
    cells = torch.stack([column + steps[0], row + steps[1]], dim=-1)
    return (cells + 0.5) * HEATMAP_STRIDE - 0.5, peak.clamp(0, 1)
