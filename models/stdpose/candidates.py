"""Everything that the verifier chooses from, of one window."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.engines.flow import PARTS
from models.stdpose.matching import Matches
from models.stdpose.network import Hints, StdPose
from models.stdpose.verifier import Candidates
from models.stdpose.windows import WindowBatch

#: Where candidates come from, in the order in which the verifier knows them, of networks that are shown no matches.
SOURCES = (*PARTS, "flow", "from_linear", "from_flow", "from_linear_mirrored", "from_flow_mirrored", "detector")


def sources(matches: int) -> tuple[str, ...]:
    """Where candidates come from, in the order in which the verifier of a network knows them.

    Args:
        matches: See ``StdPoseConfig.matches``.
    """
    if not matches:
        return SOURCES
    found = ("path", *(f"match_{number}" for number in range(1, matches + 1)))
    return (*PARTS, "flow", "from_linear", "from_flow", "from_path", *found, "detector")


#: Factor by which the refinements' log pixels are shown to the verifier.
CLAIM_UNIT = 0.25


@dataclass(frozen=True, eq=False)
class FrameDescriptors:
    """Descriptors of the frames of a window, and of their mirror images.

    Attributes:
        maps: See ``StdPose.describe``.
        mirrored: The same of the mirrored frames, or None to go without.
        width: Of the frames in pixels.
    """

    maps: tuple[Tensor, ...]
    mirrored: tuple[Tensor, ...] | None
    width: int


def collect(network: StdPose, looks: FrameDescriptors, window: WindowBatch, starts: Tensor, hints: Hints) -> Candidates:
    """Refine first guesses, also in the mirror, and put all places side by side.

    Args:
        network: Refines.
        looks: Of the frames.
        window: Of two equal windows.
        starts: ``(2, T, K, 2)`` linear interpolation, and what the engine ``flow`` says.
        hints: Of both.

    Returns:
        Of one window, see ``sources``.
    """
    matches = network.find_matches(looks.maps, window.first())
    if matches is not None:
        return _collect_matched(network, looks, window.first(), starts, hints, matches)
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
    nothing = torch.zeros_like(claims[0][:1])
    xy = torch.cat([hints.xy[0], starts[1:], *places, starts[1:]])
    claim = torch.cat([hints.trust[0], nothing, *claims, nothing])
    present = torch.ones_like(claim, dtype=torch.bool)
    present[1 : len(PARTS)] = hints.trust[0, 1:] > -1
    present[-3:-1] = looks.mirrored is not None
    present[-1] = False
    return Candidates(_clamped(xy[None], window.first()), claim[None], present[None])


def _collect_matched(
    network: StdPose, looks: FrameDescriptors, window: WindowBatch, starts: Tensor, hints: Hints, matches: Matches
) -> Candidates:
    starts = torch.cat([starts, matches.path])
    count = len(starts)
    every = Hints(*(value[:1].expand(count, *value.shape[1:]) for value in (hints.xy, hints.trust)))
    refined = network(looks.maps, window.repeated(count), starts, every, matches=matches)[-1]
    heights = torch.cat([matches.height[0, :1], matches.height[0]])
    nothing = torch.zeros_like(heights[:1])
    xy = torch.cat([hints.xy[0], starts[1:2], refined.xy, matches.path, matches.xy[0], starts[1:2]])
    claim = torch.cat([hints.trust[0], nothing, CLAIM_UNIT * refined.log_scale, heights, nothing])
    present = torch.ones_like(claim, dtype=torch.bool)
    present[1 : len(PARTS)] = hints.trust[0, 1:] > -1
    present[-1] = False
    return Candidates(_clamped(xy[None], window), claim[None], present[None])


def with_detector(candidates: Candidates, window: WindowBatch, xy: Tensor, mass: Tensor) -> Candidates:
    """The same, and what a detector found.

    Args:
        candidates: Of one window.
        window: That one.
        xy: ``(T, K, 2)`` input pixels.
        mass: ``(T, K)`` how sure the detector is, 0 to 1; 0 where it found nothing.
    """
    places, claim, present = (value.clone() for value in (candidates.xy, candidates.claim, candidates.present))
    places[0, -1], claim[0, -1], present[0, -1] = xy, mass, mass > 0
    return Candidates(_clamped(places, window), claim, present)


def _clamped(xy: Tensor, window: WindowBatch) -> Tensor:
    """Places ``(1, C, T, K, 2)``, with labelled points where their labels are."""
    before, after = window.anchor_xy[:, None].unbind(-2)
    labels = torch.where(window.elapsed[..., None] < 0.5, before, after)
    return torch.where(window.anchored[:, None, ..., None], labels[:, None], xy)


def mirror(xy: Tensor, width: int) -> Tensor:
    """Pixels ``(..., 2)`` of a picture of this width as they are in its mirror image."""
    x, y = xy.unbind(-1)
    return torch.stack([width - 1 - x, y], dim=-1)
