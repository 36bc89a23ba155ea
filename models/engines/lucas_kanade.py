"""Following points from frame to frame by pyramidal Lucas-Kanade optical flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from pose.frames import OnStep, no_step

#: Each point moves with the consensus of itself and this many satellites around it.
SATELLITES = 6

#: Distance of the satellites in pixels, 4 % of a subject of 160 pixels.
SATELLITE_DISTANCE = 6.4

_WINDOW = (15, 15)
_PYRAMID_LEVELS = 3
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 20, 0.03)
_CONSENSUS_ROUNDS = 5
_SOFTENING = 0.1  # pixels below which disagreements are noise
_NO_TRUST = 1e-9  # of satellites outside the image: they do not move


@dataclass(frozen=True, eq=False)
class Chains:
    """Paths of ``N`` points through ``T`` images.

    Attributes:
        xy: ``(T, N, 2)`` places in pixels; the starting place before, and the last place after the part followed.
        drift: ``(T, N)`` pixels of forward-backward error summed up since the start.
    """

    xy: np.ndarray
    drift: np.ndarray


def follow(
    images: Sequence[np.ndarray], points: np.ndarray, first: np.ndarray, last: np.ndarray, step: OnStep = no_step
) -> Chains:
    """Follow points through images, each over its own part of them.

    A step from one image to the next tracks the point and ``SATELLITES`` around it (pyramidal Lucas-Kanade, Bouguet
    2001), tracks all of them back, and moves the point by their consensus: a weighted geometric median of the
    displacements, weighted by the forward-backward error (Kalal et al., *Forward-backward error*, ICPR 2010). What the
    backward check of the same points leaves over is the step's drift. The satellites let points on thin or plain parts
    follow the limb they are on; the combination is ours.

    Args:
        images: ``T`` gray images of one size, uint8, in the order in which points are followed: the reversed list
            follows backward in time.
        points: ``(N, 2)`` starting places in pixels; outside the image a point does not move.
        first: ``(N,)`` image a point starts from.
        last: ``(N,)`` image up to which it is followed, inclusive.
        step: Called at each image.
    """
    xy = np.repeat(points[None].astype(np.float64), len(images), axis=0)
    drift = np.zeros(xy.shape[:2])
    for t in range(len(images) - 1):
        step()
        xy[t + 1], drift[t + 1] = xy[t], drift[t]
        active = np.flatnonzero((first <= t) & (t < last))
        if len(active):
            move, error = _step(images[t], images[t + 1], xy[t, active])
            xy[t + 1, active] += move
            drift[t + 1, active] += error
    return Chains(xy, drift)


def _constellation() -> np.ndarray:
    angles = np.arange(SATELLITES) * (2 * np.pi / SATELLITES)
    ring = SATELLITE_DISTANCE * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    return np.concatenate([np.zeros((1, 2)), ring])


_OFFSETS = _constellation()


def _step(image: np.ndarray, following: np.ndarray, xy: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points = (xy[:, None] + _OFFSETS).astype(np.float32)  # (N, 1 + SATELLITES, 2)
    inside = ((points >= 0) & (points <= (image.shape[1] - 1, image.shape[0] - 1))).all(axis=-1)
    there = np.where(inside[..., None], _track(image, following, points), points)
    back = _track(following, image, there)
    error = np.where(inside, np.linalg.norm((back - points).astype(np.float64), axis=-1), SATELLITE_DISTANCE)
    moves = (there - points).astype(np.float64)

    trust = np.where(inside, 1 / (error + _SOFTENING), _NO_TRUST)
    trust[:, 0] *= 2
    weight, move = trust, _mean(trust, moves)
    for _ in range(_CONSENSUS_ROUNDS):
        weight = trust / (np.linalg.norm(moves - move[:, None], axis=-1) + _SOFTENING)
        move = _mean(weight, moves)
    return move, (weight * error).sum(axis=1) / weight.sum(axis=1)


def _mean(weight: np.ndarray, moves: np.ndarray) -> np.ndarray:
    mean: np.ndarray = (weight[..., None] * moves).sum(axis=1) / weight.sum(axis=1)[:, None]
    return mean


def _track(image: np.ndarray, following: np.ndarray, points: np.ndarray) -> np.ndarray:
    flat = points.reshape(-1, 1, 2)
    there, _, _ = cv2.calcOpticalFlowPyrLK(
        image, following, flat, flat.copy(), winSize=_WINDOW, maxLevel=_PYRAMID_LEVELS, criteria=_STOP
    )
    tracked = np.asarray(there).reshape(points.shape)
    return np.where(np.isfinite(tracked), tracked, points)
