"""Poses on frames whose picture is not their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pose.damage import inside
from pose.track import Track

#: The score of a pose that a machine gives to a damaged frame, at most: it saw another moment.
MOST_SCORE = 0.25


def doubted(poses: Track, damaged: Sequence[Sequence[int]]) -> Track:
    """A machine's poses with scores as low as they have to be on damaged frames.

    Args:
        poses: What it found.
        damaged: Ranges of damaged frames, ``start <= i < stop``.
    """
    if not damaged:
        return poses
    rows = inside(damaged, poses.frames)
    score = np.where(rows[:, None], np.minimum(poses.score, MOST_SCORE), poses.score)
    return replace(poses, score=score.astype(poses.score.dtype))
