"""Optical flow from both sides, weighed against linear interpolation: the best that needs no training."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from models.crops import Crop, crop_around
from models.engines import linear
from models.engines.confidence import HIDDEN_FACTOR, score_of
from models.engines.engine import FrameSource
from models.engines.gap import Gap, gaps
from models.engines.lucas_kanade import follow
from pose.segments import Segment
from pose.track import Track, join

#: Frames that a point is followed at most from its label. Farther away linear interpolation takes over.
HORIZON = 128

#: Subjects are scaled to this box diagonal in pixels, the grain that the tracker's windows were chosen for.
SUBJECT_SIZE = 160.0

_MARGIN = 0.4
_LONGEST_SIDE = 640
_EPSILON = 1e-3  # share of the subject's size below which evidence is noise

# Exponents of the candidates' weights, see Flow.
_RAW_RESIDUAL, _RAW_DRIFT, _RAW_REMAINING = -1.5, -0.7, 0.85
_BENT_RESIDUAL, _BENT_DRIFT, _BENT_ELAPSED = -0.4, -0.75, 0.95
_LINEAR_MOVE, _LINEAR_MIDDLE = -1.6, -1.25

# Shares of the subject's size by which an unclosed chain, or a held point, is off after one frame, and their growth.
_OPEN_RESIDUAL, _OPEN_GROWTH = 0.01, 0.5
_HELD_MOVE = 0.012


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

    The error bar grows with the weighted spread of the candidates and, slowly, with the frames to the nearer label.

    The weighting is ours. Its eight exponents lie midway between a fit to 12 real clips (half of 20 clips of people, a
    pair of flies, a walk) and one that had 24 rendered clips besides: places are best with the latter, scores with the
    former. They matter little: exponents fitted to rendered clips alone did nearly as well on real video. The form of
    the error bar was fitted to the same clips, then widened by a fifth because it was too narrow on real people; the
    constants for unclosed chains were read off chains from one side of closed gaps.
    """

    name = "flow"
    version = "1"

    def propagate(self, video: FrameSource, keyframes: Track, segment: Segment) -> Track:
        """See ``Engine.propagate``."""
        return join([_fill(video, gap, keyframes) for gap in gaps(keyframes, segment, video.width, video.height)])


@dataclass(frozen=True, eq=False)
class _Candidates:
    xy: np.ndarray  # (C, F, K, 2)
    log_weight: np.ndarray  # (C, F, K), -inf where there is no such candidate


def _fill(video: FrameSource, gap: Gap, keyframes: Track) -> Track:
    candidates = [_interpolated(gap), *_followed(video, gap)]
    places = np.concatenate([candidate.xy for candidate in candidates])
    log_weight = np.concatenate([candidate.log_weight for candidate in candidates])
    weight = np.exp(log_weight - log_weight.max(axis=0))
    weight /= weight.sum(axis=0)
    xy = (weight[..., None] * places).sum(axis=0)
    spread = np.sqrt((weight * ((places - xy) ** 2).sum(axis=-1)).sum(axis=0)) / gap.size
    radius = _radius90(gap, spread, interpolated=weight[0])
    return gap.poses(xy, score_of(radius, gap.size), radius, keyframes)


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


def _interpolated(gap: Gap) -> _Candidates:
    xy, elapsed = gap.interpolate(), gap.elapsed
    move = np.where(gap.closed, np.linalg.norm(gap.end - gap.begin, axis=-1) / gap.size, _HELD_MOVE * gap.steps)
    middle = np.where(gap.closed, elapsed * (1 - elapsed), 0.25)
    log_weight = _LINEAR_MOVE * np.log(move + _EPSILON) + _LINEAR_MIDDLE * np.log(middle + _EPSILON)
    return _Candidates(xy[None], log_weight[None])


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

    @property
    def span(self) -> tuple[int, int]:
        """First and last frame that is needed; some point must be wanted."""
        ends = np.concatenate([self.origin[self.wanted], self.last[self.wanted]])
        return int(ends.min()), int(ends.max())


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


def _followed(video: FrameSource, gap: Gap) -> list[_Candidates]:
    ways = [way for way in (_direction(gap, backward=False), _direction(gap, backward=True)) if way.wanted.any()]
    if not ways:
        return []
    crop = crop_around(
        np.concatenate([gap.begin[gap.known], gap.end[gap.known]]),
        gap.size,
        video.width,
        video.height,
        scaled_size=SUBJECT_SIZE,
        margin=_MARGIN,
        longest=_LONGEST_SIDE,
    )
    images = _read(video, crop, [way.span for way in ways])
    # OpenCV lets go of the interpreter, so the two directions run side by side.
    with ThreadPoolExecutor(len(ways)) as pool:
        return list(pool.map(lambda way: _weigh(gap, way, *_chain(gap, way, crop, images)), ways))


def _read(video: FrameSource, crop: Crop, spans: list[tuple[int, int]]) -> dict[int, np.ndarray]:
    images: dict[int, np.ndarray] = {}
    for first, last in sorted(spans):
        first = max(first, max(images, default=-1) + 1)
        for index, frame in enumerate(video.frames(first, max(first, last + 1), gray=True), start=first):
            images[index] = crop.cut(frame)
    return images


def _chain(
    gap: Gap, way: _Direction, crop: Crop, images: dict[int, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places (F, K, 2), drift (F, K) relative to the subject's size, and arrivals (K, 2) at the last frame."""
    low, high = way.span
    order = range(high, low - 1, -1) if way.backward else range(low, high + 1)
    k = np.flatnonzero(way.wanted)
    chains = follow(
        [images[index] for index in order],
        crop.to_crop(way.begin[k]),
        first=np.abs(way.origin[k] - order[0]),
        last=np.abs(way.last[k] - order[0]),
    )
    steps = order[0] - gap.frames if way.backward else gap.frames - order[0]
    rows = np.clip(steps, 0, len(order) - 1)
    xy = np.zeros((len(gap.frames), len(way.wanted), 2))
    drift = np.zeros(xy.shape[:2])
    arrival = np.zeros((len(way.wanted), 2))
    xy[:, k] = crop.to_frame(chains.xy[rows])
    drift[:, k] = chains.drift[rows] / crop.scale.mean() / gap.size
    arrival[k] = crop.to_frame(chains.xy[-1])
    return xy, drift, arrival


def _weigh(gap: Gap, way: _Direction, xy: np.ndarray, drift: np.ndarray, arrival: np.ndarray) -> _Candidates:
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
    return _Candidates(
        np.stack([xy, xy + gone[..., None] * residual]),
        np.stack([np.where(reached, raw, -np.inf), np.where(reached & closing, bent, -np.inf)]),
    )
