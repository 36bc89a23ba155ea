"""Training clips as the network takes them."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from models.pretraining.clips import Clip
from models.stdpose.candidates import FrameDescriptors
from models.stdpose.network import Hints, StdPose

_CPU = torch.device("cpu")


def as_input(images: np.ndarray, device: torch.device = _CPU) -> Tensor:
    """``(T, H, W, 3)`` uint8 images as the network's ``(T, 3, H, W)`` float32."""
    return torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float()


def first_guesses(clip: Clip, device: torch.device = _CPU) -> Tensor:
    """``(2, T, K, 2)`` linear interpolation and flow."""
    return torch.from_numpy(np.stack([clip.window.interpolate(), clip.flow])).float().to(device)


def look(network: StdPose, clip: Clip, *, mirrored: bool = True) -> FrameDescriptors:
    """Describe the clip's frames, where the network is."""
    images = as_input(clip.images, next(network.parameters()).device)
    turned = network.describe(images.flip(-1)) if mirrored and not network.config.matches else None
    return FrameDescriptors(network.describe(images), turned, images.shape[-1])


def hints_of(clip: Clip, count: int, device: torch.device = _CPU, *, shown: bool = True) -> Hints:
    """The clip's hints ``count`` times as a batch; where not ``shown``, linear interpolation in place of all."""
    xy, trust = (torch.from_numpy(values).float() for values in (clip.hints, clip.trust))
    if not shown:
        xy, trust = xy[:1].expand_as(xy), torch.where(torch.arange(len(trust))[:, None, None] > 0, -1.0, trust)
    xy, trust = xy.to(device), trust.to(device)
    return Hints(xy.expand(count, *xy.shape), trust.expand(count, *trust.shape))
