"""First guesses as training sees them: like those of linear interpolation and optical flow, and worse."""

from __future__ import annotations

import numpy as np

from models.clips import Clip


def disturb(rng: np.random.Generator, start: np.ndarray, clip: Clip, *, strongly: bool) -> np.ndarray:
    """Change a first guess at random.

    Some keypoints are drawn towards the truth, so that the network also learns to keep what is right; some are bent
    away between their labels; all may tremble.

    Args:
        rng: Draws the changes.
        start: ``(T, K, 2)``.
        clip: With the truth.
        strongly: Whether to draw towards the truth and bend, else only to tremble.
    """
    points = start.shape[1]
    if strongly:
        if rng.random() < 0.4:
            share = rng.random((1, points, 1)) * (rng.random((1, points, 1)) < 0.3)
            start = start + share * (clip.xy - start)
        if rng.random() < 0.5:
            bow = np.sin(np.pi * clip.window.elapsed)[..., None]
            bent = rng.random((1, points, 1)) < 0.25
            start = start + bent * bow * rng.normal(0, 8, (1, points, 2))
    if rng.random() < 0.3:
        start = start + rng.normal(0, rng.uniform(0, 1), start.shape)
    return np.asarray(start)
