"""Rendered clips aside, and how a network does on them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from models.compute.devices import Compute
from models.pretraining.clip_inputs import first_guesses, hints_of, look
from models.pretraining.clips import Clip, clips
from models.stdpose.candidates import collect, sources
from models.stdpose.network import StdPose
from models.stdpose.windows import WindowBatch, stack

_SEED = 0x7E57


def validation_clips(count: int) -> list[Clip]:
    """Rendered clips that no training sees, the same every time: two labelled frames 20 frames apart."""
    found: list[Clip] = []
    number = 0
    while len(found) < count:
        found += clips(_SEED, number, 1, plain=True)
        number += 1
    return found


@torch.inference_mode()
def validate(network: StdPose, held_out: Sequence[Clip], compute: Compute) -> dict[str, float]:
    """Mean errors on clips, in shares of the subject's size: of each candidate, and of the verifier's choice."""
    rows, device = [], compute.device
    for clip in held_out:
        batch = stack([clip.window] * 2, np.arange(len(clip.images))).to(device)
        with compute.autocast():
            looks = look(network, clip)
            candidates = collect(network, looks, batch, first_guesses(clip, device), hints_of(clip, 2, device))
            estimate, _ = network.judge(looks.maps, batch.first(), candidates)
        places = torch.cat([candidates.xy[0, :-1], estimate.xy])
        rows.append([error_of(place[None], clip, batch) for place in places])
    return dict(zip((*sources(network.config.matches)[:-1], "judged"), np.mean(rows, axis=0).tolist(), strict=True))


def error_of(guess: Tensor, clip: Clip, batch: WindowBatch) -> float:
    """Mean distance of ``(B, T, K, 2)`` guesses from the truth in shares of the subject's size, where there is any."""
    counted = (batch.valid & ~batch.anchored)[: len(guess)].cpu() & torch.from_numpy(clip.visibility > 0)
    distance = (guess.cpu() - torch.from_numpy(clip.xy)).norm(dim=-1)
    return float(distance[counted].mean() / clip.size) if bool(counted.any()) else 0.0
