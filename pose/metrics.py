"""Metrics of poses: distances from the truth, relative to the subject's size.

The relative distances follow one convention, chosen so that no method gains by leaving out points. On each frame the
distance from the truth in pixels is divided by the diagonal of the tight box of the truth's known keypoints, and is at
most 1. A known point that the guess lacks has distance 1 and counts as wrong in PCK. Frames on which the truth knows
fewer than two points have no size and are left out, and so are keyframes: they were given. What is found where
people said that a point is absent has no distance from anything, and is counted apart (``false_positives``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from pose import boxes
from pose.track import Track

#: Share of the box diagonal within which a point is correct.
PCK_THRESHOLDS = (0.05, 0.1, 0.2)

#: Score from which a point or a pose counts as found where a person said that it is absent.
FALSE_POSITIVE_SCORE = 0.5

_NO_TRACKS: Mapping[int, Track] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class PointErrors:
    """Relative distances of a guess from the truth of one track.

    Attributes:
        frames: ``(F,)`` the frames that are measured.
        errors: ``(F, K)`` distance over the box diagonal, at most 1; 1 where the guess lacks the point.
        known: ``(F, K)`` the truth knows the point: only these are measured.
        present: ``(F, K)`` the guess has the point.
    """

    frames: np.ndarray
    errors: np.ndarray
    known: np.ndarray
    present: np.ndarray


def normalised_errors(truth: Track, guess: Track, keyframes: np.ndarray | None = None) -> PointErrors:
    """Measure a guess against the truth by this module's convention.

    Args:
        truth: ``(F, K)`` labels.
        guess: Poses of the same skeleton on any frames; those the truth does not have are not looked at.
        keyframes: Frame indices to leave out, those the guess was made from.
    """
    if guess.num_keypoints != truth.num_keypoints:
        raise ValueError(f"the guess has {guess.num_keypoints} keypoints, the truth {truth.num_keypoints}")
    measured = (truth.visibility > 0).sum(axis=1) >= 2
    if keyframes is not None:
        measured &= ~np.isin(truth.frames, keyframes)
    truth = truth.select(measured)
    known = truth.visibility > 0

    here, row = np.isin(truth.frames, guess.frames), np.searchsorted(guess.frames, truth.frames)
    present = np.zeros_like(known)
    present[here] = (guess.visibility[row[here]] > 0) & known[here]
    xy = np.zeros(truth.xy.shape)
    xy[here] = guess.xy[row[here]]

    distance = np.linalg.norm(xy - truth.xy, axis=-1)
    diagonal = np.linalg.norm(boxes.around(truth.xy, truth.visibility)[:, 2:], axis=-1)[:, None]
    # Where all known points of the truth coincide there is nothing to measure by; the error is then 1.
    relative = np.divide(distance, diagonal, out=np.ones_like(distance), where=diagonal > 0)
    return PointErrors(truth.frames, np.where(present, np.minimum(relative, 1.0), 1.0), known, present)


def pck(errors: np.ndarray, present: np.ndarray, threshold: float) -> float:
    """Percentage of correct keypoints, as a share: present and within ``threshold``.

    After Yang and Ramanan, *Articulated human detection with flexible mixtures of parts* (TPAMI 2013), with the size of
    the subject taken from the box diagonal of its known keypoints.

    Args:
        errors: ``(P,)`` relative distances.
        present: ``(P,)`` whether the guess has the point; an absent one is wrong at any threshold.
        threshold: Largest relative distance of a correct point, inclusive.
    """
    return float(((errors <= threshold) & present).mean())


@dataclass(frozen=True)
class Summary:
    """Relative distances of many points in a few figures.

    Attributes:
        points: How many points of the truth were measured.
        coverage: Share of them that the guess has.
        mean: Mean relative distance, absent points counting 1.
        median: Median relative distance, absent points counting 1.
        pck: Share of correct points for each of ``PCK_THRESHOLDS``.
    """

    points: int
    coverage: float
    mean: float
    median: float
    pck: Mapping[float, float]

    def ratio_to(self, baseline: Summary) -> float:
        """Mean error over that of a baseline measured on the same points: below 1 is better than the baseline.

        Infinite when only the baseline is without error, 1 when both are.
        """
        if self.points != baseline.points:
            raise ValueError(f"{self.points} points do not compare with the baseline's {baseline.points}")
        if baseline.mean == 0:
            return 1.0 if self.mean == 0 else float("inf")
        return self.mean / baseline.mean


def summarise(errors: np.ndarray, present: np.ndarray) -> Summary:
    """Sum up ``(P,)`` relative distances; ``present`` says which points the guess has.

    Raises:
        ValueError: There is no point to measure.
    """
    if not len(errors):
        raise ValueError("the truth has no point to measure outside the keyframes")
    return Summary(
        points=len(errors),
        coverage=float(present.mean()),
        mean=float(errors.mean()),
        median=float(np.median(errors)),
        pck=MappingProxyType({threshold: pck(errors, present, threshold) for threshold in PCK_THRESHOLDS}),
    )


def cumulative(errors: np.ndarray, present: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """The distribution of errors: ``(L,)`` share of correct points at each threshold, PCK as a curve.

    Args:
        errors: ``(P,)`` relative distances.
        present: ``(P,)`` whether the guess has the point; an absent one is never within a limit, so that the curve ends
            at the coverage.
        limits: ``(L,)`` thresholds, inclusive.
    """
    within = np.searchsorted(np.sort(errors[present]), limits, side="right")
    share: np.ndarray = within / len(errors)
    return share


@dataclass(frozen=True)
class FalsePositives:
    """Points found where people said that nothing is: with a score of ``FALSE_POSITIVE_SCORE`` or more.

    Attributes:
        poses: Frames on which a subject is absent, each as often as it has such subjects.
        poses_found: Those on which the guess has a pose of it; a pose's score is the mean over its points.
        points: Points that are absent, those of absent subjects among them.
        points_found: Those that the guess has.
    """

    poses: int
    poses_found: int
    points: int
    points_found: int

    @property
    def pose_rate(self) -> float:
        """Share of the poses; NaN where no subject is absent."""
        return self.poses_found / self.poses if self.poses else float("nan")

    @property
    def point_rate(self) -> float:
        """Share of the points; NaN where no point is absent."""
        return self.points_found / self.points if self.points else float("nan")


def false_positives(truth: Mapping[int, Track], guess: Mapping[int, Track]) -> FalsePositives:
    """Count what a guess has where points are absent.

    Args:
        truth: Labels by track id.
        guess: Poses of the same skeleton by track id; a track or a frame that it lacks has no pose.
    """
    counts = np.zeros(4, dtype=np.int64)
    for track_id, labels in truth.items():
        some: np.ndarray = np.any(labels.absent, axis=1)
        empty = labels.select(some)
        found = guess.get(track_id, Track.empty(labels.num_keypoints))
        here, row = np.isin(empty.frames, found.frames), np.searchsorted(found.frames, empty.frames)
        score, known = np.zeros(empty.absent.shape), np.zeros(empty.absent.shape, dtype=bool)
        score[here], known[here] = found.score[row[here]], found.visibility[row[here]] > 0
        mean = np.where(known, score, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        whole, sure = empty.absent.all(axis=1), known & (score >= FALSE_POSITIVE_SCORE)
        counts += [
            int(whole.sum()),
            int((whole & known.any(axis=1) & (mean >= FALSE_POSITIVE_SCORE)).sum()),
            int(empty.absent.sum()),
            int((empty.absent & sure).sum()),
        ]
    return FalsePositives(*counts.tolist())


def evaluate(
    truth: Mapping[int, Track], guess: Mapping[int, Track], keyframes: Mapping[int, Track] = _NO_TRACKS
) -> Summary:
    """Measure all tracks of a video together, every point counting alike.

    Args:
        truth: Labels by track id.
        guess: Poses by track id; a track it lacks is absent on every frame.
        keyframes: Labels the guess was made from, by track id; a track's own keyframes are left out.

    Raises:
        ValueError: There is no point to measure.
    """
    parts = []
    for track_id, labels in truth.items():
        given = keyframes.get(track_id)
        poses = guess.get(track_id, Track.empty(labels.num_keypoints))
        parts.append(normalised_errors(labels, poses, None if given is None else given.frames))
    return summarise(
        np.concatenate([part.errors[part.known] for part in parts] or [np.zeros(0)]),
        np.concatenate([part.present[part.known] for part in parts] or [np.zeros(0, dtype=bool)]),
    )
