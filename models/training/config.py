"""The configuration of a training, and the results of an epoch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.training.augmentation import Augmentation


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Hyperparameters of training an estimator.

    Args:
        estimator: Which, see ``models.estimators.presets.ESTIMATORS``.
        preset: Its size, see ``models.estimators.presets.SIZES``.
        pretrained: Where the backbone's weights come from, see ``models.estimators.presets.build``.
        epochs: How often each label is learnt from.
        minutes: Where above 0, the training ends with this time instead, however many epochs that takes.
        batch: Clips whose gradients are averaged, in all processes together and over ``accumulate`` parts.
        accumulate: Parts that a batch is computed in, one after the other.
        clips: In an epoch. 0 for as many as there are labels, but at least 512: few labels come more than once.
        rate: Peak learning rate of all but the backbone.
        backbone_rate: The backbone's, relative to it, as far as it was trained before.
        layer_decay: Rate of each layer of that, relative to the one above.
        weight_decay: Of AdamW.
        warm: Share of the training during which rates rise.
        frozen: Share of the training during which that does not learn.
        clip: Largest norm of gradients.
        average: Share that the moving average of weights, which is what gets used, keeps at each step.
        patience: Epochs without a better validation after which the training ends; 0 for never.
        seed: Everything random follows from it.
        device: Where it runs, see ``models.compute.devices.choose``.
        precision: In which precision it computes there.
        workers: Threads that cut clips out.
        changes: Fields of the estimator's configuration that differ from the preset's.
        augmentation: How clips are changed at random.
    """

    estimator: str = "stdpose"
    preset: str = "tiny"
    pretrained: str = "shipped"
    epochs: int = 20
    minutes: float = 0.0
    batch: int = 16
    accumulate: int = 1
    clips: int = 0
    rate: float = 1e-3
    backbone_rate: float = 0.2
    layer_decay: float = 0.8
    weight_decay: float = 0.05
    warm: float = 0.05
    frozen: float = 0.1
    clip: float = 1.0
    average: float = 0.998
    patience: int = 8
    seed: int = 0
    device: str = "auto"
    precision: str = "auto"
    workers: int = 2
    changes: Mapping[str, Any] = field(default_factory=dict)
    augmentation: Augmentation = field(default_factory=Augmentation)


@dataclass(frozen=True)
class Epoch:
    """The results of one epoch.

    Attributes:
        index: Its number, from 0.
        epochs: How many there will be at most; 0 where the clock decides.
        step: Steps so far.
        progress: Share of the training that is done.
        loss: The mean over its steps.
        losses: Of which parts it is the sum.
        validation: ``error``, mean distance in shares of the box diagonal, and ``pck@0.1`` on what is kept aside;
            ``false_positives`` where points are absent there, see ``models.training.validation``.
        seconds: Spent so far, on all epochs.
        waiting: Share of the epoch that was spent waiting for clips; decoding videos belongs to the first.
        best: Whether no epoch before was as good on what is kept aside.
    """

    index: int
    epochs: int
    step: int
    progress: float
    loss: float
    losses: Mapping[str, float]
    validation: Mapping[str, float]
    seconds: float
    waiting: float
    best: bool
