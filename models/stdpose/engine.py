"""The engine ``stdpose``: STDPose refines linear interpolation and optical flow, and a verifier judges all of them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from models.compute.devices import Compute, choose
from models.engines import flow
from models.engines.appearance import seen_again
from models.engines.confidence import HIDDEN_FACTOR, SHAPE, score_of, widened
from models.engines.crop_cache import CropCache
from models.engines.detection import Detect, Detected, combine
from models.engines.flow import HORIZON, WeightedCandidates, weigh_candidates
from models.engines.gap import Gap, gaps
from models.engines.gap import crop_of as gap_crop
from models.engines.lru_cache import ByteStore, LruCache
from models.engines.stored_arrays import size
from models.stdpose import checkpoints
from models.stdpose.candidates import collect, sources, with_detector
from models.stdpose.descriptors import FRAMES_AT_ONCE, DescriptorExtractor, described_together
from models.stdpose.fill_windows import FillWindow, fill_windows
from models.stdpose.network import Estimate, Hints, StdPose
from models.stdpose.verifier import Candidates
from models.stdpose.windows import Window, WindowBatch, stack
from models.weights import digest
from pose.crops import Crop
from pose.frames import FrameSource, OnStep, no_step
from pose.segments import Segment
from pose.track import Track, join

#: Subjects are scaled to this box diagonal in pixels, about that of the training clips.
SUBJECT_SIZE = 120.0

#: Keypoints that are looked at together; skeletons with more are cut into groups.
MAX_KEYPOINTS = 32

#: From the median of a log-logistic distance (see ``models.engines.confidence``) to its 90th percentile.
RADIUS90 = 9 ** (1 / SHAPE)

_LONGEST_SIDE = 224
# Share of flow in the result, without a detector and with one. The verifier knows rendered video only, flow was tuned
# on real video too: on people they are off by less together than either alone.
_FLOW_ALONE, _FLOW_DETECTED = 0.5, 0.25
_LEAST_GROWTH = 1e-3  # of an open error bar per frame, share of the subject's size
_VERSION = "2"
# Both are as good, but not equal. Versions without a name for it are bf16: once all were.
_PRECISION_IN_VERSION = {"bf16": "", "fp32": "fp32"}


@dataclass(frozen=True, kw_only=True)
class Ablation:
    """Variants of combining the candidates; the defaults are the product, the others measure what each part is worth.

    Args:
        judge: Called in place of the verifier with the candidates, flow's error bar ``(T, K)`` in crop pixels, and the
            candidates' sources.
        without: Members of ``models.stdpose.candidates.sources`` that are left out.
        hedged: Whether flow has a share of its own in the result.
        mirrored: Whether mirrored frames are looked at too, by networks without matches: twice the work for little.
    """

    judge: Callable[[Candidates, Tensor, Sequence[str]], Estimate] | None = None
    without: frozenset[str] = frozenset()
    hedged: bool = True
    mirrored: bool = False


@dataclass(frozen=True, eq=False)
class _CandidateBatch:
    """Some keypoints of a gap, and their candidates, for the verifier."""

    fill: FillWindow
    rows: np.ndarray  # of the gap
    inside: np.ndarray  # the same rows of the window
    keypoints: np.ndarray
    maps: tuple[Tensor, ...]
    window: WindowBatch
    candidates: Candidates
    bar: Tensor  # (T, K) crop pixels, flow's error bar


class StdPoseEngine:
    """Propagates by :class:`models.stdpose.network.StdPose`.

    A gap is cut out once and its frames are described once. The network refines two first guesses, linear interpolation
    and what the engine ``flow`` makes of it; its verifier then weighs the refinements, the guesses and the chains of
    optical flow per keypoint and frame, and says how far off the result may be.

    The network sees frames at most ``HORIZON`` frames from a label. Where labels are farther apart, each side counts as
    open, and towards the horizon ``flow`` takes over, which there is linear interpolation.

    Args:
        network: The network.
        weights: What identifies its weights, part of the engine's version.
        compute: Where it computes, and in which precision; as ``models.compute.devices.choose`` has it where left out.
        ablation: How candidates become a result.
        detectors: What they find is a candidate too.
    """

    name = "stdpose"

    def __init__(
        self,
        network: StdPose,
        weights: str = "",
        compute: Compute | None = None,
        ablation: Ablation | None = None,
        detectors: Sequence[Detect] = (),
    ) -> None:
        self.compute = compute or choose()
        self._device = self.compute.device
        self.network = network.to(self._device).eval()
        self.checkpoint_sha256 = weights or None
        self._ablation = ablation or Ablation()
        self.detectors = tuple(detectors)
        self._memory = LruCache()
        self.step: OnStep = no_step
        self._sources = sources(network.config.matches)
        self.mirrored = self._ablation.mirrored and not network.config.matches
        self._frames_at_once = FRAMES_AT_ONCE
        parts = (_VERSION, weights[:12], _PRECISION_IN_VERSION[self.compute.precision])
        self.version = self._features_version = "-".join(part for part in parts if part)

    @classmethod
    def from_checkpoint(
        cls, checkpoint: Path, *, compute: Compute | None = None, ablation: Ablation | None = None
    ) -> StdPoseEngine:
        """The engine with the network of a checkpoint.

        Raises:
            CheckpointError: See ``models.stdpose.checkpoints.load``.
        """
        return cls(checkpoints.load(checkpoint), digest(checkpoint), compute, ablation)

    def with_detector(self, detect: Detect, version: str) -> StdPoseEngine:
        """The same engine with one more detector; ``version`` tells it from others."""
        detectors = (*self.detectors, detect)
        adapted = StdPoseEngine(self.network, self.checkpoint_sha256 or "", self.compute, self._ablation, detectors)
        adapted.version, adapted.step = version, self.step
        adapted._memory = self._memory  # what frames look like does not depend on the detector
        return adapted

    @property
    def memory(self) -> LruCache:
        """The cache of videos that have a key, for detectors to use too."""
        return self._memory

    def lay_on(self, shelf: ByteStore | None) -> None:
        """Keep what is seen in videos that have a key on a shelf too, from now on, for other processes and later.

        What lies there was computed with the same weights, device and libraries, so results stay the same bit for bit.

        Args:
            shelf: Which; None for none. Of a network whose weights nothing identifies nothing is kept.
        """
        made_by = f"{flow.Flow.version} {cv2.__version__} {self.compute.fingerprint()}"
        self._memory.lay_on(shelf if self.checkpoint_sha256 else None, made_by)

    def reduce_memory(self) -> bool:
        """Use less memory from now on: forget what is remembered, and describe half as many frames at a time.

        Returns:
            Whether there was anything left to spare. Results stay the same but for the last bits of floats.
        """
        at_once = described_together(self.compute, self._frames_at_once)
        if at_once == 1:
            return False
        self._frames_at_once = at_once // 2
        self._memory.forget()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()
        return True

    def propagate(self, video: FrameSource, keyframes: Track, segment: Segment) -> Track:
        """See ``Engine.propagate``."""
        parts = gaps(keyframes, segment, video.width, video.height)
        with _heard(self.network, self.step):
            return join([self._fill(video, gap, keyframes) for gap in parts])

    def _fill(self, video: FrameSource, part: Gap, keyframes: Track) -> Track:
        piece = Segment(int(part.frames[0]), int(part.frames[-1]) + 1)
        (gap,) = gaps(keyframes, _around(part, video.num_frames), video.width, video.height)
        if not (part.known & (part.steps > 0)).any():
            nowhere = np.zeros(gap.steps.shape)
            return gap.poses(gap.interpolate(), nowhere, nowhere, keyframes).between(piece.start, piece.stop)
        crop = crop_of(video, gap)
        memory = LruCache() if video.key is None else self._memory
        crops = CropCache(video, flow.crop_of(video, gap), crop, memory, self.step)
        weighed = weigh_candidates(crops, gap)
        entries = [entry for fill in fill_windows(gap) for entry in self._collect(crops, crop, gap, fill, weighed)]
        poses = self._resolve(crops, gap, weighed, entries, keyframes, None)
        if self.detectors:
            detected = combine(self.detectors, video, keyframes, poses)
            if detected is not None:
                poses = self._resolve(crops, gap, weighed, entries, keyframes, detected)
        return poses.between(piece.start, piece.stop)

    def _collect(
        self, crops: CropCache, crop: Crop, gap: Gap, fill: FillWindow, weighed: WeightedCandidates
    ) -> Iterator[_CandidateBatch]:
        """The candidates of a gap's points that are within reach of their labels."""
        window, k = fill.window, fill.keypoints
        anchors = np.concatenate([window.before[window.has_before], window.after[window.has_after]])
        frames = np.union1d(window.times, anchors)
        extractor = DescriptorExtractor(
            self.network,
            self.compute,
            self._features_version,
            mirrored=self.mirrored,
            frames_at_once=self._frames_at_once,
        )
        descriptors = extractor.extract(crops, frames)
        rows = window.times - fill.origin
        inside = np.flatnonzero(rows < len(gap.frames))
        rows = rows[inside]

        interpolated = crop.to_crop(window.interpolate())
        starts, hints = np.stack([interpolated] * 2), np.stack([interpolated] * len(weighed.places))
        starts[1, inside] = crop.to_crop(weighed.xy[rows][:, k])
        hints[:, inside] = crop.to_crop(weighed.places[:, rows][:, :, k])
        trust, bar = np.full(hints.shape[:-1], -1.0), np.ones(starts.shape[1:-1])
        trust[:, inside] = weighed.trust[:, rows][:, :, k]
        bar[inside] = flow.radius90(gap, weighed)[rows][:, k] * crop.scale.mean()

        for group in np.array_split(np.arange(len(k)), -(-len(k) // MAX_KEYPOINTS)):
            part = window.select(group)
            part = replace(part, begin=crop.to_crop(part.begin), end=crop.to_crop(part.end))
            batch = stack([part] * len(starts), frames).to(self._device)
            hinted = [self._tensor(values[:, :, group]) for values in (hints, trust)]
            shown = Hints(*(values.expand(len(starts), *values.shape) for values in hinted))
            place = self._place(crops, part, frames, starts[:, :, group], hints[:, :, group], trust[:, :, group])
            if (known := crops.memory.get(place)) is not None:
                candidates = Candidates(*(value.to(self._device) for value in known))
            else:
                with torch.inference_mode(), self.compute.autocast():
                    candidates = collect(self.network, descriptors, batch, self._tensor(starts[:, :, group]), shown)
                value = (candidates.xy, candidates.claim, candidates.present)
                crops.memory.put(place, value, size(value))
            yield _CandidateBatch(
                fill, rows, inside, k[group], descriptors.maps, batch.first(), candidates, self._tensor(bar[:, group])
            )

    def _place(self, crops: CropCache, window: Window, *told: np.ndarray) -> Hashable:
        """The cache key of the candidates of a window's points: all that they are computed from."""
        digest = hashlib.sha256()
        for array in (*vars(window).values(), *told):
            digest.update(f"{array.dtype} {array.shape} ".encode() + array.tobytes())
        return crops.place(
            "candidates", crops.color, self._features_version, self.mirrored, self._frames_at_once, digest.hexdigest()
        )

    def _resolve(
        self,
        crops: CropCache,
        gap: Gap,
        weighed: WeightedCandidates,
        entries: list[_CandidateBatch],
        keyframes: Track,
        detected: Detected | None,
    ) -> Track:
        crop = crops.color
        assert crop is not None
        xy, radius = weighed.xy, flow.radius90(gap, weighed)
        hidden = np.where((gap.visibility_begin == 1) | (gap.visibility_end == 1), HIDDEN_FACTOR, 1.0)
        for entry in entries:
            k, rows = entry.keypoints, entry.rows
            estimate = self._judge(entry, crop, detected)
            place = crop.to_frame(estimate.xy[0].double().cpu().numpy())[entry.inside]
            median = np.exp(estimate.log_scale[0].double().cpu().numpy())[entry.inside] / crop.scale.mean()
            at = (rows[:, None], k)
            share = np.where(entry.fill.wanted[at], 1 - entry.fill.distance[at] / HORIZON, 0.0)
            if self._ablation.hedged:
                place += (_FLOW_ALONE if detected is None else _FLOW_DETECTED) * (weighed.xy[at] - place)
            judged = share[..., None] * place + (1 - share[..., None]) * xy[at]
            xy[at] = np.where(share[..., None] > 0, judged, xy[at])
            # Trained on rendered video only, the verifier is too sure of real video; flow's error bar is the least.
            judged_radius = np.maximum(RADIUS90 * median * hidden[k], radius[at])
            radius[at] = np.where(share > 0, share * judged_radius + (1 - share) * radius[at], radius[at])
        radius = widened(radius, gap.size, seen_again(crops, gap, xy, HORIZON))
        radius = np.where(gap.closed, radius, _growing(radius, gap.steps, gap.size))
        return gap.poses(xy, score_of(radius, gap.size), radius, keyframes)

    def _judge(self, entry: _CandidateBatch, crop: Crop, detected: Detected | None) -> Estimate:
        candidates, k = entry.candidates, entry.keypoints
        if detected is not None:
            places = candidates.xy[0, -1].double().cpu().numpy()
            mass = np.zeros(places.shape[:-1])
            places[entry.inside] = crop.to_crop(detected.xy[entry.rows][:, k])
            mass[entry.inside] = detected.mass[entry.rows][:, k]
            candidates = with_detector(candidates, entry.window, self._tensor(places), self._tensor(mass))
        absent = torch.tensor([source in self._ablation.without for source in self._sources], device=self._device)
        candidates = candidates.without(absent)
        with torch.inference_mode(), self.compute.autocast():
            if self._ablation.judge is not None:
                return self._ablation.judge(candidates, entry.bar, self._sources)
            estimate, _ = self.network.judge(entry.maps, entry.window, candidates)
        return estimate

    def _tensor(self, values: np.ndarray) -> Tensor:
        return torch.from_numpy(values).float().to(self._device)


def crop_of(video: FrameSource, gap: Gap) -> Crop:
    """The part of the frames that the network sees."""
    return gap_crop(gap, video.width, video.height, scaled_size=SUBJECT_SIZE, longest=_LONGEST_SIDE)


@contextmanager
def _heard(network: StdPose, step: OnStep) -> Iterator[None]:
    """Call ``step`` before each part of the network computes: a long window takes it seconds."""
    hooks = [part.register_forward_pre_hook(lambda *_: step()) for part in network.modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


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
