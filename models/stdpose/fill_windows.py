"""Which frames of a gap a network fills together, and between which labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.engines.flow import HORIZON
from models.engines.gap import Gap
from models.stdpose.windows import Window


@dataclass(frozen=True, eq=False)
class FillWindow:
    """Frames of a gap that the network is to fill together, and for which keypoints.

    ``origin`` is the gap's first frame; ``wanted`` ``(F, K)`` tells where the result is used; ``distance`` ``(F, K)``
    counts frames from the label where the other side is open or out of reach, and is 0 elsewhere.
    """

    window: Window
    keypoints: np.ndarray
    origin: int
    wanted: np.ndarray
    distance: np.ndarray


def fill_windows(gap: Gap) -> Iterator[FillWindow]:
    """One where all labels are within reach of each other, else up to two: from the labels before, and after."""
    together = gap.closed & (gap.after - gap.before <= HORIZON)
    distance = np.where(together, 0.0, gap.steps)
    before_nearer = gap.steps_before <= gap.steps_after
    for backward in (False, True):
        side = ~before_nearer if backward else before_nearer | together
        wanted = side & (distance < HORIZON) & (gap.steps > 0) & ~(together & backward)
        k = np.flatnonzero(wanted.any(axis=0))
        if not len(k):
            continue
        has_before, has_after = gap.has_before[k], gap.has_after[k]
        has_before, has_after = has_before & (together[k] | (not backward)), has_after & (together[k] | backward)
        used = gap.frames[wanted.any(axis=1)]
        closing = bool((has_after & (gap.after[k] == gap.frames[-1] + 1)).any())
        window = Window(
            times=np.arange(used[0], used[-1] + 1 + closing),
            before=np.where(has_before, gap.before[k], gap.after[k]),
            after=np.where(has_after, gap.after[k], gap.before[k]),
            has_before=has_before,
            has_after=has_after,
            begin=np.where(has_before[:, None], gap.begin[k], gap.end[k]),
            end=np.where(has_after[:, None], gap.end[k], gap.begin[k]),
        )
        yield FillWindow(window, k, int(gap.frames[0]), wanted, distance)
