"""Everything that the verifier chooses from, of one window."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.engines.flow import PARTS
from models.stdpose import Hints, StdPose
from models.verifier import Candidates
from models.windows import WindowBatch

#: Where candidates come from, in the order in which the verifier knows them.
SOURCES = (*PARTS, "flow", "from_linear", "from_flow", "from_linear_mirrored", "from_flow_mirrored")

#: Factor by which the refinements' log pixels are shown to the verifier.
CLAIM_UNIT = 0.25


@dataclass(frozen=True, eq=False)
class Looks:
    """What the frames of a window look like, and in a mirror.

    Attributes:
        maps: See ``StdPose.describe``.
        mirrored: The same of the mirrored frames, or None to go without.
        width: Of the frames in pixels.
    """

    maps: tuple[Tensor, ...]
    mirrored: tuple[Tensor, ...] | None
    width: int


def collect(network: StdPose, looks: Looks, window: WindowBatch, starts: Tensor, hints: Hints) -> Candidates:
    """Refine first guesses, also in the mirror, and put all places side by side.

    Args:
        network: Refines.
        looks: Of the frames.
        window: Of two equal windows.
        starts: ``(2, T, K, 2)`` linear interpolation, and what the engine ``flow`` says.
        hints: Of both.

    Returns:
        Of one window, see ``SOURCES``.
    """
    straight = network(looks.maps, window, starts, hints)[-1]
    places, claims = [straight.xy], [CLAIM_UNIT * straight.log_scale]
    if looks.mirrored is not None:
        turned = network(
            looks.mirrored,
            window.mirrored(looks.width),
            mirror(starts, looks.width),
            Hints(mirror(hints.xy, looks.width), hints.trust),
        )[-1]
        places.append(mirror(turned.xy, looks.width))
        claims.append(CLAIM_UNIT * turned.log_scale)
    else:
        places.append(starts)
        claims.append(torch.zeros_like(claims[0]))
    xy = torch.cat([hints.xy[0], starts[1:], *places])
    claim = torch.cat([hints.trust[0], torch.zeros_like(claims[0][:1]), *claims])
    present = torch.ones_like(claim, dtype=torch.bool)
    present[1 : len(PARTS)] = hints.trust[0, 1:] > -1
    present[-2:] = looks.mirrored is not None
    before, after = window.anchor_xy[:1, None].unbind(-2)
    labels = torch.where(window.elapsed[:1, ..., None] < 0.5, before, after)
    xy = torch.where(window.anchored[:1, ..., None], labels, xy)
    return Candidates(xy[None], claim[None], present[None])


def mirror(xy: Tensor, width: int) -> Tensor:
    """Pixels ``(..., 2)`` of a picture of this width as they are in its mirror image."""
    x, y = xy.unbind(-1)
    return torch.stack([width - 1 - x, y], dim=-1)
