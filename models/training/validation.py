"""Validation of an estimator on clips that it does not learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from models.compute.memory import ran_out
from models.engines.confidence import score_of
from models.estimators.estimator import Estimator
from models.estimators.reliability import fit, fit_presence, presence, radius90
from models.estimators.targets import places
from models.training.batches import Batches
from models.training.clips import Clips
from pose import boxes
from pose.frames import OnStep, no_step
from pose.metrics import FALSE_POSITIVE_SCORE

_BATCH = 32


@torch.inference_mode()
def predict(
    estimator: Estimator, clips: Clips, device: torch.device, step: OnStep = no_step
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Where an estimator finds the keypoints of clips' centre frames.

    Args:
        estimator: What looks.
        clips: At what.
        device: Where.
        step: Called for each batch; what it raises ends this.

    Returns:
        For each subject ``(F, K, 2)`` frame pixels on the frames of its track, NaN where there is no clip, and
        ``(F, K)`` heights of the heat maps.

    Raises:
        MemoryError: Memory does not suffice for one clip; also ``RuntimeError``, see ``models.compute.memory``.
    """
    size = _BATCH
    while True:
        try:
            return _predict(estimator, clips, device, size, step)
        except (MemoryError, RuntimeError) as error:
            if size == 1 or not ran_out(error):
                raise
        size //= 2


def _predict(
    estimator: Estimator, clips: Clips, device: torch.device, size: int, step: OnStep
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    shapes = [subject.track.visibility.shape for subject in clips.subjects]
    xy = [np.full((*shape, 2), np.nan) for shape in shapes]
    height = [np.zeros(shape) for shape in shapes]
    training = estimator.training
    estimator.eval()
    for batch in Batches(clips, size):
        step()
        found, peak = places(estimator(batch.frames.to(device).float()).heatmaps)
        for clip, points, heights in zip(batch.clips, found.double().cpu().numpy(), peak.cpu().numpy(), strict=True):
            xy[clip.subject][clip.row] = clip.view.to_frame(points)
            height[clip.subject][clip.row] = heights
    estimator.train(training)
    return xy, height


@dataclass(frozen=True)
class ValidationResult:
    """The figures of an estimator on validation clips.

    Attributes:
        figures: ``error``, the mean distance in shares of the box diagonal as in ``pose.metrics``, and ``pck@0.1``, the
            share of points within 0.1 of it; empty where there was nothing to measure. ``false_positives``, the share
            of absent points with a score of ``FALSE_POSITIVE_SCORE`` or more, where people said that points are absent.
        reliability: How far off its points are by height of heat maps, see ``models.estimators.reliability``.
        presence: Whether points are there, by height likewise.
    """

    figures: Mapping[str, float]
    reliability: Sequence[tuple[float, float]]
    presence: Sequence[tuple[float, float]] = ()


def validate(estimator: Estimator, clips: Clips, device: torch.device, step: OnStep = no_step) -> ValidationResult:
    """Measure an estimator where the truth is known.

    Args:
        estimator: What looks.
        clips: At what; what counts at all is taken for true.
        device: Where.
        step: Called for each batch; what it raises ends this.

    Raises:
        MemoryError: Memory does not suffice for one clip; also ``RuntimeError``, see ``models.compute.memory``.
    """
    found, heights = predict(estimator, clips, device, step)
    shares, surely, nobody = [np.zeros(0)], [np.zeros(0)], [np.zeros(0)]
    for subject, xy, height in zip(clips.subjects, found, heights, strict=True):
        looked = ~np.isnan(xy[..., 0])
        nobody.append(height[subject.negative & looked])
        known = subject.positive
        diagonal = np.linalg.norm(boxes.around(subject.track.xy, known.astype(np.uint8))[:, 2:], axis=-1)
        known &= ((known.sum(axis=1) >= 2) & (diagonal > 0))[:, None]
        share = np.linalg.norm(xy - subject.track.xy, axis=-1) / np.maximum(diagonal, 1e-9)[:, None]
        shares.append(np.minimum(share[known], 1.0))
        surely.append(height[known])
    every, height, empty = (np.concatenate(parts) for parts in (shares, surely, nobody))
    if not len(every):
        return ValidationResult({}, ())
    figures = {"error": float(every.mean()), "pck@0.1": float((every <= 0.1).mean())}
    reliability, there = fit(height, every), fit_presence(height, empty)
    if len(empty):
        score = score_of(radius90(reliability, empty), 1.0) * presence(there, empty)
        figures["false_positives"] = float((score >= FALSE_POSITIVE_SCORE).mean())
    return ValidationResult(figures, reliability, there)
