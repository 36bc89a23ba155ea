"""Fitting a detector to one video: to its labelled frames, and to what propagation is sure of on the others.

Labels say where keypoints are on few frames, propagation says it on the others with errors of its own; a detector,
which sees every frame alone, errs differently. Frames to learn from are collected once, a bounded number however long
the video; then the detector is trained for a bounded number of steps, so the work does not grow with the video::

    detector = untrained(network, num_keypoints, recipe)
    for step in fit(detector, collect(video, subjects, recipe), recipe, compute):
        ...  # report progress, or stop
    for detections in detect(detector, video, subject, compute):
        ...
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from models.adaptation.detector import Detector, HeatmapPeaks, heatmap_loss, read
from models.adaptation.pace import FittingPace
from models.adaptation.patches import Patch, jitter, patch_around
from models.compute.devices import Compute
from models.engines.gap import LEAST_SIZE, LONE_POINT_SIZE
from models.engines.linear import Linear
from models.stdpose.network import StdPose
from pose import boxes
from pose.frames import FrameSource, no_step
from pose.frames import OnStep as OnStep
from pose.segments import Segment
from pose.track import Track

#: Width and height of the images that the detector sees, in pixels.
SIDE = 160

#: Subjects are scaled to this box diagonal in pixels.
SUBJECT_SIZE = 104.0

_PICTURE_SIDE = 224  # of a kept patch: room to turn and shift
_FRAMES_AT_ONCE = 16
_WARM_UP = 0.1  # share of the steps
_LARGEST_GRADIENT = 2.0


@dataclass(frozen=True, kw_only=True)
class AdaptRecipe:
    """Hyperparameters of fitting a detector.

    Args:
        seed: Everything random follows from it.
        steps: Of the optimiser, in all rounds together, at most.
        seconds: For all of it, propagation included, at most, see ``pace.own_time``: where a step is slow there are
            fewer. What is under way then is finished.
        rounds: How often pseudo-labels are made anew, with what the detector has learnt so far.
        images_per_step: Of which each step sees this many.
        pictures: Frames to learn from that are held in memory, at most, of all subjects together; 2 or more.
        pseudo_share: Of the images, those that show frames without a label.
        score_power: A pseudo-label counts with this power of its score.
        least_score: Pseudo-labels with a smaller score do not count.
        rate: Peak learning rate of the head.
        backbone_rate: The backbone's, relative to ``rate``; 0 leaves it as it is.
        weight_decay: Of AdamW.
        jitter: Strength of the random turns, scales and shifts.
    """

    seed: int = 0
    steps: int = 200
    seconds: float = 45.0
    rounds: int = 2
    images_per_step: int = 8
    pictures: int = 128
    pseudo_share: float = 0.6
    score_power: float = 2.0
    least_score: float = 0.05
    rate: float = 2e-3
    backbone_rate: float = 0.5
    weight_decay: float = 1e-3
    jitter: float = 1.0

    @property
    def canonical(self) -> str:
        """Its text in the versions of fitted engines; never changes, whatever becomes of this class and its fields."""
        parts = {
            "seed": self.seed,
            "steps": self.steps,
            "seconds": self.seconds,
            "rounds": self.rounds,
            "images_per_step": self.images_per_step,
            "pictures": self.pictures,
            "pseudo_share": self.pseudo_share,
            "score_power": self.score_power,
            "least_score": self.least_score,
            "rate": self.rate,
            "backbone_rate": self.backbone_rate,
            "weight_decay": self.weight_decay,
            "jitter": self.jitter,
        }
        return f"AdaptRecipe({', '.join(f'{name}={value!r}' for name, value in parts.items())})"


@dataclass(frozen=True, eq=False)
class FittingSubject:
    """The labels and the poses known of one subject.

    Attributes:
        labels: By a person, with at least one known point.
        pseudo: Pseudo-labels of any frames, perhaps of none.
    """

    labels: Track
    pseudo: Track

    @property
    def labelled_frames(self) -> np.ndarray:
        """Frames on which a point is labelled."""
        return self.labels.frames[self.labels.visibility.any(axis=1)]

    @property
    def span(self) -> tuple[int, int]:
        """First frame of which something is known, and the one after the last."""
        frames = np.union1d(self.labels.frames, self.pseudo.frames)
        return int(frames[0]), int(frames[-1]) + 1

    def poses(self, video: FrameSource, start: int, stop: int) -> Track:
        """The best known pose on each frame ``start <= frame < stop``: labels, else pseudo-labels, else linear ones."""
        known = self.labels.between(start, stop).over(self.pseudo.between(start, stop))
        return known.over(Linear().propagate(video, self.labels, Segment(start, stop)))


@dataclass(frozen=True, eq=False)
class Examples:
    """Patches to learn from.

    Attributes:
        pictures: ``(N, S, S, 3)`` uint8, with room around the subject.
        xy: ``(N, K, 2)`` pixels of the picture.
        weight: ``(N, K)`` how much each point counts: 1 for a label, less for a pseudo-label, 0 for an unknown point.
        labelled: ``(N,)`` whether the picture has a label.
    """

    pictures: np.ndarray
    xy: np.ndarray
    weight: np.ndarray
    labelled: np.ndarray


@dataclass(frozen=True)
class FitStep:
    """One step of the optimiser.

    Attributes:
        number: Steps so far.
        total: Steps there will be, as it looks now.
        loss: Mean cross-entropy per point in nats.
    """

    number: int
    total: int
    loss: float


def untrained(network: StdPose, num_keypoints: int, recipe: AdaptRecipe) -> Detector:
    """A detector with the network's backbone and a head that knows nothing yet."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(recipe.seed)
        return Detector(network, num_keypoints)


