"""Comparison of a followed point with its labels: flow also ends somewhere when the point has left the picture.

Optical flow that goes forward and backward agrees with itself on whatever it follows, on the background too, and with a
camera that moves it moves along. So what lies around a point is compared with what lay around its labels: histograms of
gradients (Lowe, *Distinctive image features from scale-invariant keypoints*, IJCV 2004) of a small and a large patch,
which neither light nor contrast changes, against the label's patches turned and scaled a little. What the two labels
next to a frame show counts both; the better one decides. The weights, and the way from a resemblance to a probability,
are ours.
"""

from __future__ import annotations

import cv2
import numpy as np

from models.engines.crop_cache import CropCache
from models.engines.gap import Gap

#: Sides of the patches in pixels of the crop, in which a subject has a diagonal of 160.
SIDES = (60.0, 120.0)

#: How a label's patch is turned, in degrees, and scaled: limbs turn, subjects come nearer.
TURNS = (-60.0, -30.0, 0.0, 30.0, 60.0)
SCALES = (0.75, 1.0, 1.33)

_CELLS, _SAMPLES, _BINS = 4, 16, 8
_FLAT = 4.0  # gray levels of contrast below which a patch counts as plain, whatever noise it holds
_AT_ONCE = 8192  # patches that OpenCV cuts together
_MOST = 0.2  # of a histogram in one bin, as in Lowe's paper

# Resemblance at which a point is as likely there as not, and how fast that changes.
_POINT, _POINT_SLOPE = 0.42, 12.0
_SUBJECT, _SUBJECT_SLOPE = 0.47, 18.0


def seen_again(crops: CropCache, gap: Gap, xy: np.ndarray, reach: float) -> np.ndarray:
    """``(F, K)`` probability that what is seen at a place is the point that was labelled; 1 where nobody looked.

    Args:
        crops: With a gray crop of the gap.
        gap: The frames and their labels.
        xy: ``(F, K, 2)`` places in frame pixels.
        reach: Frames from the nearer label beyond which nobody looks.
    """
    looked = gap.known & (gap.steps > 0) & (gap.steps < reach)
    rows = np.flatnonzero(looked.any(axis=1))
    there = np.ones(looked.shape)
    if not len(rows):
        return there
    near = {*gap.before[gap.has_before & looked.any(axis=0)].tolist()}
    near |= {*gap.after[gap.has_after & looked.any(axis=0)].tolist()}
    images = crops.grays(sorted({*gap.frames[rows].tolist(), *near}))
    alike = resemblance(crops, gap, images, rows, xy)
    point = 1 / (1 + np.exp(-_POINT_SLOPE * (alike - _POINT)))
    counted = looked[rows]
    mean = np.where(counted, alike, 0).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
    subject = 1 / (1 + np.exp(-_SUBJECT_SLOPE * (mean - _SUBJECT)))
    there[rows] = np.where(counted, point * subject[:, None], 1)
    return there


def resemblance(
    crops: CropCache, gap: Gap, images: dict[int, np.ndarray], rows: np.ndarray, xy: np.ndarray
) -> np.ndarray:
    """``(R, K)`` how much some of a gap's frames resemble the labels at places ``(F, K, 2)``, up to 1."""
    alike = np.zeros((len(rows), xy.shape[1]))
    for side in SIDES:
        pictures = {frame: _blurred(image, side) for frame, image in images.items()}
        crops.step()
        labelled = _of_labels(crops, gap, pictures, side)
        # Frame by frame, so that the result on one has the same bits whichever frames are asked for with it.
        for place, row in enumerate(rows):
            crops.step()
            found = _describe(_cut(pictures[int(gap.frames[row])], crops.gray.to_crop(xy[row]), side * _GRID))
            alike[place] += np.einsum("vkd,kd->vk", labelled, found).max(axis=0)
    return alike / len(SIDES)


def _of_labels(crops: CropCache, gap: Gap, pictures: dict[int, np.ndarray], side: float) -> np.ndarray:
    """``(V, K, D)`` descriptions of the labels' patches, turned and scaled; 0 where there is no label."""
    size = _CELLS * _CELLS * _BINS + 1
    labelled = np.zeros((2, len(_VARIANTS), len(gap.before), size), dtype=np.float32)
    ends = ((gap.before, gap.begin, gap.has_before), (gap.after, gap.end, gap.has_after))
    for end, (frames, places, has) in enumerate(ends):
        for frame in np.unique(frames[has]):
            if int(frame) in pictures:
                k = np.flatnonzero(has & (frames == frame))
                patches = _cut(pictures[int(frame)], crops.gray.to_crop(places[k]), side * _VARIANTS[:, None])
                labelled[end][:, k] = _describe(patches)
    return labelled.reshape(2 * len(_VARIANTS), len(gap.before), size)


