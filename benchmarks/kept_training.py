"""A training whose result is kept: given again, it is read, and one that was stopped goes on."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.estimators.checkpoints import load
from models.estimators.estimator import Estimator
from models.training.augmentation import Augmentation
from models.training.clips import Clips
from models.training.subjects import Subject
from models.training.train import TrainConfig, train
from models.training.validation import predict
from pose import boxes
from pose.skeleton import Skeleton

BATCH = 16

#: For subjects of one size: people who stand upright, and animals seen from above.
UPRIGHT = Augmentation(turned=0.3, angle=10.0, scale=0.1, half=0.0)
FROM_ABOVE = Augmentation(turned=1.0, angle=90.0, scale=0.1, half=0.0)


def short(
    estimator: str, steps: int, epochs: int, seed: int, augmentation: Augmentation = UPRIGHT, **changes: Any
) -> TrainConfig:
    """A recipe for few steps, on one thread.

    Args:
        estimator: Which.
        steps: Of 16 clips each, in all epochs together.
        epochs: After each, what is kept aside is looked at.
        seed: Everything random follows from it.
        augmentation: How much clips are changed.
        changes: Fields of the estimator's configuration that differ from the preset's.
    """
    return TrainConfig(
        estimator=estimator,
        epochs=epochs,
        batch=BATCH,
        clips=steps * BATCH // epochs,
        patience=0,
        seed=seed,
        device="cpu",
        workers=1,
        rate=2e-3,
        backbone_rate=0.5,
        frozen=0.0,
        changes=changes,
        augmentation=augmentation,
    )


def trained(
    place: Path,
    config: TrainConfig,
    skeleton: Skeleton,
    learnt: Sequence[Subject],
    aside: Sequence[Subject],
    tested: Sequence[Subject],
    base: Path | None = None,
) -> dict[str, float]:
    """Train on ``learnt``, from ``base`` on, choose the epoch by ``aside``, and measure the best on ``tested``."""
    torch.set_num_threads(1)
    result = place / "result.json"
    if result.exists():
        kept: dict[str, float] = json.loads(result.read_text())
        return kept
    for epoch in train(config, skeleton, learnt, aside, place, base):
        figures = " ".join(f"{key} {value:.4f}" for key, value in epoch.validation.items())
        line = f"{place.name} {epoch.index + 1}/{epoch.epochs} loss {epoch.loss:.3f} {figures} {epoch.seconds:.0f} s"
        print(line, file=sys.stderr, flush=True)
    loaded = load(place / "best.safetensors")
    figures_of_test = test(loaded.estimator, Clips(tested, skeleton, loaded.estimator.config, place / "test.stills"))
    result.write_text(json.dumps(figures_of_test))
    for left in (*place.glob("*.stills"), place / "state.safetensors"):
        left.unlink()
    return figures_of_test


def longest_wait(place: Path) -> float:
    """Largest share of an epoch that a training spent waiting for clips, up to its best epoch."""
    recipe = json.loads((place / "best.json").read_text())["recipe"]
    return max(float(epoch["waiting"]) for epoch in recipe["curve"])


def test(estimator: Estimator, clips: Clips) -> dict[str, float]:
    """Mean errors in per cent of the box diagonal on all, on visible and on hidden points, and PCK in per cent."""
    found, _ = predict(estimator, clips, torch.device("cpu"))
    shares, hidden = [], []
    for subject, xy in zip(clips.subjects, found, strict=True):
        visibility = subject.track.visibility
        known = visibility > 0
        size = np.linalg.norm(boxes.around(subject.track.xy, visibility)[:, 2:], axis=-1)[:, None]
        share = np.minimum(np.linalg.norm(xy - subject.track.xy, axis=-1) / np.maximum(size, 1e-9), 1)
        shares.append(share[known])
        hidden.append(visibility[known] == 1)
    every, unseen = np.concatenate(shares), np.concatenate(hidden)
    return {
        "error": 100 * float(every.mean()),
        "visible": 100 * float(every[~unseen].mean()),
        "hidden": 100 * float(every[unseen].mean()) if unseen.any() else float("nan"),
        "pck@0.05": 100 * float((every <= 0.05).mean()),
        "pck@0.1": 100 * float((every <= 0.1).mean()),
    }
