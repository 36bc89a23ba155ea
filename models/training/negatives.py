"""Where a person said that a subject or a point is absent: what is learnt there is that nothing is to be found.

Of a point three things may be known: its place (a positive), that it is absent (a negative), or nothing. A negative
teaches that its heat map is empty. Where no other point of the subject is known the example is what an estimator would
look at on that frame: the box between those of the poses before and after, see ``Subject.expected``. It is no example
where another subject of the video may be in that box, who would be taken for nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from models.estimators.views import ENLARGED
from models.training.subjects import Subject
from pose import boxes
from pose.segments import vacant


def examples(subjects: Sequence[Subject]) -> list[np.ndarray]:
    """The rows of each subject's track that are learnt from, ascending: with a positive, or a negative that fits."""
    by_video: dict[str, list[int]] = defaultdict(list)
    for number, subject in enumerate(subjects):
        by_video[subject.video].append(number)
    rows = []
    for number, subject in enumerate(subjects):
        others = [subjects[other] for other in by_video[subject.video] if other != number]
        lone = np.flatnonzero(~subject.positive.any(axis=1) & subject.negative.any(axis=1))
        free = lone[~_crowded(subject, others, subject.track.frames[lone])]
        rows.append(np.union1d(np.flatnonzero(subject.positive.any(axis=1)), free))
    return rows


def balanced(subjects: Sequence[Subject], rows: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Weights of points by which a keypoint's negatives weigh no more than its positives do, all in all.

    Otherwise an estimator could do well on a subject that is mostly away by never finding it.

    Args:
        subjects: What is learnt from.
        rows: Those of ``examples``; elsewhere nothing counts.

    Returns:
        For each subject ``(F, K)`` float32.
    """
    weights = []
    for subject, kept in zip(subjects, rows, strict=True):
        weight = np.zeros_like(subject.weight)
        weight[kept] = subject.weight[kept]
        weights.append(weight)
    negatives = [subject.negative for subject in subjects]
    if not any(negative.any() for negative in negatives):
        return weights
    placed, gone = (
        np.sum([weight.sum(axis=0, where=kind) for weight, kind in zip(weights, kinds, strict=True)], axis=0)
        for kinds in ([subject.positive for subject in subjects], negatives)
    )
    share = np.minimum(1, placed / np.maximum(gone, 1e-9))
    return [
        np.where(negative, weight * share, weight).astype(np.float32)
        for weight, negative in zip(weights, negatives, strict=True)
    ]


def _crowded(subject: Subject, others: Sequence[Subject], frames: np.ndarray) -> np.ndarray:
    """``(F,)`` bool: on which frames another subject may be where this one is looked for."""
    crowded = np.zeros(len(frames), dtype=bool)
    if not len(frames):
        return crowded
    where = subject.expected(frames)
    side = ENLARGED * where[:, 2:].max(axis=1, keepdims=True)
    middle = where[:, :2] + where[:, 2:] / 2
    for other in others:
        theirs = other.expected(frames)
        low, high = boxes.corners(theirs)
        # A box that is not known is the whole frame; who was never seen anywhere is known to be nowhere.
        apart = ((high < middle - side / 2) | (low > middle + side / 2)).any(axis=1)
        away = np.isnan(theirs).any(axis=1) | vacant(other.track, frames).all(axis=1)
        crowded |= ~(apart | away)
    return crowded
