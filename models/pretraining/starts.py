"""First guesses as training sees them: like those of linear interpolation and optical flow, and worse."""

from __future__ import annotations

import numpy as np

from models.pretraining.clips import Clip


def pretend_detector(rng: np.random.Generator, clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints as a detector fitted to the clip might find them, for the verifier to learn from.

    Fitting one takes too long for training. The errors of real ones drift slowly, are partly those of the flow that
    they learnt from, vanish at labels, and now and then are those of another keypoint; how sure they are says a little
    about them.

    Returns:
        ``(T, K, 2)`` crop pixels and ``(T, K)`` how sure it is, 0 to 1.
    """
    length, points = clip.flow.shape[:2]
    kernel = np.exp(-0.5 * (np.arange(-9, 10) / 3) ** 2)
    white = rng.normal(size=(2 * points, length + len(kernel) - 1))
    drift = np.stack([np.convolve(series, kernel, "valid") for series in white]) / np.sqrt((kernel**2).sum())
    spread = 0.022 * np.exp(rng.normal(0, 0.7, points)) * clip.size
    error = drift.reshape(points, 2, length).transpose(2, 0, 1) * spread[:, None]
    error += rng.choice([0.0, 0.3, 0.7], points)[:, None] * (clip.flow - clip.xy)
    for k in np.flatnonzero(rng.random(points) < 0.12):
        begin = int(rng.integers(length))
        mistaken = slice(begin, begin + int(rng.integers(2, 12)))
        error[mistaken, k] = clip.xy[mistaken, rng.integers(points)] - clip.xy[mistaken, k]
    steps = np.where(np.stack([clip.window.has_before, clip.window.has_after], axis=-1), clip.window.steps, np.inf)
    error *= np.minimum(steps.min(axis=-1) / 4, 1)[..., None]
    far = np.linalg.norm(error, axis=-1) / clip.size
    mass = 0.92 - np.minimum(1.5 * far, 0.5) + rng.normal(0, 0.05 + np.minimum(far, 0.15), far.shape)
    return clip.xy + error, np.clip(mass, 0.05, 0.97)


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
