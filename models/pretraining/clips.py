"""Training clips for propagation: subjects, labels on some frames, and the truth about the others.

Most subjects are rendered; where there are videos without labels, some are points of theirs that a teacher followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from models.backbones.config import pad
from models.engines.crop_cache import CropCache
from models.engines.flow import crop_of, weigh_candidates
from models.engines.gap import crop_of as gap_crop
from models.engines.gap import gaps
from models.engines.lru_cache import LruCache
from models.pretraining.augment import augment
from models.pretraining.filmed import Stretch, filmed
from models.stdpose.windows import Window
from pose.frames import InMemoryFrames
from pose.segments import Segment
from pose.synthetic import Scene, SceneSpec
from pose.track import Track

#: Frames of a training clip; shorter ones are likelier because they cost less.
LENGTHS = (8, 11, 14, 18, 21, 26, 33, 41)
_LENGTH_ODDS = (0.14, 0.16, 0.16, 0.16, 0.16, 0.1, 0.07, 0.05)

#: Most keypoints of a clip; a random choice where a subject has more.
MAX_KEYPOINTS = 20

_SIZES = ((320, 240), (320, 240), (256, 256), (384, 216), (240, 320))
_SCENE_FRAMES = 61
_FEWEST_KEYPOINTS = 3
_SHORTEST = 4  # part of a clip to be filled
_TRIES = 8


@dataclass(frozen=True)
class Films:
    """Videos that nobody labelled.

    Args:
        videos: Files.
        share: Of the scenes, those that are taken from them.
    """

    videos: tuple[Path, ...]
    share: float = 0.5


@dataclass(frozen=True, eq=False)
class Clip:
    """A subject cut out as the engine does it, with what is known and what is true, in crop pixels.

    Attributes:
        images: ``(F, H, W, 3)`` uint8 RGB of frames 0 to ``F - 1``, sides multiples of 16.
        window: Labels, and which ``T`` of the frames are to be filled.
        flow: ``(T, K, 2)`` what the engine flow makes of the labels: a first guess.
        hints: ``(G, T, K, 2)`` what flow makes it of, see ``models.engines.flow.PARTS``.
        trust: ``(G, T, K)`` see ``WeightedCandidates.trust``.
        xy: ``(T, K, 2)`` float32 truth.
        visibility: ``(T, K)`` uint8, COCO's: 0 outside the picture.
        size: The subject's size, see ``Gap.size``.
    """

    images: np.ndarray
    window: Window
    flow: np.ndarray
    hints: np.ndarray
    trust: np.ndarray
    xy: np.ndarray
    visibility: np.ndarray
    size: float


def scene_spec(rng: np.random.Generator) -> SceneSpec:
    """Draw a scene: mostly anything, else one of the situations that propagation finds hard.

    They are low-resolution compressed video, slow people behind things, subjects among look-alikes, small subjects,
    fast motion, and flies from above.
    """
    width, height = _SIZES[int(rng.integers(len(_SIZES)))]
    seed = int(rng.integers(2**31))
    uniform = rng.uniform
    special: dict[str, dict[str, Any]] = {
        "any": {},
        "footage": {
            "kind": "person",
            "compression": uniform(0.5, 1),
            "defocus": uniform(0.1, 0.5),
            "motion_blur": uniform(0.3, 1),
            "camera_motion": uniform(0, 1),
            "size": uniform(0.6, 0.95),
        },
        "slow": {
            "kind": "person",
            "speed": uniform(0, 0.25),
            "occlusion": uniform(0.3, 1),
            "size": uniform(0.3, 0.8),
            "distractors": int(rng.integers(0, 3)),
        },
        "alike": {"subjects": 2, "distractors": int(rng.integers(0, 3)), "likeness": 1.0, "crossing": True},
        "small": {"size": uniform(0.18, 0.35)},
        "fast": {"speed": uniform(0.6, 1), "motion_blur": uniform(0.3, 1)},
        "flies": {
            "kind": "fly",
            "subjects": 2,
            "likeness": 1.0,
            "grayscale": bool(rng.random() < 0.7),
            "size": uniform(0.15, 0.45),
            "occlusion": 0.0,
            "camera_motion": 0.0,
        },
    }
    name = str(rng.choice(list(special), p=(0.34, 0.18, 0.12, 0.08, 0.06, 0.12, 0.1)))
    return SceneSpec.random(seed, width=width, height=height, num_frames=_SCENE_FRAMES, **special[name])


def clips(
    seed: int, number: int, count: int, *, longest: int = 176, plain: bool = False, footage: Films | None = None
) -> Iterator[Clip]:
    """Render or film a scene and cut clips from it.

    Args:
        seed: Of the training.
        number: Of the scene; the same seed, number and footage give the same clips in every process.
        count: How many clips; fewer come where the scene has no subject to follow.
        longest: Largest side of a crop in pixels.
        plain: For validation: both ends labelled, 21 frames, no augmentation.
        footage: Videos without labels that some of the scenes are taken from.
    """
    rng = np.random.default_rng((seed, number))
    stretch = filmed(rng, footage.videos) if footage is not None and rng.random() < footage.share else None
    if stretch is None:
        stretch = _rendered(rng)
    for _ in range(count):
        for _ in range(_TRIES):
            clip = _clip(rng, stretch, longest, plain)
            if clip is not None:
                yield clip
                break


def _rendered(rng: np.random.Generator) -> Stretch:
    scene = Scene(scene_spec(rng))
    seen = tuple(scene.tracks[number + 1].visibility for number in range(len(scene.positions)))
    return Stretch(np.stack(list(scene.frames())), tuple(scene.positions), seen)


def _clip(rng: np.random.Generator, scene: Stretch, longest: int, plain: bool) -> Clip | None:
    images = scene.images
    length = min(21 if plain else int(rng.choice(LENGTHS, p=_LENGTH_ODDS)), len(images))
    stride = 1 if plain else int(rng.choice((1, 2, 3), p=(0.7, 0.2, 0.1)))
    stride = min(stride, (len(images) - 1) // (length - 1))
    first = int(rng.integers(0, len(images) - (length - 1) * stride))
    frames = first + stride * np.arange(length)
    if rng.random() < 0.5:
        frames = frames[::-1]
    subject = int(rng.integers(len(scene.positions)))
    xy, visibility = scene.positions[subject][frames], scene.visibility[subject][frames]
    usable = np.flatnonzero((visibility[0] > 0) | (visibility[-1] > 0))
    if len(usable) < _FEWEST_KEYPOINTS or (visibility[0] > 0).sum() < 2 or (visibility[-1] > 0).sum() < 2:
        return None
    chosen = np.sort(rng.permutation(usable)[:MAX_KEYPOINTS])
    xy, visibility = xy[:, chosen], visibility[:, chosen]
    keyframes = _labels(rng, xy, visibility, plain)
    pieces = list(gaps(keyframes, Segment(0, length), images.shape[2], images.shape[1]))
    gap = pieces[int(rng.integers(len(pieces)))]
    if not (gap.steps > 0).any():
        return None
    known = gap.known
    crop = gap_crop(
        gap,
        images.shape[2],
        images.shape[1],
        scaled_size=144.0 if plain else float(rng.uniform(90, 150)),
        margin=0.4 if plain else float(rng.uniform(0.3, 0.5)),
        longest=longest,
    )
    cut = np.stack([crop.cut(image) for image in images[frames]])
    xy = crop.to_crop(xy[:, known])
    labelled = keyframes.visibility[:, known] > 0
    rows, size = keyframes.frames, float(gap.size * crop.scale.mean())
    if not plain:
        cut, xy, visibility = augment(rng, cut, xy, visibility[:, known])
    else:
        visibility = visibility[:, known]
    cut = pad(cut)
    marks = np.where(labelled, visibility[rows].clip(1), 0)
    careless = 0.0 if plain or rng.random() < 0.6 else rng.uniform(0, 0.02) * size
    given = xy.copy()
    given[rows] += rng.normal(0, careless, given[rows].shape)
    moved = Track.labelled(rows, np.concatenate([given[rows], marks[..., None]], axis=-1))
    footage = InMemoryFrames(cut)
    weighed = [
        weigh_candidates(CropCache(footage, crop_of(footage, part), None, LruCache()), part)
        for part in gaps(moved, Segment(0, length), footage.width, footage.height)
    ]
    flow = np.concatenate([part.xy for part in weighed])
    hints = np.concatenate([part.places for part in weighed], axis=1)
    trust = np.concatenate([part.trust for part in weighed], axis=1)
    times = np.arange(length)
    if not plain and rng.random() < 0.12:
        low, high = np.sort(rng.choice(length + 1, 2, replace=False))
        if high - low >= _SHORTEST:
            times = times[low:high]
    window = Window(
        times=times,
        before=gap.before[known],
        after=gap.after[known],
        has_before=gap.has_before[known],
        has_after=gap.has_after[known],
        begin=_at(given, gap.before[known], gap.after[known], gap.has_before[known]),
        end=_at(given, gap.after[known], gap.before[known], gap.has_after[known]),
    )
    if not (window.valid & ~window.anchored).any():
        return None
    return Clip(
        images=cut,
        window=window,
        flow=flow[times],
        hints=hints[:, times],
        trust=trust[:, times],
        xy=xy[times].astype(np.float32),
        visibility=visibility[times],
        size=size,
    )


def _at(xy: np.ndarray, frames: np.ndarray, otherwise: np.ndarray, has: np.ndarray) -> np.ndarray:
    places: np.ndarray = xy[np.where(has, frames, otherwise), np.arange(xy.shape[1])]
    return places


def _labels(rng: np.random.Generator, xy: np.ndarray, visibility: np.ndarray, plain: bool) -> Track:
    """Labels on both ends; in training now and then on one only, or of some keypoints elsewhere too."""
    length, points = visibility.shape
    given = np.zeros((length, points), dtype=bool)
    given[[0, -1]] = visibility[[0, -1]] > 0
    if not plain:
        draw = rng.random()
        if draw < 0.06:
            given[-1] = False
        elif draw < 0.12:
            given[0] = False
        if rng.random() < 0.15:
            single = rng.random(points) < 0.3
            given[rng.choice((0, -1)), single] = False
        if rng.random() < 0.15:
            middle = int(rng.integers(1, length - 1))
            given[middle] = (rng.random(points) < 0.4) & (visibility[middle] > 0)
    rows = np.flatnonzero(given.any(axis=1))
    marks = np.where(given[rows], visibility[rows], 0)
    return Track.labelled(rows, np.concatenate([xy[rows], marks[..., None]], axis=-1))


def true_weight(clip: Clip) -> np.ndarray:
    """``(T, K)`` how much each place counts: hidden points like visible ones, those outside the picture not.

    People label hidden joints too, and mean errors count them like others.
    """
    weights: np.ndarray = np.array([0.0, 1.0, 1.0], dtype=np.float32)[clip.visibility]
    return weights
