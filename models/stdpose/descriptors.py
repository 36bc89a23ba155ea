"""Describing crops of a video by a network, each once."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np
import torch

from models.backbones.config import STRIDES, pad
from models.engines.stored_arrays import size
from models.stdpose.candidates import FrameDescriptors

if TYPE_CHECKING:
    from models.compute.devices import Compute
    from models.engines.crop_cache import CropCache
    from models.stdpose.network import StdPose

#: Frames described together, where memory is not short.
FRAMES_AT_ONCE = 16


def described_together(compute: Compute, most: int) -> int:
    """The number of frames that are described together, where memory has room for so many.

    On a processor four are as fast as more. Where they cannot be shared out evenly among the threads, the last bits
    depend on which frame stands where.
    """
    if compute.device.type != "cpu":
        return most
    threads = torch.get_num_threads()
    return min(most, 4 if threads & (threads - 1) == 0 else 1)


class DescriptorExtractor:
    """Describes frames, and their mirror images.

    Args:
        network: Describes.
        compute: Where it is, and in which precision it computes; descriptions are kept in that.
        name: Tells networks apart in a memory that is shared.
        mirrored: Whether mirror images are described too.
        frames_at_once: Frames described together at most.

    The last bits of a description depend on how many frames are described together, so that there is one number of
    them: which other frames were known must not tell.
    """

    def __init__(
        self, network: StdPose, compute: Compute, name: str, *, mirrored: bool, frames_at_once: int = FRAMES_AT_ONCE
    ) -> None:
        self._network = network
        self._compute = compute
        self._name = name
        self._mirrored = mirrored
        self._at_once = described_together(compute, frames_at_once)

    def extract(self, crops: CropCache, frames: np.ndarray) -> FrameDescriptors:
        """Descriptions of the colour crops of some frames, from memory where they were described before."""
        wanted = frames.tolist()
        known = {frame: crops.memory.get(self._place(crops, frame)) for frame in wanted}
        missing = [frame for frame in wanted if known[frame] is None]
        images = crops.colors(missing)
        for begin in range(0, len(missing), self._at_once):
            crops.step()
            batch = missing[begin : begin + self._at_once]
            for frame, levels in zip(batch, self._describe(np.stack([images[frame] for frame in batch])), strict=True):
                known[frame] = levels
                crops.memory.put(self._place(crops, frame), levels, size(levels))
        device = self._compute.device
        maps = tuple(
            torch.stack([level.to(device) for level in levels])
            for levels in zip(*(known[frame] for frame in wanted), strict=True)
        )
        count = len(maps) // 2 if self._mirrored else len(maps)
        return FrameDescriptors(maps[:count], maps[count:] if self._mirrored else None, maps[0].shape[2] * STRIDES[0])

    def _describe(self, images: np.ndarray) -> list[list[torch.Tensor]]:
        compute, count = self._compute, len(images)
        images = np.concatenate([images, np.repeat(images[-1:], self._at_once - count, axis=0)])
        pixels = torch.from_numpy(pad(images)).to(compute.device).permute(0, 3, 1, 2).float()
        views = [pixels, pixels.flip(-1)] if self._mirrored else [pixels]
        with torch.inference_mode(), compute.autocast():
            levels = [level.to(compute.dtype) for view in views for level in self._network.describe(view)]
        return [[level[row].clone() for level in levels] for row in range(count)]

    def _place(self, crops: CropCache, frame: int) -> Hashable:
        return crops.place("levels", crops.color, frame, self._name, self._mirrored, self._at_once)
