"""Losses of estimators."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from models.estimators.estimator import HEATMAP_STRIDE, TOKEN_STRIDE, PoseOutput
from models.estimators.targets import body_tokens, gaussians

#: Weights of the losses beside that of the centre frame's heat maps; the papers' are not known.
INITIAL, HUMAN, KEYPOINT, IMPORTANCE = 0.5, 0.1, 0.1, 0.1

_TOKEN_SIGMA = 0.7  # of a keypoint's Gaussian among tokens, in tokens


@dataclass(frozen=True, eq=False)
class Truth:
    """Ground truth of clips: points that are placed, that are absent, and of which nothing is known.

    Attributes:
        xy: ``(B, T, K, 2)`` input pixels.
        weight: ``(B, T, K)`` how much each point counts: 1 for what a person labelled, the probability of being right
            for a pseudo-label, 0 where nothing is known.
        absent: ``(B, T, K)`` bool, points that are not there wherever one looks: what shows them is empty. None where
            no point is.
    """

    xy: Tensor
    weight: Tensor
    absent: Tensor | None = None

    @property
    def there(self) -> Tensor:
        """``(B, T, K)`` 1 where a point may be, 0 where it is absent."""
        if self.absent is None:
            return torch.ones_like(self.weight)
        return (~self.absent).to(self.weight.dtype)


def losses(output: PoseOutput, truth: Truth, edges: Tensor) -> dict[str, Tensor]:
    """The losses of an output by name, each with its weight in it; their sum is what to minimise.

    Args:
        output: Of an estimator.
        truth: Of the same clips.
        edges: ``(E, 2)`` limbs of the skeleton, for the mask of the subject.
    """
    centre = truth.xy.shape[1] // 2
    xy, weight, there = truth.xy[:, centre], truth.weight[:, centre], truth.there[:, centre]
    cells = (output.heatmaps.shape[-2], output.heatmaps.shape[-1])
    grid = (cells[0] * HEATMAP_STRIDE // TOKEN_STRIDE, cells[1] * HEATMAP_STRIDE // TOKEN_STRIDE)
    found = {"heatmaps": heatmap_loss(output.heatmaps, xy, weight, there), **output.auxiliary}
    if output.initial is not None:
        found["initial"] = INITIAL * heatmap_loss(output.initial, truth.xy, truth.weight, truth.there)
    if output.human is not None:
        found["human"] = HUMAN * _human_loss(output.human, truth, edges, grid)
    if output.keypoint is not None:
        found["keypoint"] = KEYPOINT * _keypoint_loss(output.keypoint, xy, weight, there, grid)
    if output.importance is not None:
        found["importance"] = IMPORTANCE * _importance_loss(output.importance, truth, grid)
    return found


def heatmap_loss(heatmaps: Tensor, xy: Tensor, weight: Tensor, there: Tensor | None = None) -> Tensor:
    """Mean squared difference from Gaussians at the true places, summed over the cells of a map.

    Args:
        heatmaps: ``(..., K, h, w)``.
        xy: ``(..., K, 2)`` input pixels.
        weight: ``(..., K)`` how much each counts.
        there: ``(..., K)`` 1 where a point may be, 0 where it is absent and its map should be empty.
    """
    target = gaussians(xy, (heatmaps.shape[-2], heatmaps.shape[-1]))
    if there is not None:
        target = target * there[..., None, None]
    wrong = (heatmaps - target).square().sum(dim=(-2, -1))
    return (wrong * weight).sum() / weight.sum().clamp(min=1)


def _human_loss(logits: Tensor, truth: Truth, edges: Tensor, grid: tuple[int, int]) -> Tensor:
    """Cross-entropy of the subject's mask ``(B, T, N)``, on frames where anything is known."""
    known = truth.weight > 0
    target = body_tokens(truth.xy, known & (truth.there > 0), edges, grid)
    wrong = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none").mean(dim=-1)
    # A pose that is known in part shows only part of the subject.
    share = known.float().mean(dim=-1)
    return (wrong * share).sum() / share.sum().clamp(min=1)


def _keypoint_loss(logits: Tensor, xy: Tensor, weight: Tensor, there: Tensor, grid: tuple[int, int]) -> Tensor:
    """Cross-entropy of the keypoints' masks ``(B, N, K)``."""
    target = (_at_tokens(xy, grid) * there[..., None]).transpose(-2, -1)
    wrong = F.binary_cross_entropy_with_logits(logits.float(), target, reduction="none").mean(dim=1)
    return (wrong * weight).sum() / weight.sum().clamp(min=1)


def _importance_loss(importance: Tensor, truth: Truth, grid: tuple[int, int]) -> Tensor:
    """Divergence of tokens' importance ``(B, T * N)`` from where keypoints are, on frames where any is known."""
    target = (_at_tokens(truth.xy, grid) * (truth.weight * truth.there)[..., None]).amax(dim=2)  # (B, T, N)
    seen = (target.sum(dim=-1, keepdim=True) > 0).to(target.dtype)
    guess = importance.unflatten(1, target.shape[1:]) * seen
    target, guess = (share.flatten(1) for share in (target, guess))
    target = target / target.sum(dim=-1, keepdim=True).clamp(min=1e-6)
    guess = guess / guess.sum(dim=-1, keepdim=True).clamp(min=1e-6)
    # Not log(0) where a token has no weight: there the divergence is 0 by definition.
    divergence = target * (target.clamp(min=1e-6).log() - guess.clamp(min=1e-6).log())
    return divergence.sum(dim=-1).mean()


def _at_tokens(xy: Tensor, grid: tuple[int, int]) -> Tensor:
    return gaussians(xy, grid, sigma=_TOKEN_SIGMA, stride=TOKEN_STRIDE).flatten(-2)
