"""Learning rates: of each layer, and through a training."""

from __future__ import annotations

import math
import re

import torch
from torch import nn

from models.estimators.estimator import Estimator

_LAYER = re.compile(r"(?:layer|layers|stages)\.(\d+)\.")
_LEAST = 0.02  # of the peak rate, at the end


def optimizer_of(
    network: Estimator, *, rate: float, backbone_rate: float, layer_decay: float, weight_decay: float
) -> torch.optim.AdamW:
    """AdamW with a rate of its own for each layer of the backbone that was trained before.

    The deeper below its top, the lower the rate, as BEiT and ViTPose are fine-tuned. What stands around it is new, like
    the rest of the network. Norms, biases and embeddings do not decay.

    Args:
        network: What learns.
        rate: Peak of what is new.
        backbone_rate: That of the top layer of what was trained before, relative to ``rate``.
        layer_decay: Rate of a layer relative to the one above it.
        weight_decay: Of matrices and kernels.
    """
    groups: dict[tuple[float, bool], list[nn.Parameter]] = {}
    known = {id(parameter): name for name, parameter in network.pretrained.named_parameters()}
    numbers = (_LAYER.search(name) for name in known.values())
    layers = 1 + max((int(number[1]) for number in numbers if number), default=0)
    for parameter in network.parameters():
        share = 1.0
        if id(parameter) in known:
            share = backbone_rate * layer_decay ** _below_top(known[id(parameter)], layers)
        groups.setdefault((share, parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "lr": rate * share, "peak": rate * share, "weight_decay": weight_decay * decays}
            for (share, decays), parameters in groups.items()
        ],
        betas=(0.9, 0.99),
    )


def set_rates(optimizer: torch.optim.Optimizer, progress: float, warm: float) -> None:
    """Set the rates for a share of the training that is done: up in a line until ``warm``, then down a cosine."""
    if progress < warm:
        share = (progress + 1e-3) / (warm + 1e-3)
    else:
        share = _LEAST + (1 - _LEAST) * 0.5 * (1 + math.cos(math.pi * min(1.0, (progress - warm) / (1 - warm))))
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * share


def _below_top(name: str, layers: int) -> int:
    """The number of layers of the backbone above a parameter's; outside of them a parameter is on top or below."""
    found = _LAYER.search(name)
    if found:
        return layers - 1 - int(found[1])
    return layers if "stem" in name or "embeddings" in name else 0
