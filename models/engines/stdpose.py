"""The engine ``stdpose``: STDPose refines linear interpolation and optical flow, and a verifier judges all of them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from models import checkpoints
from models.backbones import STRIDES, pad
from models.candidates import SOURCES, Looks, collect
from models.crops import Crop, crop_around
from models.engines import flow
from models.engines.confidence import HIDDEN_FACTOR, SHAPE, score_of
from models.engines.engine import FrameSource
from models.engines.flow import HORIZON, Weighed, weigh
from models.engines.fusion import consensus
from models.engines.gap import Gap, gaps
from models.engines.memory import Memory
from models.engines.reach import Reach, reaches
from models.engines.seen import Seen
from models.hints import trust_of
from models.stdpose import Estimate, Hints, StdPose
from models.windows import Window, stack
from pose.segments import Segment
from pose.track import Track, join

#: The checkpoint that comes with the package.
SHIPPED = Path(__file__).parents[1] / "weights" / "stdpose-tiny.safetensors"

#: Subjects are scaled to this box diagonal in pixels, about that of the training clips.
SUBJECT_SIZE = 120.0

#: Keypoints that are looked at together; skeletons with more are cut into groups.
MAX_KEYPOINTS = 32

#: From the median of a log-logistic distance (see ``models.engines.confidence``) to its 90th percentile.
RADIUS90 = 9 ** (1 / SHAPE)

_MARGIN = 0.4
_LONGEST_SIDE = 224
_FRAMES_AT_ONCE = 16
_LEAST_GROWTH = 1e-3  # of an open error bar per frame, share of the subject's size
_VERSION = "2"


@dataclass(frozen=True, kw_only=True)
class Choice:
    """How candidates become a result; other than the defaults only for measuring what each part is worth.

    Args:
        judge: The verifier, or the mean of those that agree, by their own error bars.
        without: Members of ``SOURCES`` that are left out.
    """

    judge: Literal["verifier", "consensus"] = "verifier"
    without: frozenset[str] = frozenset()


class StdPoseEngine:
    """Propagates by :class:`models.stdpose.StdPose`.

    A gap is cut out once and its frames are described once, as they are and mirrored. The network refines two first
    guesses, linear interpolation and what the engine ``flow`` makes of it; its verifier then weighs the refinements,
    the guesses and the chains of optical flow per keypoint and frame, and says how far off the result may be.

    The network sees frames at most ``HORIZON`` frames from a label. Where labels are farther apart, each side counts as
    open, and towards the horizon ``flow`` takes over, which there is linear interpolation.

    Args:
        network: The network; the checkpoint's where None.
        checkpoint: Read when first needed.
        device: ``auto`` takes a GPU if there is one.
        choice: How candidates become a result.
    """

    name = "stdpose"

    def __init__(
        self,
        network: StdPose | None = None,
        checkpoint: Path = SHIPPED,
        device: str = "auto",
        choice: Choice | None = None,
    ) -> None:
        self._checkpoint = checkpoint
        cuda = device == "auto" and torch.cuda.is_available()
        self._device = torch.device("cuda" if cuda else "cpu" if device == "auto" else device)
        self._network = network.to(self._device).eval() if network is not None else None
        self._choice = choice or Choice()
        self._memory = Memory()
        self._mirrored = not any(name.endswith("mirrored") for name in self._choice.without)
        self.version = _VERSION
        if network is None and checkpoint.with_suffix(".json").exists():
            self.version += f"-{json.loads(checkpoint.with_suffix('.json').read_text())['sha256'][:12]}"

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
        (gap,) = gaps(keyframes, _around(part, video.num_frames), video.width, video.height)
        if not (part.known & (part.steps > 0)).any():
            nowhere = np.zeros(gap.steps.shape)
            return gap.poses(gap.interpolate(), nowhere, nowhere, keyframes).between(piece.start, piece.stop)
        crop = crop_around(
            gap.subject,
            gap.size,
            video.width,
            video.height,
            scaled_size=SUBJECT_SIZE,
            margin=_MARGIN,
            longest=_LONGEST_SIDE,
            also=gap.labels,
        )
        memory = Memory() if getattr(video, "key", None) is None else self._memory
        seen = Seen(video, flow.crop_of(video, gap), crop, memory)
        weighed = weigh(seen, gap)
        xy, radius = weighed.xy, flow.radius90(gap, weighed)
        for reach in reaches(gap):
            judged, bar = self._judge(seen, crop, reach, weighed, radius)
            bar = bar * np.where((gap.visibility_begin == 1) | (gap.visibility_end == 1), HIDDEN_FACTOR, 1.0)
            share = np.where(reach.wanted, 1 - reach.distance / HORIZON, 0.0)
            xy = np.where(share[..., None] > 0, share[..., None] * judged + (1 - share[..., None]) * xy, xy)
            radius = np.where(share > 0, share * bar + (1 - share) * radius, radius)
        radius = np.where(gap.closed, radius, _growing(radius, gap.steps, gap.size))
        return gap.poses(xy, score_of(radius, gap.size), radius, keyframes).between(piece.start, piece.stop)

    def _judge(
        self, seen: Seen, crop: Crop, reach: Reach, weighed: Weighed, radius: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Places ``(F, K, 2)`` and error bars ``(F, K)`` in frame pixels; flow's where labels are out of reach."""
        window, k = reach.window, reach.keypoints
        anchors = np.concatenate([window.before[window.has_before], window.after[window.has_after]])
        frames = np.union1d(window.times, anchors)
        looks = self._look(seen, frames)
        rows = window.times - reach.origin
        inside = np.flatnonzero(rows < len(radius))
        rows = rows[inside]

        interpolated = crop.to_crop(window.interpolate())
        starts, hints = np.stack([interpolated] * 2), np.stack([interpolated] * len(weighed.places))
        starts[1, inside] = crop.to_crop(weighed.xy[rows][:, k])
        hints[:, inside] = crop.to_crop(weighed.places[:, rows][:, :, k])
        trust, bar = np.full(hints.shape[:-1], -1.0), np.ones(starts.shape[1:-1])
        trust[:, inside] = trust_of(weighed)[:, rows][:, :, k]
        bar[inside] = radius[rows][:, k] * crop.scale.mean()

        xy, found = weighed.xy, radius.copy()
        for group in np.array_split(np.arange(len(k)), -(-len(k) // MAX_KEYPOINTS)):
            part = window.select(group)
            part = replace(part, begin=crop.to_crop(part.begin), end=crop.to_crop(part.end))
            given = (starts[:, :, group], hints[:, :, group], trust[:, :, group], bar[:, group])
            estimate = self._estimate(looks, part, frames, *given)
            place = crop.to_frame(estimate.xy[0].double().cpu().numpy())[inside]
            median = np.exp(estimate.log_scale[0].double().cpu().numpy())[inside] / crop.scale.mean()
            xy[rows[:, None], k[group]] = place
            found[rows[:, None], k[group]] = RADIUS90 * median
        return xy, found

    def _estimate(
        self,
        looks: Looks,
        window: Window,
        frames: np.ndarray,
        starts: np.ndarray,
        hints: np.ndarray,
        trust: np.ndarray,
        bar: np.ndarray,
    ) -> Estimate:
        batch = stack([window] * len(starts), frames).to(self._device)
        shown = Hints(*(self._tensor(values).expand(len(starts), *values.shape) for values in (hints, trust)))
        absent = torch.tensor([source in self._choice.without for source in SOURCES], device=self._device)
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16):
            candidates = collect(self.network, looks, batch, self._tensor(starts), shown).without(absent)
            if self._choice.judge == "consensus":
                return consensus(candidates, self._tensor(bar))
            estimate, _ = self.network.judge(looks.maps, batch.first(), candidates)
        return estimate

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).float().to(self._device)

    def _look(self, seen: Seen, frames: np.ndarray) -> Looks:
        """Descriptions of crops, and of their mirror images, from memory where they were described before."""
        wanted = frames.tolist()
        known = {frame: seen.memory.get(self._key(seen, frame)) for frame in wanted}
        missing = [frame for frame in wanted if known[frame] is None]
        images = seen.colors(missing)
        for begin in range(0, len(missing), _FRAMES_AT_ONCE):
            batch = missing[begin : begin + _FRAMES_AT_ONCE]
            pixels = torch.from_numpy(pad(np.stack([images[frame] for frame in batch]))).to(self._device)
            pixels = pixels.permute(0, 3, 1, 2).float()
            with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16):
                views = [pixels, pixels.flip(-1)] if self._mirrored else [pixels]
                described = [level.to(torch.bfloat16) for view in views for level in self.network.describe(view)]
            for row, frame in enumerate(batch):
                known[frame] = levels = [level[row] for level in described]
                size = sum(level.nbytes for level in levels)
                seen.memory.put(self._key(seen, frame), [level.clone() for level in levels], size)
        maps = tuple(torch.stack(level) for level in zip(*(known[frame] for frame in wanted), strict=True))
        count = len(maps) // 2 if self._mirrored else len(maps)
        width = maps[0].shape[2] * STRIDES[0]
        return Looks(maps[:count], maps[count:] if self._mirrored else None, width)

    def _key(self, seen: Seen, frame: int) -> tuple[object, ...]:
        return (seen.identity, seen.color, frame, self.version, self._mirrored)


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
