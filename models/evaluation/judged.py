"""An estimator's poses beside the labels of people: what every figure, the gate and the report are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pose.metrics import PointErrors, normalised_errors
from pose.track import Track


@dataclass(frozen=True, eq=False)
class LabelledPrediction:
    """One subject on frames that were held out.

    Attributes:
        name: ``VIDEO/TRACK``; tells it from the others.
        truth: ``(F, K)`` labels of a person, which nothing was learnt from.
        guess: Poses on the same frames; a frame or a point that it lacks counts as wrong.
        head_size: ``(F,)`` pixels on the frames of the truth, where head boxes are known, see
            ``pose.posetrack_ap.head_sizes``.
    """

    name: str
    truth: Track
    guess: Track
    head_size: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.guess.num_keypoints != self.truth.num_keypoints:
            raise ValueError(
                f"{self.name}: the guess has {self.guess.num_keypoints} keypoints, the truth {self.truth.num_keypoints}"
            )
        if self.head_size is not None and self.head_size.shape != self.truth.frames.shape:
            raise ValueError(f"{self.name}: {self.head_size.shape} head sizes for {len(self.truth)} frames")

    @property
    def video(self) -> str:
        """The video that the subject is in; subjects of one video share it."""
        return self.name.rpartition("/")[0] or self.name

    def errors(self) -> PointErrors:
        """By the convention of ``pose.metrics``."""
        return normalised_errors(self.truth, self.guess)


def check(judged: Sequence[LabelledPrediction]) -> None:
    """See that subjects can be looked at together.

    Raises:
        ValueError: Two share a name, or their skeletons differ.
    """
    names = [one.name for one in judged]
    if len(set(names)) < len(names):
        raise ValueError(f"subject {next(name for name in names if names.count(name) > 1)} is there twice")
    if len({one.truth.num_keypoints for one in judged}) > 1:
        raise ValueError("the subjects have different skeletons")