def collect(video: FrameSource, subjects: Sequence[FittingSubject], recipe: AdaptRecipe) -> Examples:
    """Choose frames to learn from and cut the subjects out of them.

    Labelled frames come first and take up to three quarters of the room, evenly spaced where there are more; the rest
    goes to frames with pseudo-labels: the surest of each of equally long stretches of time.

    Args:
        video: The frames; each chosen one is read once.
        subjects: Of one skeleton.
        recipe: How many, and what counts.
    """
    poses = [subject.poses(video, *subject.span) for subject in subjects]
    weights = [_weights(track, subject, recipe) for track, subject in zip(poses, subjects, strict=True)]
    frame, xy, visibility = (
        np.concatenate([getattr(track, name) for track in poses]) for name in ("frames", "xy", "visibility")
    )
    weight = np.concatenate(weights)
    labelled = np.concatenate(
        [np.isin(track.frames, subject.labelled_frames) for track, subject in zip(poses, subjects, strict=True)]
    )
    chosen = _choose(frame, labelled, weight.mean(axis=1), recipe.pictures)
    patches = _patches(xy[chosen], visibility[chosen], video, _PICTURE_SIDE)
    images = _read(video, frame[chosen])
    return Examples(
        pictures=np.stack([patch.cut(image) for patch, image in zip(patches, images, strict=True)]),
        xy=np.stack([patch.to_patch(points) for patch, points in zip(patches, xy[chosen].astype(float), strict=True)]),
        weight=weight[chosen],
        labelled=labelled[chosen],
    )


def fit(
    detector: Detector,
    examples: Examples,
    recipe: AdaptRecipe,
    compute: Compute,
    pace: FittingPace | None = None,
    *,
    hear: OnStep = no_step,
) -> Generator[FitStep, None, None]:
    """Train a detector in place.

    On a CPU the same seed gives the same weights, as long as there is time for all steps. Where there is not, the
    learning rate falls sooner, so that it has fallen when the time is over. A detector that is no longer iterated stays
    as it is.

    Args:
        detector: Where ``compute`` says.
        examples: What to learn from.
        recipe: How.
        compute: Where, and in which precision.
        pace: How many steps there is time for; for all where left out.
        hear: Called between parts of a step; what it raises ends this. The first step takes seconds on a busy machine,
            most of them for the optimiser's modules, which PyTorch loads when they are first used.

    Yields:
        A report after each step.
    """
    rng = np.random.default_rng(recipe.seed)
    device = compute.device
    rates = (recipe.rate, recipe.rate * recipe.backbone_rate)
    detector.backbone.requires_grad_(recipe.backbone_rate > 0)
    optimizer = torch.optim.AdamW(
        [
            {"params": part.parameters(), "lr": rate}
            for part, rate in zip((detector.head, detector.backbone), rates, strict=True)
        ],
        betas=(0.9, 0.98),
        weight_decay=recipe.weight_decay,
    )
    hear()
    pace = pace or FittingPace(recipe.steps, float("inf"), lambda: 0.0)
    going = recipe.steps > 0
    while going:
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * _rate(pace.share)
        images, xy, weight = (torch.from_numpy(array).to(device) for array in _batch(rng, examples, recipe))
        with compute.to_learn().autocast():
            logits = detector(images.permute(0, 3, 1, 2))
        loss = heatmap_loss(logits, xy, weight)
        hear()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(detector.parameters(), _LARGEST_GRADIENT)
        optimizer.step()
        told = float(loss.detach())
        going = pace.step()
        yield FitStep(pace.done, pace.planned, told)


