"""The engine ``stdpose``: STDPose refines linear interpolation and optical flow, and all of them are fused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from models import checkpoints
from models.backbones import pad
from models.crops import Crop, crop_around
from models.engines import linear
from models.engines.confidence import HIDDEN_FACTOR, score_of
from models.engines.engine import FrameSource
from models.engines.flow import HORIZON, Flow
from models.engines.fusion import RADIUS90, Candidates, fuse
from models.engines.gap import Gap, gaps
from models.stdpose import StdPose
from models.windows import Window, stack
from pose.segments import Segment
from pose.track import Track, join

#: The checkpoint that comes with the package.
SHIPPED = Path(__file__).parents[1] / "weights" / "stdpose-tiny.safetensors"

#: Subjects are scaled to this box diagonal in pixels, about that of the training clips.
SUBJECT_SIZE = 120.0

#: Keypoints that are looked at together; skeletons with more are cut into groups.
MAX_KEYPOINTS = 32

_MARGIN = 0.4
_LONGEST_SIDE = 224
_FRAMES_AT_ONCE = 16
_LEAST_GROWTH = 1e-3  # of an open error bar per frame, share of the subject's size
_VERSION = "1"


class StdPoseEngine:
    """Propagates by :class:`models.stdpose.StdPose`.

    A gap is cut out once, its frames are described once, and the network refines two first guesses, linear
    interpolation and what the engine ``flow`` makes of it. The two refinements, flow and linear interpolation are then
    fused by their error bars (``models.engines.fusion``).

    The network sees frames at most ``HORIZON`` frames from a label. Where labels are farther apart, each side counts as
    open, and towards the horizon ``flow`` takes over, which there is linear interpolation.

    Args:
        network: The network; the checkpoint's where None.
        checkpoint: Read when first needed.
        device: ``auto`` takes a GPU if there is one.
    """

    name = "stdpose"

    def __init__(self, network: StdPose | None = None, checkpoint: Path = SHIPPED, device: str = "auto") -> None:
        self._checkpoint = checkpoint
        cuda = device == "auto" and torch.cuda.is_available()
        self._device = torch.device("cuda" if cuda else "cpu" if device == "auto" else device)
        self._network = network.to(self._device).eval() if network is not None else None
        self._flow = Flow()
        recipe = checkpoint.with_suffix(".json")
        self.version = _VERSION
        if network is None and recipe.exists():
            self.version += f"-{json.loads(recipe.read_text())['sha256'][:12]}"

    @property
    def network(self) -> StdPose:
        """The network, read from the checkpoint when first asked for."""
        if self._network is None:
            self._network = checkpoints.load(self._checkpoint).to(self._device)
        return self._network

    def propagate(self, video: FrameSource, keyframes: Track, segment: Segment) -> Track:
        """See ``Engine.propagate``."""
        return join([self._fill(video, gap, keyframes) for gap in gaps(keyframes, segment, video.width, video.height)])

    def _fill(self, video: FrameSource, part: Gap, keyframes: Track) -> Track:
        piece = Segment(int(part.frames[0]), int(part.frames[-1]) + 1)
        if not (part.known & (part.steps > 0)).any():
            return self._flow.propagate(video, keyframes, piece)
        (gap,) = gaps(keyframes, _around(part, video.num_frames), video.width, video.height)
        hidden = np.where((gap.visibility_begin == 1) | (gap.visibility_end == 1), HIDDEN_FACTOR, 1.0)
        xy, radius = fuse(self.candidates(video, gap, keyframes), gap.size)
        radius = np.where(gap.closed, radius, _growing(radius, gap.steps, gap.size)) * hidden
        return gap.poses(xy, score_of(radius, gap.size), radius, keyframes).between(piece.start, piece.stop)

    def candidates(self, video: FrameSource, gap: Gap, keyframes: Track) -> Candidates:
        """Linear interpolation, flow, and the refinement of each, in this order.

        Args:
            video: The frames.
            gap: Some keypoint is known.
            keyframes: All labels of the subject.
        """
        crop = crop_around(
            np.concatenate([gap.begin[gap.known], gap.end[gap.known]]),
            gap.size,
            video.width,
            video.height,
            scaled_size=SUBJECT_SIZE,
            margin=_MARGIN,
            longest=_LONGEST_SIDE,
        )
        seen = _Seen(video, crop)
        flow = self._flow.propagate(seen, keyframes, Segment(int(gap.frames[0]), int(gap.frames[-1]) + 1))
        places = [gap.interpolate(), flow.xy.astype(np.float64)]
        hidden = np.where((gap.visibility_begin == 1) | (gap.visibility_end == 1), HIDDEN_FACTOR, 1.0)
        scales = [radius / hidden / RADIUS90 for radius in (linear.radius90(gap), flow.radius90)]
        guesses = np.stack(places)
        refined = Candidates(guesses.copy(), np.full(guesses.shape[:-1], np.inf))
        for reach in _reaches(gap):
            self._refine(seen, crop, reach, guesses, refined)
        return Candidates(np.concatenate([guesses, refined.xy]), np.concatenate([scales, refined.scale]))

    def _refine(self, seen: _Seen, crop: Crop, reach: _Reach, guesses: np.ndarray, refined: Candidates) -> None:
        """Put refinements of the guesses, and their error bars, into ``refined`` where the labels are within reach."""
        window, k = reach.window, reach.keypoints
        anchors = np.concatenate([window.before[window.has_before], window.after[window.has_after]])
        frames = np.union1d(window.times, anchors)
        maps = self._describe(seen.crops(frames))
        rows = window.times - reach.origin
        inside = rows < guesses.shape[1]
        starts = np.stack([window.interpolate()] * len(guesses))
        starts = crop.to_crop(starts)
        starts[:, inside] = crop.to_crop(guesses[:, rows[inside]][:, :, k])
        for group in np.array_split(np.arange(len(k)), -(-len(k) // MAX_KEYPOINTS)):
            part = window.select(group)
            part = replace(part, begin=crop.to_crop(part.begin), end=crop.to_crop(part.end))
            batch = stack([part] * len(starts), frames).to(self._device)
            start = torch.from_numpy(starts[:, :, group]).float().to(self._device)
            with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16):
                estimate = self.network(maps, batch, start)[-1]
            xy = crop.to_frame(estimate.xy.double().cpu().numpy())
            median = np.exp(estimate.log_scale.double().cpu().numpy()) / crop.scale.mean()
            row, column = (
                grid.ravel() for grid in np.meshgrid(np.flatnonzero(inside), np.arange(len(group)), indexing="ij")
            )
            chosen = reach.wanted[rows[row], k[group][column]]
            row, column = row[chosen], column[chosen]
            frame, keypoint = rows[row], k[group][column]
            refined.xy[:, frame, keypoint] = xy[:, row, column]
            fading = 1 - reach.distance[frame, keypoint] / HORIZON
            refined.scale[:, frame, keypoint] = median[:, row, column] / np.maximum(fading, 1e-3)

    def _describe(self, images: Iterator[np.ndarray]) -> tuple[Tensor, ...]:
        pieces: list[tuple[Tensor, ...]] = []
        for batch in _batches(images, _FRAMES_AT_ONCE):
            pixels = torch.from_numpy(pad(np.stack(batch))).to(self._device).permute(0, 3, 1, 2).float()
            with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16):
                pieces.append(tuple(level.to(torch.bfloat16) for level in self.network.describe(pixels)))
        return tuple(torch.cat(level) for level in zip(*pieces, strict=True))


@dataclass(frozen=True, eq=False)
class _Reach:
    """Frames of a gap that the network is to fill together, and for which keypoints.

    ``origin`` is the gap's first frame; ``wanted`` ``(F, K)`` tells where the result is used; ``distance`` ``(F, K)``
    counts frames from the label where the other side is open or out of reach, and is 0 elsewhere.
    """

    window: Window
    keypoints: np.ndarray
    origin: int
    wanted: np.ndarray
    distance: np.ndarray


def _reaches(gap: Gap) -> Iterator[_Reach]:
    """One where all labels are within reach of each other, else up to two: from the labels before, and after."""
    together = gap.closed & (gap.after - gap.before <= HORIZON)
    distance = np.where(together, 0.0, gap.steps)
    before_nearer = gap.steps_before <= gap.steps_after
    for backward in (False, True):
        side = ~before_nearer if backward else before_nearer | together
        wanted = side & (distance < HORIZON) & (gap.steps > 0) & ~(together & backward)
        k = np.flatnonzero(wanted.any(axis=0))
        if not len(k):
            continue
        has_before, has_after = gap.has_before[k], gap.has_after[k]
        has_before, has_after = has_before & (together[k] | (not backward)), has_after & (together[k] | backward)
        used = gap.frames[wanted.any(axis=1)]
        closing = bool((has_after & (gap.after[k] == gap.frames[-1] + 1)).any())
        window = Window(
            times=np.arange(used[0], used[-1] + 1 + closing),
            before=np.where(has_before, gap.before[k], gap.after[k]),
            after=np.where(has_after, gap.after[k], gap.before[k]),
            has_before=has_before,
            has_after=has_after,
            begin=np.where(has_before[:, None], gap.begin[k], gap.end[k]),
            end=np.where(has_after[:, None], gap.end[k], gap.begin[k]),
        )
        yield _Reach(window, k, int(gap.frames[0]), wanted, distance)


def _around(part: Gap, num_frames: int) -> Segment:
    """All frames between the labels around a part of a gap, as far as any label within reach of the part reaches."""
    begin, end = int(part.frames[0]), int(part.frames[-1]) + 1
    low = max(0, begin - 2 * HORIZON, *part.before[part.has_before].tolist())
    high = min(num_frames, end + 2 * HORIZON, *part.after[part.has_after].tolist())
    return Segment(low, max(high, end))


def _growing(radius: np.ndarray, steps: np.ndarray, size: float) -> np.ndarray:
    """Error bars ``(F, K)`` that never shrink with the distance from the only label."""
    order = np.argsort(steps, axis=0, kind="stable")
    sorted_radius = np.maximum.accumulate(np.take_along_axis(radius, order, axis=0), axis=0)
    grown: np.ndarray = _LEAST_GROWTH * size * steps
    np.put_along_axis(grown, order, np.take_along_axis(grown, order, axis=0) + sorted_radius, axis=0)
    return grown


class _Seen:
    """A video that keeps a crop of each frame that passes, so that no frame is decoded twice."""

    def __init__(self, video: FrameSource, crop: Crop) -> None:
        self._video = video
        self._crop = crop
        self._crops: dict[int, np.ndarray] = {}
        self.num_frames, self.width, self.height = video.num_frames, video.width, video.height

    def frames(self, start: int = 0, stop: int | None = None, *, gray: bool = False) -> Iterator[np.ndarray]:
        """See ``FrameSource.frames``."""
        for index, frame in enumerate(self._video.frames(start, stop), start=start):
            self._crops[index] = self._crop.cut(frame)
            yield np.asarray(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)) if gray else frame

    def crops(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """The crops of some frames, ascending."""
        for index in indices.tolist():
            if index not in self._crops:
                for _ in self.frames(index, index + 1):
                    pass
            yield self._crops[index]


def _batches(images: Iterator[np.ndarray], count: int) -> Iterator[list[np.ndarray]]:
    batch: list[np.ndarray] = []
    for image in images:
        batch.append(image)
        if len(batch) == count:
            yield batch
            batch = []
    if batch:
        yield batch
