"""Making one result of several candidates by hand, beside which the verifier is measured."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from models.stdpose.candidates import CLAIM_UNIT
from models.stdpose.network import UNIT, Estimate
from models.stdpose.verifier import Candidates

_FLOOR = 0.005 * UNIT  # pixels: no candidate is surer
_SURENESS = 2.0  # exponent of an error bar in its candidate's weight
_WIDTH = 0.6  # of a candidate's kernel relative to the smallest error bar
_ROUNDS = 4
_DISAGREEMENT = 0.5  # share of the spread of candidates that is added to the error bar


def consensus(candidates: Candidates, bar: Tensor, sources: Sequence[str]) -> Estimate:
    """Weigh flow and the refinements by how sure they are and by how many others agree.

    The result is a weighted mean, repeated with weights that fall with the distance from the mean so far, so that a
    candidate far from the others has no say unless it is much surer than they (a robust M-estimate of location; the
    weights are ours).

    Args:
        candidates: What flow is made of has no say of its own, nor has what only looks alike.
        bar: ``(T, K)`` error bar of flow in pixels.
        sources: Of the candidates, see ``models.stdpose.candidates.sources``.
    """
    scale = torch.exp(candidates.claim / CLAIM_UNIT)
    scale[:, list(sources).index("flow")] = bar / 2
    scale = scale.clamp(min=_FLOOR)
    heard = [source in ("flow", "detector") or source.startswith("from_") for source in sources]
    scale[:, ~torch.tensor(heard)] = torch.inf
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
