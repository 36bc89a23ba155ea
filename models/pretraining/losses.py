"""Losses of STDPose."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from models.backbones.config import STRIDES
from models.engines.confidence import SHAPE
from models.stdpose.network import Estimate
from models.stdpose.verifier import Candidates
from models.stdpose.windows import WindowBatch

_SHARPNESS = 20.0  # of the contrastive softmax over the cells of a map
#: Pixels from which errors count by their logarithm: a refinement that cannot find a point is not to learn from it,
REFINER_KNEE = 12.0
#: a verifier is to keep out of its way, as far as the mean error that it is measured by does.
VERIFIER_KNEE = 80.0
_SOFTENING = 0.5  # pixels below which errors are noise
_FADING = 0.8  # weight of a round relative to the next
_SCALE_WEIGHT = 0.15


def contrastive(maps: tuple[Tensor, ...], templates: Sequence[Tensor], xy: Tensor, seen: Tensor) -> Tensor:
    """Cross-entropy of finding each keypoint on every frame by what its labelled frames show.

    A place between cells is to be found in all four around it, by its distance from each.

    Args:
        maps: ``(T, h, w, C)`` per level.
        templates: ``(1, K, 2, P, C)`` per level, see ``StdPose.templates``.
        xy: ``(T, K, 2)`` true places in input pixels.
        seen: ``(T, K)`` whether the point shows.
    """
    total = xy.new_zeros(())
    for level, template, stride in zip(maps, templates, STRIDES, strict=True):
        height, width = level.shape[1:3]
        cells, share, inside = _cells(xy, stride, height, width)
        frame, point = torch.nonzero(inside & seen, as_tuple=True)
        query = template[0, :, :, template.shape[-2] // 2]  # (K, 2, C)
        logits = _SHARPNESS * query.flatten(0, 1) @ level.flatten(1, 2).transpose(1, 2)  # (T, K * 2, hw)
        likely = F.log_softmax(logits.view(len(level), *query.shape[:2], -1)[frame, point].float(), dim=-1)
        target = cells[frame, point, None].expand(-1, likely.shape[1], -1)
        loss = -(likely.gather(-1, target) * share[frame, point, None]).sum()
        total = total + loss / max(1, len(frame) * likely.shape[1])
    return total / len(maps)


def _cells(xy: Tensor, stride: int, height: int, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """The four cells around each place ``(..., 4)``, its share of each, and whether it lies on the map."""
    place = (xy + 0.5) / stride - 0.5
    corner = place.floor()
    far = place - corner
    steps = torch.tensor([[0, 0], [1, 0], [0, 1], [1, 1]], device=xy.device)
    share = (1 - steps + (2 * steps - 1) * far[..., None, :]).prod(dim=-1)
    cell = corner[..., None, :].long() + steps
    index = cell[..., 1].clamp(0, height - 1) * width + cell[..., 0].clamp(0, width - 1)
    limit = torch.tensor([width, height], device=xy.device) - 0.5
    return index, share, ((place >= -0.5) & (place < limit)).all(dim=-1)


def refinement(
    estimates: Sequence[Estimate], window: WindowBatch, xy: Tensor, weight: Tensor, knee: float = REFINER_KNEE
) -> Tensor:
    """Robust distance of every round from the truth, and how well its error bar foretells that distance.

    Distances are compressed by a logarithm. The error bar is the median of a log-logistic distribution (see
    ``models.engines.confidence``), fitted by likelihood.

    Args:
        estimates: Of all rounds.
        window: Labelled frames and those outside a keypoint's labels do not count.
        xy: ``(B, T, K, 2)`` true places in input pixels.
        weight: ``(B, T, K)``.
        knee: Pixels from which distances are compressed.
    """
    weight = weight * (window.valid & ~window.anchored)
    total = xy.new_zeros(())
    for number, estimate in enumerate(reversed(estimates)):
        distance = torch.sqrt((estimate.xy - xy).square().sum(dim=-1) + _SOFTENING**2)
        z = SHAPE * (distance.detach().log() - estimate.log_scale)
        unlikely = 2 * F.softplus(z) - z
        per_point = knee / 4 * torch.log1p(distance / knee) + _SCALE_WEIGHT * unlikely
        total = total + _FADING**number * (per_point * weight).sum()
    return total / weight.sum().clamp(min=1)


def choice(weight: Tensor, candidates: Candidates, window: WindowBatch, xy: Tensor, visible: Tensor) -> Tensor:
    """Expected distance of a candidate drawn by its weight: what makes a verifier choose, not average.

    Args:
        weight: ``(B, C, T, K)``.
        candidates: What was weighed.
        window: As in :func:`refinement`.
        xy: ``(B, T, K, 2)`` true places in input pixels.
        visible: ``(B, T, K)`` how much each point counts.
    """
    counted = visible * (window.valid & ~window.anchored)
    distance = (candidates.xy - xy[:, None]).norm(dim=-1)
    expected = (weight * VERIFIER_KNEE / 4 * torch.log1p(distance / VERIFIER_KNEE)).sum(dim=1)
    return (expected * counted).sum() / counted.sum().clamp(min=1)
