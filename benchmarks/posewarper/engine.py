"""The engine ``posewarper``: the learned baseline of the benchmark, not offered to users."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.posewarper.network import PoseWarper, decode, load
from models.backbones.config import pad
from models.compute.devices import Compute, choose
from models.engines.confidence import radius_of
from models.engines.gap import Gap, crop_of, gaps
from models.weights import digest
from pose.crops import Crop
from pose.frames import FrameSource
from pose.segments import Segment
from pose.track import Track, join

#: Subjects are scaled to this box diagonal in pixels: the lower end of the training clips' sizes, for speed.
SUBJECT_SIZE = 100.0

_MARGIN = 0.3
_LONGEST_SIDE = 176
_FRAMES_AT_ONCE = 4
_KEYPOINTS_AT_ONCE = 16
_LEAST_SCORE, _MOST_SCORE = 0.02, 0.98


class PoseWarperEngine:
    """Warps each keypoint's nearest label in time to every frame, as PoseWarper propagates poses.

    The score is the height of the warped heat map, as in the paper, and the error bar is the one that this score stands
    for; neither was fitted to errors. Of two labels equally near the earlier one is taken. A keypoint whose warped heat
    map is empty stays where it was labelled.

    Args:
        network: Ready for inference.
        version: See ``Engine``.
        compute: Where it computes, and in which precision.
    """

    name = "posewarper"

    def __init__(self, network: PoseWarper, version: str = "1", compute: Compute | None = None) -> None:
        self.version = version
        self._compute = compute or choose(str(next(network.parameters()).device))
        self._device = self._compute.device
        self._network = network.to(self._device).eval()

    @classmethod
    def from_checkpoint(cls, path: Path) -> PoseWarperEngine:
        """The engine with the network of a checkpoint, see ``benchmarks.posewarper.network.load``."""
        return cls(load(path), f"1-{digest(path)[:12]}")

    def propagate(self, video: FrameSource, keyframes: Track, segment: Segment) -> Track:
        """See ``Engine.propagate``."""
        return join([self._fill(video, gap, keyframes) for gap in gaps(keyframes, segment, video.width, video.height)])

    def _fill(self, video: FrameSource, gap: Gap, keyframes: Track) -> Track:
        before_nearer = gap.steps_before <= gap.steps_after
        xy = np.where(before_nearer[..., None], gap.begin, gap.end)
        score = np.full(before_nearer.shape, _LEAST_SCORE)
        wanted = gap.known & (gap.steps > 0)
        for label, places, side in (
            (gap.before, gap.begin, wanted & before_nearer),
            (gap.after, gap.end, wanted & ~before_nearer),
        ):
            for frame in np.unique(label[side.any(axis=0)]):
                own = side & (label == frame)
                rows, keypoints = np.flatnonzero(own.any(axis=1)), np.flatnonzero(own.any(axis=0))
                span = np.arange(rows[0], rows[-1] + 1)
                found, height = self._carry(video, _crop(video, gap), int(frame), places[keypoints], gap.frames[span])
                here = np.ix_(span, keypoints)
                sure = own[here] & (height > _LEAST_SCORE)
                xy[here] = np.where(sure[..., None], found, xy[here])
                score[here] = np.where(sure, np.minimum(height, _MOST_SCORE), score[here])
        return gap.poses(xy, score, radius_of(score, gap.size), keyframes)

    def _carry(
        self, video: FrameSource, crop: Crop, label: int, places: np.ndarray, frames: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Where labels ``(K, 2)`` of one frame are on other frames ``(F, K, 2)``, and heights of their heat maps."""
        known = self._describe(crop, video.frames(label, label + 1))
        xy = torch.from_numpy(crop.to_crop(places)).float().to(self._device)
        source = video.frames(int(frames[0]), int(frames[-1]) + 1)
        parts = []
        for _ in range(0, len(frames), _FRAMES_AT_ONCE):
            maps = self._describe(crop, islice(source, _FRAMES_AT_ONCE))
            batch = len(maps[0])
            labelled = tuple(level.expand(batch, -1, -1, -1) for level in known)
            with torch.inference_mode(), self._compute.autocast():
                warped = [
                    self._network(labelled, maps, group.expand(batch, -1, -1))
                    for group in torch.split(xy, _KEYPOINTS_AT_ONCE)
                ]
            parts.append(decode(torch.cat(warped, dim=1), self._network.config.sigma))
        found, height = (torch.cat(part).double().cpu().numpy() for part in zip(*parts, strict=True))
        return crop.to_frame(found), height

    def _describe(self, crop: Crop, frames: Iterator[np.ndarray]) -> tuple[Tensor, ...]:
        images = torch.from_numpy(pad(np.stack([crop.cut(frame) for frame in frames]))).to(self._device)
        with torch.inference_mode(), self._compute.autocast():
            return self._network.describe(images.permute(0, 3, 1, 2).float())


def _crop(video: FrameSource, gap: Gap) -> Crop:
    return crop_of(gap, video.width, video.height, scaled_size=SUBJECT_SIZE, longest=_LONGEST_SIDE, margin=_MARGIN)
