"""A baseline that does not look at the picture: average poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.evaluation.judged import LabelledPrediction
from pose import boxes
from pose.track import Track


def average_poses(judged: Sequence[LabelledPrediction]) -> list[LabelledPrediction]:
    """The mean pose of all labels, in the box of each label: the answer of an estimator that sees nothing but boxes.

    Each keypoint is at its mean place relative to the tight box of the known points.
    """
    count = judged[0].truth.num_keypoints if judged else 0
    total, labels = np.zeros((count, 2)), np.zeros(count)
    for one in judged:
        known = one.truth.visibility > 0
        box = boxes.around(one.truth.xy, known)[:, None]
        size = np.where(box[..., 2:] > 0, box[..., 2:], 1.0)
        total += np.where(known[..., None], (one.truth.xy - box[..., :2]) / size, 0).sum(axis=0)
        labels += known.sum(axis=0)
    mean = total / np.maximum(labels, 1)[:, None]
    return [replace(one, guess=_laid(mean, one.truth)) for one in judged]


def _laid(mean: np.ndarray, truth: Track) -> Track:
    known = truth.visibility > 0
    box = boxes.around(truth.xy, known)[:, None]
    xy = box[..., :2] + mean * box[..., 2:]
    return Track.labelled(truth.frames, np.concatenate([xy, np.where(known, 2, 0)[..., None]], axis=-1))
