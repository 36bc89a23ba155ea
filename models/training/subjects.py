"""Subjects: the labelled tracks that estimators learn from, and which of them are kept aside."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from models.estimators.views import boxes_on
from pose.frame_table import FrameTable
from pose.track import Track

_FEWEST_VIDEOS = 4  # fewer are not split by video
_BLOCKS = 8  # that a video's labelled frames are cut into, where videos are too few
_APART = 2  # labelled frames at the edge of a block that is kept aside, which belong to neither side


@dataclass(frozen=True, eq=False)
class Subject:
    """One track of one video, with what is known of it.

    Attributes:
        name: Tells it from others.
        video: Which video it is in; subjects of one video share it.
        path: What people labelled: a video file, a folder of numbered images, or an image.
        table: The frame table of a video file, where it is at hand.
        track: Its labelled frames.
        weight: ``(F, K)`` float32, how much each point counts, be it placed or absent: 1 for a person's label, its
            probability of being right for a pseudo-label, 0 where nothing is known.
        around: Poses that tell where it is looked for on frames where none is known; the track itself where None.
    """

    name: str
    video: str
    path: Path
    table: FrameTable | None
    track: Track
    weight: np.ndarray
    around: Track | None = None

    def __post_init__(self) -> None:
        if self.weight.shape != self.track.visibility.shape:
            raise ValueError(f"weights {self.weight.shape} do not fit labels {self.track.visibility.shape}")

    @classmethod
    def labelled(
        cls, name: str, path: Path, track: Track, *, video: str = "", table: FrameTable | None = None
    ) -> Subject:
        """A subject all of whose labels a person made."""
        return cls(name, video or str(path), path, table, track, track.said.astype(np.float32))

    @property
    def positive(self) -> np.ndarray:
        """``(F, K)`` bool, points that count and have a place."""
        positive: np.ndarray = (self.weight > 0) & ~self.track.absent
        return positive

    @property
    def negative(self) -> np.ndarray:
        """``(F, K)`` bool, points that count as absent."""
        negative: np.ndarray = (self.weight > 0) & self.track.absent
        return negative

    @property
    def labels(self) -> int:
        """Frames on which the place of a point counts."""
        return int(self.positive.any(axis=1).sum())

    @property
    def whereabouts(self) -> Track:
        """Poses that tell where the subject is on other frames; none where its place is known on no frame."""
        track = self.track if self.around is None else self.around
        placed: np.ndarray = np.any(track.visibility > 0, axis=1)
        return track.select(placed)

    def expected(self, frames: np.ndarray) -> np.ndarray:
        """``(F, 4)`` xywh boxes in which the subject is looked for; NaN where its place is known on no frame."""
        known = self.whereabouts
        return boxes_on(known, frames) if len(known) else np.full((len(frames), 4), np.nan)

    def select(self, rows: np.ndarray) -> Subject:
        """The subject with the labels of some rows of its track only; it is looked for where it was."""
        around = self.track if self.around is None else self.around
        return replace(self, track=self.track.select(rows), weight=self.weight[rows], around=around)


def digest_of(subjects: Sequence[Subject]) -> str:
    """SHA-256 of what is known of subjects, wherever their videos lie."""
    known = hashlib.sha256()
    for subject in subjects:
        known.update(f"{subject.name}\0{subject.track.visibility.shape}\0".encode())
        for part in (subject.track.frames, subject.track.xy, subject.weight):
            known.update(np.ascontiguousarray(part).tobytes())
        if subject.negative.any():
            where = subject.expected(subject.track.frames)
            known.update(np.ascontiguousarray(subject.track.absent).tobytes() + where.tobytes())
    return known.hexdigest()


def hold_out(subjects: Sequence[Subject], share: float, seed: int) -> tuple[list[Subject], list[Subject]]:
    """Split subjects into those to learn from and those to measure on.

    Frames of one moment look alike, so single frames are never drawn. Where there are four videos or more, whole videos
    are kept aside; where there are fewer, each track's labels are cut into eight blocks of time, of which some are kept
    aside, and the labels next to these are used for neither.

    Args:
        subjects: All.
        share: Of labels to keep aside, about.
        seed: Of the draw.

    Returns:
        Those to learn from, those kept aside; together they have no label twice.

    Raises:
        ValueError: The share is not between 0 and 1.
    """
    if not 0 < share < 1:
        raise ValueError(f"a share to keep aside is between 0 and 1, not {share}")
    rng = np.random.default_rng((seed, 0x5B117))
    videos = sorted({subject.video for subject in subjects})
    if len(videos) >= _FEWEST_VIDEOS:
        count = min(len(videos) - 1, max(1, round(share * len(videos))))
        aside = {videos[index] for index in rng.permutation(len(videos))[:count]}
        return (
            [subject for subject in subjects if subject.video not in aside],
            [subject for subject in subjects if subject.video in aside],
        )
    learnt, measured = [], []
    for subject in subjects:
        kept, aside_rows = _blocks(len(subject.track), share, rng)
        learnt.append(subject.select(kept))
        measured.append(subject.select(aside_rows))
    return [one for one in learnt if len(one.track)], [one for one in measured if len(one.track)]


def _blocks(count: int, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Which of ``count`` rows are learnt from, and which are measured on, as two masks."""
    blocks = min(_BLOCKS, count)
    block = np.arange(count) * blocks // max(1, count)
    chosen = rng.permutation(blocks)[: max(1, round(share * blocks)) if blocks > 1 else 0]
    aside = np.isin(block, chosen)
    near = aside.copy()
    if count >= _BLOCKS * 2 * _APART:
        for step in range(1, _APART + 1):
            near[step:] |= aside[:-step]
            near[:-step] |= aside[step:]
    return ~near, aside
