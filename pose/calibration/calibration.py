"""Radii and scores that keep what they promise on a video, from keyframes that were hidden from the engine.

Errors on hidden keyframes are divided by a scale (``scale``), by how hard each keypoint is, and by how hard the video
is (``level``). Of what is left in the *other* videos of the project (``spread``) the 90 % quantile is taken, so that no
video is judged by its own errors alone. Where a project has fewer than ``ENOUGH_VIDEOS`` others, shipped ones fill up.

Nothing here is guaranteed: keyframes that somebody chose are not drawn at random. What holds was measured, see
``benchmarks/results/trust.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from pose.calibration.level import Levels, levels_of, others_means
from pose.calibration.residuals import Residuals
from pose.calibration.scale import Scale
from pose.calibration.situation import Regime, Situation, situation
from pose.calibration.spread import Spread, two_layer
from pose.track import Track

#: Share of points that a radius holds.
LEVEL = 0.9

#: A score is the probability of being off by less than this share of the subject's size.
TOLERANCE = 0.05

#: Other videos, of the project or shipped, that a quantile is taken of at least.
ENOUGH_VIDEOS = 9

#: Hidden keyframes from which a video tells something of itself, and from which it tells enough.
PROVISIONAL, CALIBRATED = 2, 8

#: Keyframes that what is known beforehand of a keypoint is worth: that it is like the others.
_KEYPOINT_PRIOR = 10.0

_LEAST_ERROR = 1e-4  # share of the subject's size: labels agree no better


class State(StrEnum):
    """What a calibration rests on."""

    PRIOR = "prior"
    PROVISIONAL = "provisional"
    CALIBRATED = "calibrated"


@dataclass(frozen=True, eq=False)
class Told:
    """What hidden keyframes tell of a video in one regime.

    Attributes:
        state: ``prior`` below two hidden keyframes of the video; ``calibrated`` from eight on where the project has
            ``ENOUGH_VIDEOS`` others with any; else ``provisional``.
        keyframes: Hidden keyframes of the video.
        videos: Other videos of the project that have any.
        shipped: Videos that filled up.
        level: Logarithm of how much harder the video is than its scale.
        keypoints: ``(K,)`` the same of each keypoint.
        spread: Logarithms of errors over all that.
    """

    state: State
    keyframes: int
    videos: int
    shipped: int
    level: float
    keypoints: np.ndarray
    spread: Spread


@dataclass(frozen=True, eq=False)
class Calibration:
    """What makes raw radii calibrated ones, for one engine on one video.

    Attributes:
        scales: By regime.
        told: By regime; a regime of which nothing at all is known is not there, and its points stay as they are.
    """

    scales: Mapping[Regime, Scale]
    told: Mapping[Regime, Told]

    def apply(self, poses: Track, keyframes: Track, diagonal: float) -> Track:
        """The same poses with calibrated ``radius90`` and ``score``.

        Points of people stay as they are, and so do places and visibilities of all.

        Args:
            poses: A machine's, with raw radii, ``(F, K)``.
            keyframes: The labels that they were made from.
            diagonal: Of the image in pixels: no radius is wider.
        """
        return self.applied(poses, situation(poses, keyframes, diagonal), diagonal)

    def applied(self, poses: Track, known: Situation, diagonal: float) -> Track:
        """As ``apply`` where it is known already in what situation the poses are."""
        keypoint = np.broadcast_to(np.arange(poses.num_keypoints), known.machine.shape)
        radius, score = np.full((2, *known.machine.shape), np.nan)
        here = known.machine
        radius[here], score[here] = self.relative(known.regime[here], known.gap[here], known.raw[here], keypoint[here])
        there = here & np.isfinite(radius)
        pixels = np.minimum(radius * known.size[:, None], diagonal)
        return replace(
            poses,
            radius90=np.where(there, pixels, poses.radius90).astype(poses.radius90.dtype),
            score=np.where(there, score, poses.score).astype(poses.score.dtype),
        )

    def relative(
        self, regime: np.ndarray, gap: np.ndarray, raw: np.ndarray, keypoint: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Radii over the subject's size, and scores, of ``(N,)`` points; NaN where nothing is known."""
        radius, score = np.full((2, len(regime)), np.nan)
        for one, told in self.told.items():
            here = regime == one
            offsets = np.append(told.keypoints, 0.0)[np.minimum(keypoint[here], len(told.keypoints))]
            centre = self.scales[one].log(gap[here], raw[here]) + offsets + told.level
            radius[here] = np.exp(centre + told.spread.quantile(LEVEL))
            score[here] = told.spread.below(np.log(TOLERANCE) - centre)
        return radius, score

    @property
    def own(self) -> Calibration:
        """What the video's own hidden keyframes suffice for: no regime of the state ``prior``, nor without a radius."""
        enough = {
            regime: told
            for regime, told in self.told.items()
            if told.state != State.PRIOR and np.isfinite(told.spread.quantile(LEVEL))
        }
        return Calibration({regime: self.scales[regime] for regime in enough}, enough)