def detect(detector: Detector, video: FrameSource, poses: Track, compute: Compute) -> Iterator[HeatmapPeaks]:
    """Apply a detector around a subject.

    Args:
        detector: A fitted one.
        video: The frames; read in runs of consecutive ones.
        poses: Roughly where the subject is on the frames wanted, see ``FittingSubject.poses``. Points that are not
            known there are not looked for: their heat maps are even, their mass is 0.
        compute: Where the detector is, and in which precision it computes.

    Yields:
        Detections of a few frames at a time, in order of time.
    """
    device = compute.device
    patches, images = _patches(poses.xy, poses.visibility, video, SIDE), _read(video, poses.frames)
    for first in range(0, len(poses), _FRAMES_AT_ONCE):
        rows = np.arange(first, min(first + _FRAMES_AT_ONCE, len(poses)))
        seen = tuple(patches[row] for row in rows)
        pixels = np.stack([patch.cut(next(images)) for patch in seen])
        with torch.inference_mode(), compute.autocast():
            logits = detector(torch.from_numpy(pixels).to(device).permute(0, 3, 1, 2).float())
        yield read(poses.frames[rows], seen, logits, poses.visibility[rows] > 0)


def _weights(poses: Track, subject: FittingSubject, recipe: AdaptRecipe) -> np.ndarray:
    """(F, K); what is only interpolated counts nothing."""
    known = subject.labels.over(subject.pseudo)
    score = np.zeros(poses.score.shape)
    score[np.searchsorted(poses.frames, known.frames)] = np.where(known.visibility > 0, known.score, 0)
    return np.where(score < recipe.least_score, 0, score**recipe.score_power)


def _choose(frame: np.ndarray, labelled: np.ndarray, worth: np.ndarray, most: int) -> np.ndarray:
    """Positions of the frames to learn from, in order of time."""
    order = np.argsort(frame, kind="stable")
    labels = order[labelled[order]]
    labels = labels[_spread(len(labels), max(1, most * 3 // 4))]
    others = order[~labelled[order] & (worth[order] > 0)]
    stretches = np.array_split(others, max(1, most - len(labels)))
    surest = [stretch[np.argmax(worth[stretch])] for stretch in stretches if len(stretch)]
    together = np.array([*labels, *surest], dtype=np.int64)
    return together[np.argsort(frame[together], kind="stable")]


def _spread(count: int, most: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int))


def _patches(xy: np.ndarray, visibility: np.ndarray, video: FrameSource, side: int) -> list[Patch]:
    box = boxes.around(xy, visibility)
    centre, extent = box[:, :2] + box[:, 2:] / 2, np.linalg.norm(box[:, 2:], axis=-1)
    lone = LONE_POINT_SIZE * np.hypot(video.width, video.height)
    size = np.maximum(np.where((visibility > 0).sum(axis=1) < 2, lone, extent), LEAST_SIZE)
    return [
        patch_around(middle, float(extent), video.width, video.height, scaled_size=SUBJECT_SIZE, side=side)
        for middle, extent in zip(centre, size, strict=True)
    ]


def _read(video: FrameSource, frames: np.ndarray) -> Iterator[np.ndarray]:
    """The images of some frames that do not descend; those that repeat are read once."""
    distinct, repeats = np.unique(frames, return_counts=True)
    runs = np.split(distinct, np.flatnonzero(np.diff(distinct) != 1) + 1)
    images = (image for run in runs if len(run) for image in video.frames(int(run[0]), int(run[-1]) + 1))
    for image, times in zip(images, repeats, strict=True):
        for _ in range(times):
            yield image


def _rate(progress: float) -> float:
    warm = min(1.0, (progress + 1e-3) / _WARM_UP)
    return warm * (0.02 + 0.49 * (1 + float(np.cos(np.pi * progress))))


def _batch(
    rng: np.random.Generator, examples: Examples, recipe: AdaptRecipe
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    worth = examples.weight.mean(axis=1)
    share = np.where(examples.labelled, 1.0, worth)
    for group, wanted in ((examples.labelled, 1 - recipe.pseudo_share), (~examples.labelled, recipe.pseudo_share)):
        share[group] *= wanted / max(share[group].sum(), 1e-9)
    rows = rng.choice(len(share), recipe.images_per_step, p=share / share.sum())
    changed = [jitter(rng, examples.pictures[row], examples.xy[row], SIDE, recipe.jitter) for row in rows]
    images, xy = (np.stack(part) for part in zip(*changed, strict=True))
    return images, xy.astype(np.float32), examples.weight[rows].astype(np.float32)