def _blurred(image: np.ndarray, side: float) -> np.ndarray:
    blurred: np.ndarray = cv2.GaussianBlur(image, (0, 0), 0.5 * side / _SAMPLES)
    return blurred


def _grid() -> np.ndarray:
    steps = (np.arange(_SAMPLES + 2) - (_SAMPLES + 1) / 2) / _SAMPLES
    return np.stack(np.meshgrid(steps, steps), axis=-1)  # (S, S, 2), with a rim for the gradients


def _variants() -> np.ndarray:
    """``(V, S, S, 2)`` the grid turned and scaled."""
    angles = np.deg2rad(TURNS)
    turns = np.array([[[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]] for angle in angles])
    variants: np.ndarray = np.concatenate([scale * _GRID @ turns[:, None] for scale in SCALES])
    return variants


def _shares() -> np.ndarray:
    centres = (np.arange(_SAMPLES) + 0.5) * _CELLS / _SAMPLES - 0.5
    shares: np.ndarray = np.maximum(1 - np.abs(centres[:, None] - np.arange(_CELLS)), 0)  # (samples, cells)
    return shares


def _window() -> np.ndarray:
    bell = np.exp(-2 * ((np.arange(_SAMPLES) - (_SAMPLES - 1) / 2) / _SAMPLES) ** 2)
    window: np.ndarray = np.outer(bell, bell)
    return window


_GRID = _grid()
_VARIANTS = _variants()
# (S * S, cells * cells): what each sample counts in each cell
_POOL = (np.einsum("yi,xj->yxij", _shares(), _shares()) * _window()[..., None, None]).reshape(_SAMPLES**2, -1)
_POOL = _POOL.astype(np.float32)
_DIRECTIONS = np.exp(2j * np.pi * np.arange(_BINS) / _BINS)


def _cut(picture: np.ndarray, xy: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """``(..., N, S, S)`` patches around places ``(N, 2)``, sampled on grids ``(..., 1, S, S, 2)`` or one grid."""
    at = (xy[:, None, None] + grid).astype(np.float32)
    flat = at.reshape(-1, at.shape[-2] * at.shape[-3], 2)
    parts = [
        cv2.remap(picture, part[..., 0], part[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        for part in (flat[first : first + _AT_ONCE] for first in range(0, len(flat), _AT_ONCE))
    ]
    cut: np.ndarray = np.concatenate(parts).reshape(at.shape[:-1]).astype(np.float32)
    return cut


def _describe(patches: np.ndarray) -> np.ndarray:
    """``(..., D)`` unit vectors of patches ``(..., S, S)``: histograms of gradients, and how plain they are.

    Two of them multiplied give a coefficient of correlation.
    """
    across = patches[..., 1:-1, 2:] - patches[..., 1:-1, :-2]
    down = patches[..., 2:, 1:-1] - patches[..., :-2, 1:-1]
    shape = patches.shape[:-2]
    strength = np.maximum(np.hypot(across, down), 1e-6)
    across, down = across / strength, down / strength
    channels = []
    for direction in _DIRECTIONS:
        # A direction's share is the fourth power of the cosine: a gradient counts in two or three.
        share = np.maximum(across * np.float32(direction.real) + down * np.float32(direction.imag), 0)
        share *= share
        channels.append((share * share * strength).reshape(*shape, -1) @ _POOL)
    cells = np.concatenate(channels, axis=-1)
    plain = np.full((*shape, 1), _FLAT * _SAMPLES**2 / (_CELLS * np.sqrt(_BINS)), dtype=np.float32)
    for _ in range(2):
        norm = np.linalg.norm(np.concatenate([cells, plain], axis=-1), axis=-1, keepdims=True)
        cells, plain = np.minimum(cells / norm, _MOST), plain / norm
    # What all patches have in common tells nothing.
    vectors = np.concatenate([cells - cells.mean(axis=-1, keepdims=True), plain], axis=-1)
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return unit