def calibrate(
    own: Residuals,
    others: Sequence[Residuals],
    shipped: Sequence[Residuals],
    scales: Mapping[Regime, Scale],
) -> Calibration:
    """Learn from hidden keyframes.

    Args:
        own: Of the video that is to be calibrated.
        others: Of the other videos of its project, by the same engine.
        shipped: Of videos that are always there, which fill up where the project has too few.
        scales: Of the engine, by regime.
    """
    told = {}
    for regime, scale in scales.items():
        one = _tell(_here(own, regime), [_here(o, regime) for o in others], [_here(s, regime) for s in shipped], scale)
        if one is not None:
            told[regime] = one
    return Calibration(scales, told)


@dataclass(frozen=True, eq=False)
class _Video:
    """Logarithms of errors over the scale, ``(N,)``, and the keyframe of each."""

    values: np.ndarray
    keyframe: np.ndarray
    count: int
    keypoint: np.ndarray

    @property
    def means(self) -> np.ndarray:
        """``(n,)`` of each keyframe."""
        points = np.bincount(self.keyframe, minlength=self.count)
        means: np.ndarray = np.bincount(self.keyframe, self.values, minlength=self.count) / np.maximum(points, 1)
        return means


def _here(residuals: Residuals, regime: Regime) -> Residuals:
    return residuals.select((residuals.regime == regime) & (residuals.raw > 0) & (residuals.gap > 0))


def _video(residuals: Residuals, scale: Scale) -> _Video:
    number, count = residuals.keyframes()
    values = np.log(np.maximum(residuals.error, _LEAST_ERROR)) - scale.log(residuals.gap, residuals.raw)
    return _Video(values, number, count, residuals.keypoint)


def _tell(own: Residuals, others: list[Residuals], shipped: list[Residuals], scale: Scale) -> Told | None:
    mine = _video(own, scale)
    project = [_video(other, scale) for other in others if len(other)]
    filling = [_video(one, scale) for one in shipped if len(one)][: max(ENOUGH_VIDEOS - len(project), 0)]
    if not project and not filling:
        return None
    offsets = _offsets([mine, *project])
    mine = _without(mine, offsets)
    everyone = [*(_without(video, offsets) for video in project), *filling]
    levels = levels_of([video.means for video in (mine, *everyone) if video.count])
    # Where no video has two keyframes nobody knows how far the level that one tells may be off.
    used = mine.count if any(video.count > 1 for video in (mine, *everyone)) else 0
    level = float(levels.shrunk(np.array(mine.means.mean() if used else 0.0), used))
    left = [
        (video.values - _level_without(video, used, everyone, levels)[video.keyframe], video.keyframe)
        for video in everyone
    ]
    units = sum(video.count for video in everyone)
    enough = mine.count >= CALIBRATED and len(project) >= ENOUGH_VIDEOS
    state = State.CALIBRATED if enough else State.PROVISIONAL if mine.count >= PROVISIONAL else State.PRIOR
    return Told(state, mine.count, len(project), len(filling), level, offsets, two_layer(left, units))


def _level_without(video: _Video, count: int, everyone: list[_Video], levels: Levels) -> np.ndarray:
    """What each keyframe's level would be, told from as many other keyframes as the video in question has."""
    count = min(count, video.count - 1)
    centre = _centre_without(video, everyone, levels)
    return levels.shrunk(others_means(video.means, count), count, np.full(video.count, centre))


def _centre_without(video: _Video, everyone: list[_Video], levels: Levels) -> float:
    rest = [other for other in everyone if other is not video]
    if not rest:
        return levels.mean
    weight = np.array([1 / max(levels.between + levels.within / other.count, 1e-12) for other in rest])
    return float((weight * [other.means.mean() for other in rest]).sum() / weight.sum())


def _offsets(videos: list[_Video]) -> np.ndarray:
    """``(K,)`` how much harder each keypoint is than the others of the same keyframes, drawn towards not at all."""
    size = 1 + max((int(video.keypoint.max()) for video in videos if video.count), default=-1)
    total, count = np.zeros((2, size))
    for video in videos:
        if video.count:
            total += np.bincount(video.keypoint, video.values - video.means[video.keyframe], minlength=size)
            count += np.bincount(video.keypoint, minlength=size)
    offsets: np.ndarray = total / (count + _KEYPOINT_PRIOR)
    return offsets


def _without(video: _Video, offsets: np.ndarray) -> _Video:
    return replace(video, values=video.values - offsets[video.keypoint])
