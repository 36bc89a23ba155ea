"""Making one result of several candidates by hand, beside which the verifier is measured."""

from __future__ import annotations

import torch
from torch import Tensor

from models.candidates import CLAIM_UNIT, SOURCES
from models.stdpose import UNIT, Estimate
from models.verifier import Candidates

_FLOOR = 0.005 * UNIT  # pixels: no candidate is surer
_SURENESS = 2.0  # exponent of an error bar in its candidate's weight
_WIDTH = 0.6  # of a candidate's kernel relative to the smallest error bar
_ROUNDS = 4
_DISAGREEMENT = 0.5  # share of the spread of candidates that is added to the error bar
_REFINED = SOURCES.index("from_linear")


def consensus(candidates: Candidates, bar: Tensor) -> Estimate:
    """Weigh flow and the refinements by how sure they are and by how many others agree.

    The result is a weighted mean, repeated with weights that fall with the distance from the mean so far, so that a
    candidate far from the others has no say unless it is much surer than they (a robust M-estimate of location; the
    weights are ours).

    Args:
        candidates: See ``models.candidates.SOURCES``; what flow is made of has no say of its own.
        bar: ``(T, K)`` error bar of flow in pixels.
    """
    scale = torch.exp(candidates.claim / CLAIM_UNIT)
    scale[:, _REFINED - 1] = bar / 2
    scale = scale.clamp(min=_FLOOR)
    scale[:, : _REFINED - 1] = torch.inf
    scale = torch.where(candidates.present, scale, torch.inf)
    sure = scale**-_SURENESS
    best = sure.argmax(dim=1, keepdim=True)[..., None].expand(-1, -1, -1, -1, 2)
    xy = candidates.xy.gather(1, best)
    weight = sure
    for _ in range(_ROUNDS):
        distance = (candidates.xy - xy).norm(dim=-1)
        weight = sure / (1 + (distance / (_WIDTH * (scale.amin(dim=1, keepdim=True) + 0.02 * UNIT))) ** 2)
        weight = weight / weight.sum(dim=1, keepdim=True)
        xy = (weight[..., None] * candidates.xy).sum(dim=1, keepdim=True)
    spread = (weight * (candidates.xy - xy).square().sum(dim=-1)).sum(dim=1).sqrt()
    finite = torch.where(candidates.present & scale.isfinite(), scale, 1.0)
    mean = torch.exp((weight * finite.log()).sum(dim=1))
    return Estimate(xy[:, 0], torch.log(mean + _DISAGREEMENT * spread))
