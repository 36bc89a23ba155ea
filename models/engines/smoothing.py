"""Taking the flicker out of detections: a detector sees frames singly, a tracker knows how points move between them."""

from __future__ import annotations

import numpy as np

_FRAMES = 3.0  # standard deviation of the kernel over time
_REACH = 9  # frames on each side that are looked at
_OUTLYING = 0.05  # share of the subject's size at which a detection counts half
_ROUNDS = 5


def steady(xy: np.ndarray, mass: np.ndarray, reference: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Smooth the differences between detections and a track over time, and add them to the track.

    The track may drift, but slowly; detections jump, but do not drift. A weighted mean of their differences over
    neighbouring frames, repeated with weights that fall with the distance from the mean so far, keeps the track's
    motion and takes the place from where most detections agree (a robust M-estimate; the weights are ours).

    Args:
        xy: ``(D, F, K, 2)`` detections of each detector on consecutive frames, frame pixels; at labels, these.
        mass: ``(D, F, K)`` how sure each is, 0 to 1; 1 at labels. Where all within reach are 0, the track stays.
        reference: ``(F, K, 2)`` the track.
        size: ``(F,)`` the subject's size in pixels.

    Returns:
        ``(F, K, 2)``.
    """
    scale = np.asarray(size, dtype=np.float64)[:, None, None]
    difference = (xy - reference) / scale
    count = difference.shape[1]
    drift = np.zeros(difference.shape[1:])
    for _ in range(_ROUNDS):
        total, evidence = np.zeros_like(drift), np.zeros(mass.shape[1:])
        for offset in range(-min(_REACH, count - 1), min(_REACH, count - 1) + 1):
            here = slice(max(0, -offset), count - max(0, offset))
            there = slice(max(0, offset), count - max(0, -offset))
            away = np.linalg.norm(difference[:, there] - drift[here], axis=-1) / _OUTLYING
            weight = np.exp(-((offset / _FRAMES) ** 2) / 2) * mass[:, there].astype(float) ** 2 / (1 + away**2)
            total[here] += (weight[..., None] * difference[:, there]).sum(axis=0)
            evidence[here] += weight.sum(axis=0)
        drift = total / np.maximum(evidence, np.finfo(float).tiny)[..., None]
    steadied: np.ndarray = reference + drift * scale
    return steadied
