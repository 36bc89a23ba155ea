"""Training scenes from real video that nobody labelled: points followed by a teacher become the truth.

The teacher is optical flow at full rate and full size, forward and backward, believed only where both directions agree
and where a point still looks as it did at first. What is learnt from it sees fewer frames, smaller, and with things in
front. The idea, real video with tracks of teachers as targets, is that of Karaev et al., *CoTracker3* (arXiv
2410.11831); that the teacher is optical flow which sees more of the video than the student is ours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pose.frame_table import scan
from pose.video import VideoReader

#: Frames of a stretch of video.
FRAMES = 61

_LONGEST = 640  # pixels of the larger side that the teacher sees
_CORNERS = 400  # places that are followed, over the whole picture
_POINTS = 24  # of a subject
_SIZES = (60.0, 240.0)  # pixels of a subject's box
_LEAST = 5  # points that make a subject
_SHORTEST = 9  # frames on which a point is followed
_DISAGREEMENT = 0.75  # pixels between a point and where it comes back to, in one step
_PATCH = 21  # pixels
_ALIKE = 0.35  # correlation of a patch with the first one, below which a point counts as lost
_SUBJECTS = 4
_WINDOW, _PYRAMID_LEVELS = (21, 21), 4
_STOP = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 0.01)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Frames, and where the points of some subjects are on them.

    Attributes:
        images: ``(F, H, W, 3)`` uint8 RGB.
        positions: For each subject ``(F, K, 2)`` pixels.
        visibility: For each subject ``(F, K)`` uint8, 0 where the place is not known.
    """

    images: np.ndarray
    positions: tuple[np.ndarray, ...]
    visibility: tuple[np.ndarray, ...]


