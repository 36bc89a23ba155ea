"""Beginning with what another network learnt around its backbone.

What is around the backbone sees how alike descriptors are, not the descriptors, so it is of use with another backbone
at once: the head of ``tiny``, put on the backbone of ``lite`` without any training of its own, refined rendered clips
7 % better than on the backbone that it was trained with.
"""

from __future__ import annotations

import torch
from torch import Tensor

from models.errors import CheckpointError
from models.stdpose.candidates import sources
from models.stdpose.network import StdPose

_SOURCE = "verifier.source"
_BACKBONE = "backbone."
#: Whose row a source begins with that the other network does not know.
_LIKE = {"from_path": "from_linear"}


@torch.no_grad()
def inherit(network: StdPose, other: StdPose) -> None:
    """Copy all but the backbone from another network of the same width, in place.

    A network that is shown matches takes the rest from one that is not: what it would do with matches begins at zero.

    Args:
        network: What is begun.
        other: Of the same sizes around the backbone; it may know fewer sources.

    Raises:
        CheckpointError: It is of another size.
    """
    ours, theirs = network.state_dict(), other.state_dict()
    for name, weight in ours.items():
        if name.startswith(_BACKBONE):
            continue
        given = theirs.get(name)
        if (
            given is None
            or given.dim() != weight.dim()
            or any(theirs_long > long for theirs_long, long in zip(given.shape, weight.shape, strict=True))
        ):
            raise CheckpointError(f"its network is of another size: {name} does not fit")
        if name == _SOURCE:
            _copy_sources(weight, given, sources(network.config.matches), sources(other.config.matches))
        else:
            weight.zero_()
            weight[tuple(slice(0, long) for long in given.shape)].copy_(given)


def _copy_sources(rows: Tensor, given: Tensor, ours: tuple[str, ...], theirs: tuple[str, ...]) -> None:
    for row, name in enumerate(ours):
        like = name if name in theirs else _LIKE.get(name)
        if like is not None:
            rows[row].copy_(given[theirs.index(like)])
