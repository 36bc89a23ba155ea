"""Clips of subjects: a labelled centre frame and those around it, as an estimator sees them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.estimators.estimator import EstimatorConfig
from models.estimators.losses import Truth
from models.estimators.views import InputView, ViewChange, box_of, view_of
from models.training.augmentation import Augmentation
from models.training.negatives import balanced, examples
from models.training.stills import Stills
from models.training.subjects import Subject
from pose.frames import OnStep, no_step
from pose.skeleton import Skeleton

_PLAIN = ViewChange()


@dataclass(frozen=True, eq=False)
class Example:
    """One example.

    Attributes:
        images: ``(T, H, W, 3)`` uint8 RGB.
        xy: ``(T, K, 2)`` float32 input pixels.
        weight: ``(T, K)`` float32 how much each point counts, be it placed or absent.
        absent: ``(T, K)`` bool which points are known to be absent.
        view: From the frame to the input, before the picture was mirrored if it was.
        subject: Position of the subject.
        row: Of its track, that of the centre frame.
    """

    images: np.ndarray
    xy: np.ndarray
    weight: np.ndarray
    absent: np.ndarray
    view: InputView
    subject: int
    row: int


class Clips:
    """The clips of some subjects, one for each labelled frame; see ``models.training.negatives`` for empty ones.

    Args:
        subjects: Whose.
        skeleton: Of their keypoints.
        config: Of the estimator that is to see them.
        store: A file for what was decoded; it is written anew.
        step: Called for each frame that is decoded; what it raises ends this.

    Raises:
        ValueError: A subject has another number of keypoints.
        OSError: A video cannot be read, or the file cannot be written.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        skeleton: Skeleton,
        config: EstimatorConfig,
        store: Path,
        step: OnStep = no_step,
    ) -> None:
        for subject in subjects:
            if subject.track.num_keypoints != skeleton.size:
                raise ValueError(
                    f"{subject.name} has {subject.track.num_keypoints} keypoints, {skeleton.name} {skeleton.size}"
                )
        self.subjects, self.config = subjects, config
        self._mirror = skeleton.mirror()
        self._symmetric = bool(skeleton.swap)
        rows = examples(subjects)
        self._stills = Stills(subjects, rows, config.deltas, (config.height, config.width), store, step)
        self._weights = balanced(subjects, rows)
        self._examples = [(number, row) for number, mine in enumerate(rows) for row in mine.tolist()]

    def __len__(self) -> int:
        return len(self._examples)

    def get(
        self, index: int, augmentation: Augmentation | None = None, rng: np.random.Generator | None = None
    ) -> Example:
        """A clip, changed at random where ``augmentation`` and ``rng`` are given."""
        number, row = self._examples[index]
        subject = self.subjects[number]
        centre, known = int(subject.track.frames[row]), subject.positive[row]
        change, around = _PLAIN, known
        if augmentation is not None and rng is not None:
            change = augmentation.change(rng, symmetric=self._symmetric)
            if known.any():
                around = augmentation.half_body(rng, subject.track.xy[row], known)
        if known.any():
            box = box_of(subject.track.xy[row], around.astype(np.uint8))
        else:
            box = self._stills.box(number, centre)
        view = view_of(box, self.config.height, self.config.width, change)
        frames = self._frames(number, centre)
        seen = np.stack([self._stills.get(number, frame).seen(view) for frame in frames])
        points, counted, absent = self._labels(number, frames)
        places = view.to_input(points).astype(np.float32)
        if change.mirrored:
            places, counted, absent = (each[:, self._mirror] for each in (places, counted, absent))
        if augmentation is not None and rng is not None:
            seen = augmentation.spoil(rng, seen)
        counted = np.where(absent | _inside(places, self.config), counted, 0)
        return Example(seen, places, counted, absent, view, number, row)

    def _frames(self, number: int, centre: int) -> list[int]:
        """The frames of a clip; beyond the ends of the video the centre frame takes their place."""
        wanted = [centre + delta for delta in self.config.deltas]
        return [frame if self._stills.has(number, frame) else centre for frame in wanted]

    def _labels(self, number: int, frames: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Frame pixels ``(T, K, 2)`` of a subject's points, how much they count ``(T, K)``, and which are absent."""
        track, wanted = self.subjects[number].track, np.asarray(frames)
        row = np.minimum(np.searchsorted(track.frames, wanted), len(track) - 1)
        there = (track.frames[row] == wanted)[:, None]
        weight = np.where(there, self._weights[number][row], np.float32(0))
        return np.where(there[..., None], track.xy[row], 0), weight, there & track.absent[row]


def _inside(xy: np.ndarray, config: EstimatorConfig) -> np.ndarray:
    """Return whether points lie on the input: elsewhere no heat map can show them."""
    inside: np.ndarray = np.all((xy > -0.5) & (xy < (config.width - 0.5, config.height - 0.5)), axis=-1)
    return inside


@dataclass(frozen=True, eq=False)
class Batch:
    """Clips side by side.

    Attributes:
        frames: ``(B, T, 3, H, W)`` uint8.
        truth: What is known of them.
        clips: The clips themselves.
    """

    frames: Tensor
    truth: Truth
    clips: Sequence[Example]


def stack(clips: Sequence[Example]) -> Batch:
    """Put clips side by side."""
    images = torch.from_numpy(np.stack([clip.images for clip in clips])).permute(0, 1, 4, 2, 3)
    parts = (np.stack([getattr(clip, name) for clip in clips]) for name in ("xy", "weight", "absent"))
    return Batch(images, Truth(*map(torch.from_numpy, parts)), clips)