def filmed(rng: np.random.Generator, videos: Sequence[Path]) -> Stretch | None:
    """A stretch of one of some videos; None where nothing in it could be followed.

    Args:
        rng: Draws video, stretch and points.
        videos: Files.
    """
    images = _decode(rng, videos[int(rng.integers(len(videos)))])
    if len(images) < 12:
        return None
    gray = [np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)) for image in images]
    middle = int(rng.integers(len(gray) // 4, 3 * len(gray) // 4))
    points = _places(rng, gray[middle], _change(gray, middle))
    if len(points) < _LEAST:
        return None
    xy, known = _follow(gray, middle, points)
    kept = known.sum(axis=0) >= _SHORTEST
    xy, known = xy[:, kept], known[:, kept]
    subjects = _subjects(rng, xy, known, middle)
    if not subjects:
        return None
    return Stretch(
        np.stack(images),
        tuple(xy[:, chosen] for chosen in subjects),
        tuple(np.where(known[:, chosen], 2, 0).astype(np.uint8) for chosen in subjects),
    )


def _decode(rng: np.random.Generator, path: Path) -> list[np.ndarray]:
    table = scan(path)
    first = int(rng.integers(0, max(1, table.num_frames - FRAMES + 1)))
    with VideoReader(path, table) as video:
        scale = min(1.0, _LONGEST / max(video.width, video.height))
        size = (round(video.width * scale), round(video.height * scale))
        frames = video.frames(first, min(first + FRAMES, table.num_frames))
        return [
            cv2.resize(frame, size, interpolation=cv2.INTER_AREA) if scale < 1 else frame.copy() for frame in frames
        ]


def _change(gray: list[np.ndarray], middle: int) -> np.ndarray:
    """``(H, W)`` by how much each place changes around a frame, at least a little."""
    near = gray[max(0, middle - 2)], gray[min(len(gray) - 1, middle + 2)]
    change = sum(cv2.absdiff(gray[middle], other).astype(np.float32) for other in near)
    return np.asarray(cv2.GaussianBlur(np.asarray(change), (0, 0), 3)) + 1.0


def _places(rng: np.random.Generator, image: np.ndarray, change: np.ndarray) -> np.ndarray:
    """``(N, 2)`` corners, and places anywhere on edges, for joints are seldom corners; most where something moves."""
    found = cv2.goodFeaturesToTrack(image, 3 * _CORNERS, 0.003, 4)
    corners = np.zeros((0, 2)) if found is None else np.asarray(found).reshape(-1, 2)
    moving = change[corners[:, 1].astype(int), corners[:, 0].astype(int)] ** 2
    corners = corners[rng.choice(len(corners), min(_CORNERS, len(corners)), replace=False, p=moving / moving.sum())]
    slope = cv2.magnitude(cv2.Sobel(image, cv2.CV_32F, 1, 0), cv2.Sobel(image, cv2.CV_32F, 0, 1))
    odds = ((slope + 1) * change**2).ravel().astype(np.float64)
    drawn = rng.choice(odds.size, _CORNERS // 2, replace=False, p=odds / odds.sum())
    edges = np.stack([drawn % image.shape[1], drawn // image.shape[1]], axis=-1)
    return np.concatenate([corners, edges]).astype(np.float32)


def _follow(gray: list[np.ndarray], middle: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    xy = np.repeat(points[None], len(gray), axis=0)
    known = np.zeros(xy.shape[:2], dtype=bool)
    known[middle] = True
    first = [_patch(gray[middle], point) for point in points]
    for step in (1, -1):
        alive = np.ones(len(points), dtype=bool)
        for t in range(middle + step, len(gray) if step > 0 else -1, step):
            there, back = _there_and_back(gray[t - step], gray[t], xy[t - step])
            alive &= np.linalg.norm(back - xy[t - step], axis=-1) < _DISAGREEMENT
            alive &= ((there >= 0) & (there <= (gray[t].shape[1] - 1, gray[t].shape[0] - 1))).all(axis=-1)
            for row in np.flatnonzero(alive):
                alive[row] = _likeness(first[row], _patch(gray[t], there[row])) > _ALIKE
            xy[t] = np.where(alive[:, None], there, xy[t - step])
            known[t] = alive
            if not alive.any():
                break
    return xy, known


def _there_and_back(image: np.ndarray, following: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    flat = points.reshape(-1, 1, 2).astype(np.float32)
    there, found = _flow(image, following, flat)
    back, returned = _flow(following, image, there)
    lost = (found.ravel() == 0) | (returned.ravel() == 0)
    back = np.where(lost[:, None], np.inf, back.reshape(-1, 2))
    return np.asarray(there).reshape(-1, 2), np.where(np.isfinite(back), back, 1e6)


def _flow(image: np.ndarray, following: np.ndarray, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        image, following, points, points.copy(), winSize=_WINDOW, maxLevel=_PYRAMID_LEVELS, criteria=_STOP
    )
    return np.asarray(there), np.asarray(found)


def _patch(image: np.ndarray, point: np.ndarray) -> np.ndarray:
    patch = cv2.getRectSubPix(image, (_PATCH, _PATCH), (float(point[0]), float(point[1]))).astype(np.float32)
    patch -= patch.mean()
    return patch / max(1.0, float(np.linalg.norm(patch)))


def _likeness(first: np.ndarray, now: np.ndarray) -> float:
    return float((first * now).sum())


def _subjects(rng: np.random.Generator, xy: np.ndarray, known: np.ndarray, middle: int) -> list[np.ndarray]:
    """Indices of points near each other, around places that are likelier the more they move against the picture."""
    if not xy.shape[1]:
        return []
    steps = np.where((known[1:] & known[:-1])[..., None], np.diff(xy, axis=0), np.nan)
    camera = np.zeros((len(steps), 2))
    followed = np.isfinite(steps[..., 0]).any(axis=1)
    camera[followed] = np.nanmedian(steps[followed], axis=1)
    moves = np.nan_to_num(np.linalg.norm(steps - camera[:, None], axis=-1))
    interest = (moves.sum(axis=0) / np.maximum(1, np.isfinite(steps[..., 0]).sum(axis=0))) ** 1.5 + 0.01
    chosen = []
    for _ in range(_SUBJECTS):
        centre = xy[middle, rng.choice(len(interest), p=interest / interest.sum())]
        near = np.flatnonzero((np.abs(xy[middle] - centre) < rng.uniform(*_SIZES) / 2).all(axis=-1))
        if len(near) < _LEAST:
            continue
        odds = interest[near] / interest[near].sum()
        chosen.append(np.sort(rng.choice(near, min(_POINTS, len(near)), replace=False, p=odds)))
    return chosen
