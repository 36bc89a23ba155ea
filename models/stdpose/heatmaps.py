"""Temporal pose heat maps: where evidence of a keypoint is around its present estimate, and how that changes.

A heat map here is a patch of ``P = (2 radius + 1)^2`` cells that travels with the estimate; its middle is the estimate.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.stdpose.correlation import offsets


class HeatmapSynthesis(nn.Module):
    """Temporal keypoint synthesis: mixes heat maps over time, those of labelled frames entering as truth.

    The paper names the module and its input; the form is our reconstruction: two temporal convolutions over the maps of
    all levels and both labels, the same at every cell. Maps of labelled frames are replaced by a Gaussian at the label,
    as in PoseWarper's propagation (Bertasius et al., NeurIPS 2019).

    Args:
        maps: ``M`` maps per keypoint and frame.
        radius: Of the maps, in cells.
        width: Channels between the convolutions.
        reach: Frames on each side that a convolution sees.
    """

    truth: Tensor

    def __init__(self, maps: int, radius: int, width: int = 16, reach: int = 2) -> None:
        super().__init__()
        self.first = nn.Conv1d(maps, width, 2 * reach + 1, padding=reach)
        self.second = nn.Conv1d(width, maps, 2 * reach + 1, padding=reach)
        for parameter in self.second.parameters():
            nn.init.zeros_(parameter)
        squared = offsets(radius, torch.device("cpu")).square().sum(dim=-1)
        self.register_buffer("truth", torch.exp(-squared / 2), persistent=False)

    def forward(self, heatmaps: Tensor, anchored: Tensor, valid: Tensor) -> Tensor:
        """Mix.

        Args:
            heatmaps: ``(B, T, K, M, P)`` correlations.
            anchored: ``(B, T, K)`` labelled frames.
            valid: ``(B, T, K)`` frames that take part.

        Returns:
            ``(B, T, K, M, P)``.
        """
        batch, time, points, maps, cells = heatmaps.shape
        entering = torch.where(anchored[..., None, None], self.truth.to(heatmaps.dtype), heatmaps)
        entering = entering * valid[..., None, None]
        series = entering.permute(0, 2, 4, 3, 1).reshape(-1, maps, time)
        change: Tensor = self.second(F.gelu(self.first(series)))
        return entering + change.view(batch, points, cells, maps, time).permute(0, 4, 1, 3, 2)


class DynamicAwareMask(nn.Module):
    """Which parts of a heat map change from frame to frame: ``1 / (1 + exp(-k (|x| - theta)))`` of the residuals.

    The formula and the two residuals, backward and forward, are the paper's; that ``k`` and ``theta`` are learned, and
    that the maps of neighbouring frames are brought to the same place before they are subtracted, is ours.

    Args:
        steepness: ``k`` to start from.
        threshold: ``theta`` to start from.
    """

    def __init__(self, steepness: float = 30.0, threshold: float = 0.15) -> None:
        super().__init__()
        self.log_steepness = nn.Parameter(torch.tensor(steepness).log())
        self.log_threshold = nn.Parameter(torch.tensor(threshold).log())

    def forward(self, residuals: Tensor) -> Tensor:
        """The mask of residuals of any shape."""
        mask: Tensor = torch.sigmoid(self.log_steepness.exp() * (residuals.abs() - self.log_threshold.exp()))
        return mask


def residuals(heatmaps: Tensor, xy: Tensor, valid: Tensor, strides: tuple[int, ...]) -> Tensor:
    """Differences of heat maps from those of the frame before, and of the frame after, at the same places of the image.

    Args:
        heatmaps: ``(B, T, K, L, P)`` one map per level.
        xy: ``(B, T, K, 2)`` pixels of their middles.
        valid: ``(B, T, K)``; next to a frame that takes no part nothing differs.
        strides: Pixels per cell, ``L`` of them.

    Returns:
        ``(B, T, K, L, 2, P)``.
    """
    if heatmaps.shape[1] < 2:
        return torch.zeros_like(heatmaps)[..., None, :].expand(*heatmaps.shape[:4], 2, -1)
    step = xy[:, 1:] - xy[:, :-1]
    both = (valid[:, 1:] & valid[:, :-1])[..., None, None]
    earlier, later = heatmaps[:, :-1], heatmaps[:, 1:]
    backward = (later - _moved(earlier, step, strides)) * both
    forward = (_moved(later, -step, strides) - earlier) * both
    return torch.stack([F.pad(backward, (0, 0, 0, 0, 0, 0, 1, 0)), F.pad(forward, (0, 0, 0, 0, 0, 0, 0, 1))], dim=-2)


def _moved(heatmaps: Tensor, step: Tensor, strides: tuple[int, ...]) -> Tensor:
    cells = heatmaps.shape[-1]
    side = round(cells**0.5)
    scale = torch.tensor(strides, device=step.device, dtype=step.dtype)
    shift = step[..., None, :] / scale[:, None]  # (B, T, K, L, 2) cells
    grid = (offsets(side // 2, step.device) + shift[..., None, :]) / (side / 2)
    flat = heatmaps.reshape(-1, 1, side, side)
    sampled = F.grid_sample(flat, grid.view(-1, side, side, 2).to(flat.dtype), align_corners=False)
    return sampled.view(heatmaps.shape)
