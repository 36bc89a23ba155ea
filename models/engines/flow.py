"""Optical flow from both sides, weighed against linear interpolation: the best that needs no training."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from models.engines import linear
from models.engines.appearance import seen_again
from models.engines.confidence import HIDDEN_FACTOR, score_of, widened
from models.engines.crop_cache import CropCache
from models.engines.gap import Gap, gaps
from models.engines.gap import crop_of as gap_crop
from models.engines.lru_cache import LruCache
from models.engines.lucas_kanade import Chains, follow
from models.engines.stored_arrays import size
from pose.crops import Crop
from pose.frames import FrameSource, OnStep, no_step
from pose.segments import Segment
from pose.track import Track, join

#: Frames that a point is followed at most from its label. Farther away linear interpolation takes over.
HORIZON = 128

#: Subjects are scaled to this box diagonal in pixels, the grain that the tracker's windows were chosen for.
SUBJECT_SIZE = 160.0

_LONGEST_SIDE = 640

#: Bytes that are remembered from one segment to the next.
_ROOM = 64 * 2**20
_EPSILON = 1e-3  # share of the subject's size below which evidence is noise

# Exponents of the candidates' weights, see Flow.
_RAW_RESIDUAL, _RAW_DRIFT, _RAW_REMAINING = -1.5, -0.7, 0.85
_BENT_RESIDUAL, _BENT_DRIFT, _BENT_ELAPSED = -0.4, -0.75, 0.95
_LINEAR_MOVE, _LINEAR_MIDDLE = -1.6, -1.25

# Shares of the subject's size by which an unclosed chain, or a held point, is off after one frame, and their growth.
_OPEN_RESIDUAL, _OPEN_GROWTH = 0.01, 0.5
_HELD_MOVE = 0.012

_HIGHEST = 10.0  # logarithm of a weight that is trusted entirely

#: What is weighed, in this order: linear interpolation, then forward and backward chains, raw and bent.
PARTS = ("linear", "forward", "forward_bent", "backward", "backward_bent")


class Flow:
    """Follows every keypoint by optical flow from the label before and from the label after, and weighs the results.

    On every frame a keypoint has up to five candidates: the chain from each side, raw and bent so that it ends where
    the label at the other end is (the residual spread evenly over time), and linear interpolation. The result is their
    mean, weighted per keypoint and frame by a product of powers of what is known about each:

    * a raw chain by its residual (how far from the label at the other end it arrived: known truth), by the
      forward-backward drift summed up so far, and by the share of the way that remains;
    * a bent chain by residual and drift, and by the share of the way gone, where bending says most;
    * linear interpolation by the distance between the two labels, and by how far from both the frame is: a point that
      hardly moved between its labels is interpolated, whatever flow says.

    All distances are relative to the subject's size. Where the two directions lose the point they arrive far off, their
    weights fall together, and linear interpolation decides; where one direction holds, it decides alone.

    A chain is followed ``HORIZON`` frames at most. One that reaches no label has no residual; it is taken to be off by
    an amount that grows with time, and gives way to linear interpolation (to the held label, where there is only one)
    until the horizon.

    The error bar grows with the weighted spread of the candidates and, slowly, with the frames to the nearer label; and
    where what is seen there does not look like what was labelled (see ``models.engines.appearance``), since flow that
    lost a point follows what is in its place as surely.

    The weighting is ours. Its eight exponents lie midway between a fit to 12 real clips (half of 20 clips of people, a
    pair of flies, a walk) and one that had 24 rendered clips besides: places are best with the latter, scores with the
    former. They matter little: exponents fitted to rendered clips alone did nearly as well on real video. The form of
    the error bar was fitted to the same clips, then widened by a fifth because it was too narrow on real people; the
    constants for unclosed chains were read off chains from one side of closed gaps.
    """

    name = "flow"
    version = "2"

    def __init__(self) -> None:
        self.step: OnStep = no_step
        # A keypoint without a label between two segments is followed through both at once.
        self._memory = LruCache(_ROOM)

    def propagate(self, video: FrameSource, keyframes: Track, segment: Segment) -> Track:
        """See ``Engine.propagate``."""
        return join([self._fill(video, gap, keyframes) for gap in gaps(keyframes, segment, video.width, video.height)])

    def _fill(self, video: FrameSource, gap: Gap, keyframes: Track) -> Track:
        memory = LruCache() if video.key is None else self._memory
        crops = CropCache(video, crop_of(video, gap), None, memory, self.step)
        weighed = weigh_candidates(crops, gap)
        xy = weighed.xy
        radius = widened(radius90(gap, weighed), gap.size, seen_again(crops, gap, xy, HORIZON))
        return gap.poses(xy, score_of(radius, gap.size), radius, keyframes)


@dataclass(frozen=True, eq=False)
class WeightedCandidates:
    """Places that a point might have by linear interpolation and by flow.

    Attributes:
        places: ``(5, F, K, 2)`` frame pixels, see ``PARTS``; linear interpolation where there is no such place.
        log_weight: ``(5, F, K)`` how much each counts, up to a constant; ``-inf`` where there is no such place.
    """

    places: np.ndarray
    log_weight: np.ndarray

    @property
    def weight(self) -> np.ndarray:
        """``(5, F, K)``, summing up to 1."""
        weight: np.ndarray = np.exp(self.log_weight - self.log_weight.max(axis=0))
        weight /= weight.sum(axis=0)
        return weight

    @property
    def trust(self) -> np.ndarray:
        """``(5, F, K)`` how far each is trusted, as networks are shown it: from -1, where it is not there, to 1."""
        trust: np.ndarray = np.clip(self.log_weight / _HIGHEST, -1, 1)
        return trust

    @property
    def xy(self) -> np.ndarray:
        """``(F, K, 2)`` the weighted mean: the result of the engine."""
        xy: np.ndarray = (self.weight[..., None] * self.places).sum(axis=0)
        return xy


def weigh_candidates(crops: CropCache, gap: Gap) -> WeightedCandidates:
    """The candidates whose weighted mean is the result of :class:`Flow`.

    Args:
        crops: With ``crop_of`` the gap as its gray crop.
        gap: The frames and their labels.
    """
    interpolated = _interpolated(gap)
    places = np.repeat(interpolated.places, len(PARTS), axis=0)
    log_weight = np.full(places.shape[:-1], -np.inf)
    log_weight[0] = interpolated.log_weight
    for slot, way in _followed(crops, gap):
        reached = np.isfinite(way.log_weight)
        places[slot] = np.where(reached[..., None], way.places, places[slot])
        log_weight[slot] = way.log_weight
    return WeightedCandidates(places, log_weight)


def radius90(gap: Gap, weighed: WeightedCandidates) -> np.ndarray:
    """Pixels around the weighted means that hold the true places 90 % of the time, ``(F, K)``."""
    weight = weighed.weight
    spread = np.sqrt((weight * ((weighed.places - weighed.xy) ** 2).sum(axis=-1)).sum(axis=0)) / gap.size
    return _radius90(gap, spread, interpolated=weight[0])


def _radius90(gap: Gap, spread: np.ndarray, interpolated: np.ndarray) -> np.ndarray:
    hidden = (gap.visibility_begin == 1) | (gap.visibility_end == 1)
    between = 0.95 * (spread + _EPSILON) ** 0.75 * (gap.steps + 1) ** 0.11
    outside = 0.03 * (gap.steps + 1) ** 0.72
    relative = np.where(_closing(gap), between, outside) * np.where(hidden, HIDDEN_FACTOR, 1)
    alone = np.where(_closing(gap), 0, interpolated)
    radius: np.ndarray = (1 - alone) * relative * gap.size + alone * linear.radius90(gap)
    return radius


def _closing(gap: Gap) -> np.ndarray:
    closing: np.ndarray = gap.closed & (gap.after - gap.before <= HORIZON)
    return closing


def _interpolated(gap: Gap) -> WeightedCandidates:
    xy, elapsed = gap.interpolate(), gap.elapsed
    move = np.where(gap.closed, np.linalg.norm(gap.end - gap.begin, axis=-1) / gap.size, _HELD_MOVE * gap.steps)
    middle = np.where(gap.closed, elapsed * (1 - elapsed), 0.25)
    log_weight = _LINEAR_MOVE * np.log(move + _EPSILON) + _LINEAR_MIDDLE * np.log(middle + _EPSILON)
    return WeightedCandidates(xy[None], log_weight[None])


@dataclass(frozen=True, eq=False)
class _Direction:
    """One way through a gap: from the labels at ``origin`` towards those on the other side."""

    origin: np.ndarray  # (K,) frame of the label
    last: np.ndarray  # (K,) frame up to which the point is followed
    wanted: np.ndarray  # (K,) whether it is
    begin: np.ndarray  # (K, 2)
    end: np.ndarray  # (K, 2) the label on the other side
    steps: np.ndarray  # (F, K) frames since the label
    backward: bool

    def order(self, wanted: np.ndarray) -> Sequence[int]:
        """The frames that ``(K,)`` keypoints are followed through, in this direction."""
        if not wanted.any():
            return ()
        ends = np.concatenate([self.origin[wanted], self.last[wanted]])
        frames = range(int(ends.min()), int(ends.max()) + 1)
        return frames[::-1] if self.backward else frames


def _direction(gap: Gap, *, backward: bool) -> _Direction:
    first, final = gap.frames[0], gap.frames[-1]
    closing, incomplete = _closing(gap), (gap.steps > 0).any(axis=0)
    if backward:
        last = np.where(closing, gap.before, np.maximum(gap.after - HORIZON, first))
        wanted = gap.has_after & incomplete & (last <= final)
        return _Direction(gap.after, last, wanted, gap.end, gap.begin, gap.steps_after, backward)
    last = np.where(closing, gap.after, np.minimum(gap.before + HORIZON, final))
    wanted = gap.has_before & incomplete & (last >= first)
    return _Direction(gap.before, last, wanted, gap.begin, gap.end, gap.steps_before, backward)


def _followed(crops: CropCache, gap: Gap) -> list[tuple[slice, WeightedCandidates]]:
    ways = [way for way in (_direction(gap, backward=False), _direction(gap, backward=True)) if way.wanted.any()]
    paths = [_remembered(crops, way) for way in ways]
    unknown = [way.wanted & [path is None for path in known] for way, known in zip(ways, paths, strict=True)]
    needed = [way.order(missing) for way, missing in zip(ways, unknown, strict=True)]
    images = crops.grays(sorted({frame for order in needed for frame in order}))
    # OpenCV lets go of the interpreter, so the two directions run side by side.
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda task: _follow(crops, images, *task), zip(ways, unknown, needed, strict=True)))
    weighed = []
    for way, known, new in zip(ways, paths, found, strict=True):
        for k, path in new.items():
            known[k] = path
            value = (path.xy, path.drift)
            crops.memory.put(_place(crops, way, k), value, size(value))
        weighed.append(
            (slice(3, 5) if way.backward else slice(1, 3), _weigh(gap, way, *_chain(gap, way, crops, known)))
        )
    return weighed


def crop_of(video: FrameSource, gap: Gap) -> Crop:
    """The part of the frames in which the gap's points are followed."""
    return gap_crop(gap, video.width, video.height, scaled_size=SUBJECT_SIZE, longest=_LONGEST_SIDE)


