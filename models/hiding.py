"""The errors of an engine on a video: hide a person's keyframe, propagate from those around it, compare.

Only the frame in question is asked for, and engines remember what they saw, so that a hidden keyframe costs the way
through the two gaps that it parts. Which ones are hidden is drawn by a fixed seed: the same labels give the same ones.
An engine that was fitted to the labels has seen what is hidden, and its errors there are too small: it must be fitted
anew without them, see :func:`folds`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from models.engines.cuts import Cuts
from models.engines.engine import Engine
from models.propagate import propagate_segment
from pose.calibration.residuals import Residuals, compare
from pose.frames import FrameSource
from pose.segments import Segment
from pose.track import Track

#: Keyframes of a video that are hidden at most, in each way; more would tell little that these do not.
MOST = 64

_SEED = 0x41DE


@dataclass(frozen=True)
class Hidden:
    """A keyframe to hide.

    Attributes:
        track: Whose.
        frame: Where.
        way: ``between``: it alone, so that its neighbours on both sides are left; ``after`` and ``before``: with all
            keyframes beyond it, as if the one before it, or after it, were the last one.
    """

    track: int
    frame: int
    way: Literal["between", "after", "before"]

    def given(self, labels: Track) -> Track:
        """The labels that are left."""
        if self.way == "between":
            return labels.select(labels.frames != self.frame)
        beyond = labels.frames >= self.frame if self.way == "after" else labels.frames <= self.frame
        return labels.select(~beyond)


def choose(keyframes: Mapping[int, Track], most: int = MOST, seed: int = _SEED) -> list[Hidden]:
    """Choose keyframes to hide: all, or so many drawn at random, in order of way, frame and track.

    A keyframe with labels on one side only can be hidden in that way alone, and one that has none beside it in none.

    Args:
        keyframes: Labels by track id.
        most: Keyframes that are hidden at most, ``most`` with labels on both sides and ``most`` with labels on one.
        seed: Of the draw.
    """
    between: list[Hidden] = []
    outside: list[Hidden] = []
    for number, labels in keyframes.items():
        placed = labels.frames[labels.visibility.any(axis=1)].tolist()
        between += [Hidden(number, frame, "between") for frame in placed[1:-1]]
        outside += [Hidden(number, frame, "after") for frame in placed[1:]]
        outside += [Hidden(number, frame, "before") for frame in placed[:-1]]
    rng = np.random.default_rng(seed)
    chosen = []
    for some in (between, outside):
        some.sort(key=lambda one: (one.way, one.frame, one.track))
        rows = np.sort(rng.permutation(len(some))[:most])
        chosen += [some[row] for row in rows]
    return chosen


def lasting(hidden: Sequence[Hidden], most: int = MOST) -> list[Hidden]:
    """Take so many of what could be hidden that stay the same ones, all but a few, as labels are added.

    Each has a rank of its own, drawn by its place. So the errors on most are known from the last time, and who has not
    the time for all has seen a sample of all. Those with labels on both sides and those with labels on one take turns.

    Args:
        hidden: What could be hidden.
        most: How many with labels on both sides, and how many with labels on one.

    Returns:
        Those with the lowest ranks, ascending.
    """
    ranked = sorted(hidden, key=_rank)
    between = [one for one in ranked if one.way == "between"][:most]
    outside = [one for one in ranked if one.way != "between"][:most]
    turns = [(place, one) for some in (between, outside) for place, one in enumerate(some)]
    return [one for _, one in sorted(turns, key=lambda turn: turn[0])]


def _rank(one: Hidden) -> bytes:
    return hashlib.blake2b(f"{_SEED} {one.way} {one.track} {one.frame}".encode(), digest_size=8).digest()


def hide(
    video: FrameSource,
    keyframes: Mapping[int, Track],
    engine: Engine,
    hidden: list[Hidden],
    cuts: Cuts | None = None,
) -> Iterator[Residuals]:
    """Propagate to hidden keyframes from those that are left, one after the other.

    Args:
        video: The frames.
        keyframes: Labels by track id.
        engine: One that has not been fitted to what is hidden.
        hidden: What to hide.
        cuts: What is known of the video's cuts; more is added to it as it is found.

    Yields:
        The errors on each, of no point where nothing was carried to it.
    """
    known = Cuts() if cuts is None else cuts
    diagonal = float(np.hypot(video.width, video.height))
    for one in hidden:
        labels = keyframes[one.track]
        given = one.given(labels)
        segment = Segment(one.frame, one.frame + 1)
        poses = propagate_segment(engine, video, given, segment, known)
        yield compare(one.track, labels.between(one.frame, one.frame + 1), poses, given, diagonal)


def folds(keyframes: Mapping[int, Track], parts: int) -> list[dict[int, Track]]:
    """Labels without some keyframes, by which an engine is fitted that has not seen those.

    Inner keyframes are dealt out in turn, so that their neighbours stay; the first and the last one always do.

    Args:
        keyframes: Labels by track id.
        parts: How many folds.

    Returns:
        For each fold the labels that are left; those without a keyframe to hide are left out.
    """
    left = []
    for part in range(parts):
        fold = {}
        for number, labels in keyframes.items():
            inner = np.arange(len(labels))
            away = (inner % parts == part) & (inner > 0) & (inner < len(labels) - 1)
            fold[number] = labels.select(~away)
        if any(len(fold[number]) < len(labels) for number, labels in keyframes.items()):
            left.append(fold)
    return left
