"""A heat-map detector of one video's keypoints, and what its heat maps say about places."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.adaptation.patches import Patch
from models.backbones.config import STRIDES
from models.backbones.layers import GROUPS
from models.stdpose.network import StdPose

#: Input pixels per cell of a heat map.
STRIDE = STRIDES[0]

_WIDTH = 96  # channels of the head
_TARGET_SIGMA = 1.0  # cells
_LEAST_SEEN = 0.5  # of a target's mass must lie on the map
_PEAK_RADIUS = 2  # cells around the largest that count as the peak


class Detector(nn.Module):
    """Regresses one heat map per keypoint from an image, after Xiao et al., *Simple baselines* (ECCV 2018).

    Their deconvolutions stand on one coarse map; here the backbone's pyramid is brought to its finest level instead,
    and the loss is a cross-entropy over cells.

    Args:
        network: Where the backbone is copied from.
        num_keypoints: ``K``.
    """

    def __init__(self, network: StdPose, num_keypoints: int) -> None:
        super().__init__()
        channels = network.config.backbone.channels
        self.backbone = deepcopy(network.backbone).requires_grad_()
        self.head = nn.Sequential(
            nn.Conv2d(channels * len(STRIDES), _WIDTH, 3, 1, 1),
            nn.GroupNorm(GROUPS, _WIDTH),
            nn.ReLU(inplace=True),
            nn.Conv2d(_WIDTH, num_keypoints, 1),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Logits.

        Args:
            images: ``(N, 3, H, W)`` RGB in 0 to 255; ``H`` and ``W`` are multiples of 16.

        Returns:
            ``(N, K, H / 4, W / 4)`` float32.
        """
        fine, *coarser = (level.permute(0, 3, 1, 2) * level.shape[-1] ** 0.5 for level in self.backbone(images))
        size = fine.shape[-2:]
        enlarged = (F.interpolate(level, size=size, mode="bilinear", align_corners=False) for level in coarser)
        logits: Tensor = self.head(torch.cat([fine, *enlarged], dim=1))
        return logits.float()


def heatmap_loss(logits: Tensor, xy: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy between heat maps and Gaussians at the true places.

    Args:
        logits: ``(N, K, h, w)``.
        xy: ``(N, K, 2)`` pixels of the image. A place whose Gaussian lies mostly off the map teaches nothing.
        weight: ``(N, K)`` how much each point counts, 0 or more.
    """
    cells = (xy + 0.5) / STRIDE - 0.5
    height, width = logits.shape[-2:]
    columns, rows = (
        torch.exp(-((torch.arange(count, device=xy.device) - cells[..., axis, None]) / _TARGET_SIGMA).square() / 2)
        for axis, count in enumerate((width, height))
    )
    target = (rows[..., :, None] * columns[..., None, :]).flatten(2)
    mass = target.sum(dim=-1)
    weight = weight * (mass > _LEAST_SEEN * 2 * torch.pi * _TARGET_SIGMA**2)
    entropy = -(target * logits.flatten(2).log_softmax(dim=-1)).sum(dim=-1) / mass.clamp(min=1e-3)
    return (weight * entropy).sum() / weight.sum().clamp(min=1)


@dataclass(frozen=True, eq=False)
class HeatmapPeaks:
    """The peaks of one subject's heat maps on some frames.

    Attributes:
        frames: ``(F,)`` frame indices.
        xy: ``(F, K, 2)`` frame pixels: the mean over the largest cell and those around it.
        mass: ``(F, K)`` the probability of these cells together, 0 to 1.
    """

    frames: np.ndarray
    xy: np.ndarray
    mass: np.ndarray


def read(frames: np.ndarray, patches: tuple[Patch, ...], logits: Tensor, known: np.ndarray) -> HeatmapPeaks:
    """Find the peaks of heat maps.

    Args:
        frames: ``(F,)``.
        patches: ``F``.
        logits: ``(F, K, h, w)``.
        known: ``(F, K)`` the others' maps are taken to be even, their places and masses are 0.
    """
    count, points, _, width = logits.shape
    logits = logits * torch.from_numpy(known).to(logits.device)[..., None, None]
    probability = logits.flatten(2).softmax(dim=-1).view_as(logits)
    best = probability.flatten(2).argmax(dim=-1)
    reach = torch.arange(-_PEAK_RADIUS, _PEAK_RADIUS + 1, device=logits.device)
    rows = best[..., None] // width + reach + _PEAK_RADIUS  # (F, K, 5) of the padded maps
    columns = best[..., None] % width + reach + _PEAK_RADIUS
    padded = F.pad(probability, (_PEAK_RADIUS,) * 4)
    frame = torch.arange(count, device=logits.device)[:, None, None, None]
    keypoint = torch.arange(points, device=logits.device)[:, None, None]
    peak = padded[frame, keypoint, rows[..., :, None], columns[..., None, :]]  # (F, K, 5, 5)
    mass = peak.sum(dim=(-2, -1))
    x = (peak.sum(dim=-2) * (columns - _PEAK_RADIUS)).sum(dim=-1) / mass
    y = (peak.sum(dim=-1) * (rows - _PEAK_RADIUS)).sum(dim=-1) / mass
    cells = torch.stack([x, y], dim=-1).double().cpu().numpy()
    pixels = (cells + 0.5) * STRIDE - 0.5
    xy = np.stack([patch.to_frame(place) for patch, place in zip(patches, pixels, strict=True)])
    xy = np.where(known[..., None], xy, 0)
    return HeatmapPeaks(frames, xy, np.where(known, mass.cpu().numpy(), 0))