def _place(crops: CropCache, way: _Direction, k: int) -> Hashable:
    ends = int(way.origin[k]), int(way.last[k])
    return crops.place("chains", crops.gray, way.backward, *ends, way.begin[k].tobytes())


def _remembered(crops: CropCache, way: _Direction) -> list[Chains | None]:
    found = [crops.memory.get(_place(crops, way, k)) if wanted else None for k, wanted in enumerate(way.wanted)]
    return [None if value is None else Chains(*value) for value in found]


def _follow(
    crops: CropCache, images: dict[int, np.ndarray], way: _Direction, wanted: np.ndarray, order: Sequence[int]
) -> dict[int, Chains]:
    """The chain of each wanted keypoint from its label to the last frame."""
    if not len(order):
        return {}
    k = np.flatnonzero(wanted)
    first, last = np.abs(way.origin[k] - order[0]), np.abs(way.last[k] - order[0])
    chains = follow([images[frame] for frame in order], crops.gray.to_crop(way.begin[k]), first, last, crops.step)
    return {
        int(number): Chains(chains.xy[begin : end + 1, column].copy(), chains.drift[begin : end + 1, column].copy())
        for column, (number, begin, end) in enumerate(zip(k, first, last, strict=True))
    }


def _chain(
    gap: Gap, way: _Direction, crops: CropCache, paths: list[Chains | None]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places (F, K, 2), drift (F, K) relative to the subject's size, and arrivals (K, 2) at the last frame."""
    xy = np.zeros((len(gap.frames), len(way.wanted), 2))
    drift = np.zeros(xy.shape[:2])
    arrival = np.zeros((len(way.wanted), 2))
    for k, path in enumerate(paths):
        if path is None:
            continue
        steps = way.origin[k] - gap.frames if way.backward else gap.frames - way.origin[k]
        rows = np.clip(steps, 0, len(path.xy) - 1)
        xy[:, k] = crops.gray.to_frame(path.xy[rows])
        drift[:, k] = path.drift[rows] / crops.gray.scale.mean() / gap.size
        arrival[k] = crops.gray.to_frame(path.xy[-1])
    return xy, drift, arrival


def _weigh(gap: Gap, way: _Direction, xy: np.ndarray, drift: np.ndarray, arrival: np.ndarray) -> WeightedCandidates:
    closing = _closing(gap)
    residual = way.end - arrival
    gone = np.where(closing, 1 - gap.elapsed if way.backward else gap.elapsed, np.minimum(way.steps / HORIZON, 1))
    off = np.where(
        closing,
        np.linalg.norm(residual, axis=-1) / gap.size,
        _OPEN_RESIDUAL * np.minimum(way.steps, HORIZON) ** _OPEN_GROWTH,
    )
    log_off, log_drift = np.log(off + _EPSILON), np.log(np.minimum(drift, 2) + _EPSILON)
    raw = _RAW_RESIDUAL * log_off + _RAW_DRIFT * log_drift + _RAW_REMAINING * np.log(1 - gone + _EPSILON)
    bent = _BENT_RESIDUAL * log_off + _BENT_DRIFT * log_drift + _BENT_ELAPSED * np.log(gone + _EPSILON)
    reached = way.wanted & (way.steps <= np.abs(way.last - way.origin))
    return WeightedCandidates(
        np.stack([xy, xy + gone[..., None] * residual]),
        np.stack([np.where(reached, raw, -np.inf), np.where(reached & closing, bent, -np.inf)]),
    )
