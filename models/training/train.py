"""Training an estimator: epochs in, checkpoints out, going on wherever it was stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from models.compute.devices import Compute, DeviceError, choose
from models.compute.memory import ran_out
from models.errors import CheckpointError
from models.estimators.checkpoints import load, save
from models.estimators.estimator import Estimator
from models.estimators.losses import Truth, losses
from models.estimators.presets import RANDOM, SHIPPED, build, configure
from models.training import saved_state
from models.training.batches import Batches
from models.training.clips import Batch, Clips
from models.training.config import Epoch, TrainConfig
from models.training.processes import Processes
from models.training.schedule import optimizer_of, set_rates
from models.training.subjects import Subject, digest_of
from models.training.validation import ValidationResult, validate
from models.weights import digest
from pose.frames import OnStep, no_step
from pose.skeleton import Skeleton

__all__ = ["FEWEST_LABELS", "Epoch", "TrainConfig", "TrainingError", "so_far", "train"]

#: Fewest labelled frames that are worth a training.
FEWEST_LABELS = 8

_LEAST_CLIPS = 512  # in an epoch
_STATE, _BEST = "state.safetensors", "best.safetensors"
# Settings that may change from one session to the next. "half" is of states that older versions wrote.
_OF_THE_MACHINE = frozenset({"device", "precision", "workers", "half"})

_EMPTY: Mapping[str, Any] = MappingProxyType({})


class TrainingError(ValueError):
    """A training that cannot be done, or not go on, as asked."""


@dataclass
class _At:
    """Progress of a training."""

    epoch: int = 0
    step: int = 0
    seconds: float = 0.0
    best: float = float("inf")
    since_best: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)


def train(
    config: TrainConfig,
    skeleton: Skeleton,
    training: Sequence[Subject],
    validation: Sequence[Subject],
    folder: Path,
    base: Path | None = None,
    recipe: Mapping[str, Any] = _EMPTY,
    step: OnStep = no_step,
) -> Iterator[Epoch]:
    """Train an estimator, epoch by epoch.

    After each epoch ``folder`` holds ``state.safetensors``, from which the next call with the same arguments goes on,
    bit for bit on a CPU where epochs and not minutes end the training, and the best checkpoint so far as
    ``best.safetensors`` with ``best.json``. Several processes that ``torchrun`` or ``accelerate launch`` began share
    the work; on several machines ``folder`` is one that all share.

    Args:
        config: How.
        skeleton: Of all subjects.
        training: What is learnt from.
        validation: What is kept aside, to choose the best epoch by.
        folder: Where the state, the checkpoint and decoded frames are kept.
        base: A checkpoint of the same skeleton and size to begin with; where the network is another one, with what all
                have in common.
        recipe: Goes into the checkpoint, for its pedigree.
        step: Called several times a second; what it raises ends the training, which can go on from its last epoch.

    Yields:
        Each epoch, after it was saved.

    Raises:
        TrainingError: There are too few labels, no such estimator, preset or device, a video cannot be read, ``base``
            or the state does not fit, memory does not suffice for one clip, or the loss is no longer a number.
    """
    run = _Run(config, skeleton, training, validation, folder, base, recipe, step)
    yield from run.epochs()


def so_far(folder: Path) -> list[Epoch]:
    """The epochs of the training that goes on in a folder; none where none was begun.

    Raises:
        TrainingError: Its state cannot be read.
    """
    if not (folder / _STATE).exists():
        return []
    try:
        return [Epoch(**row) for row in saved_state.read_progress(folder / _STATE)["curve"]]
    except CheckpointError as error:
        raise TrainingError(str(error)) from error


class _Run:
    """One training between two calls: the network, its average, and how far they have come."""

    def __init__(
        self,
        config: TrainConfig,
        skeleton: Skeleton,
        training: Sequence[Subject],
        validation: Sequence[Subject],
        folder: Path,
        base: Path | None,
        recipe: Mapping[str, Any],
        step: OnStep,
    ) -> None:
        self._config, self._skeleton, self._folder, self._on = config, skeleton, folder, step
        labels = sum(subject.labels for subject in training)
        if labels < FEWEST_LABELS:
            raise TrainingError(
                f"there are {labels} labelled frames to learn from; at least {FEWEST_LABELS} are needed"
            )
        folder.mkdir(parents=True, exist_ok=True)
        network = self._begin(base)
        chosen = _compute(config)
        self._processes = Processes(chosen.device)
        device, count = self._processes.device, self._processes.count
        self._compute = replace(chosen, device=device)
        self._device, self._micro = device, -(-config.batch // (config.accumulate * count))
        began = time.perf_counter()
        try:
            self._training, self._validation = (
                Clips(subjects, skeleton, network.config, folder / f"{name}-{self._processes.number}.stills", step)
                for name, subjects in (("training", training), ("validation", validation))
            )
        except (OSError, ValueError) as error:
            raise TrainingError(str(error)) from error
        self._decoding = time.perf_counter() - began
        self.network = network.to(device).train()
        self.average = deepcopy(self.network).eval()
        self._optimizer = optimizer_of(
            self.network,
            rate=config.rate,
            backbone_rate=config.backbone_rate,
            layer_decay=config.layer_decay,
            weight_decay=config.weight_decay,
        )
        self._edges = torch.tensor(skeleton.edges, dtype=torch.long).reshape(-1, 2)
        self._recipe = {
            **recipe,
            "training": _plain(config),
            "labels": labels,
            "computed": self._compute.pedigree(),
        }
        # What a state must be of to go on from; where it is computed may change.
        self._about = {
            "config": {name: value for name, value in _plain(config).items() if name not in _OF_THE_MACHINE},
            "skeleton": list(skeleton.keypoints),
            "labels": [digest_of(training), digest_of(validation)],
            "base": None if base is None else digest(base),
        }
        self.at, self._state = _At(), folder / _STATE
        if self._state.exists():
            self._resume()
        if not self._processes.same(self.at.epoch):
            raise TrainingError(f"the processes of this training do not share one folder {folder.name}")
        self._wrapped = self._processes.joined(self.network)

    def _begin(self, base: Path | None) -> Estimator:
        config, points = self._config, self._skeleton.size
        try:
            size = configure(config.estimator, config.preset, points, **config.changes)
            if base is None:
                return build(config.estimator, size, seed=config.seed, pretrained=config.pretrained)
            if config.pretrained != SHIPPED:
                raise TrainingError(f"{base.name} brings a backbone of its own; leave out {config.pretrained}")
            loaded = load(base, self._skeleton)
        except (ValueError, ImportError) as error:  # CheckpointError is a ValueError
            raise TrainingError(str(error)) from error
        size = replace(size, backbone=loaded.estimator.config.backbone)
        if loaded.estimator.config == size:
            return loaded.estimator
        network = build(config.estimator, size, seed=config.seed, pretrained=RANDOM)
        try:
            network.take_over(loaded.estimator)
        except ValueError as error:
            raise TrainingError(
                f"{base.name} holds a {loaded.name} of another size than {config.estimator}, {config.preset}"
            ) from error
        return network

    def _resume(self) -> None:
        try:
            about = saved_state.read_about(self._state)
            begun = {name: value for name, value in about["config"].items() if name not in _OF_THE_MACHINE}
            if {**about, "config": begun} != self._about:
                raise TrainingError(
                    "the training that was begun here has other settings or labels; give it another folder"
                )
            self.at = _At(**saved_state.restore(self._state, self.network, self.average, self._optimizer))
        except CheckpointError as error:
            raise TrainingError(str(error)) from error

    def epochs(self) -> Iterator[Epoch]:
        """Train until the end."""
        config = self._config
        while not self._done():
            began = time.perf_counter()
            with torch.random.fork_rng(devices=()):
                torch.manual_seed(_seed_of(config.seed, self.at.epoch, self._processes.number))
                parts, waited = self._learn(began)
            measured = self._measured()
            error = self._processes.agreed(measured.figures.get("error", sum(parts.values())))
            best = error < self.at.best
            self.at.best, self.at.since_best = (error, 0) if best else (self.at.best, self.at.since_best + 1)
            spent = self._processes.agreed(time.perf_counter() - began)
            self.at.epoch, self.at.seconds = self.at.epoch + 1, self.at.seconds + spent
            decoding, self._decoding = self._decoding, 0.0
            epoch = Epoch(
                index=self.at.epoch - 1,
                epochs=0 if config.minutes else config.epochs,
                step=self.at.step,
                progress=self._progress(),
                loss=sum(parts.values()),
                losses=parts,
                validation=measured.figures,
                seconds=self.at.seconds,
                waiting=min(1.0, (waited + decoding) / (spent + decoding)),
                best=best,
            )
            self.at.curve.append(asdict(epoch))
            if self._processes.first:
                self._save(measured if best else None)
            self._processes.wait()
            yield epoch

    def _done(self) -> bool:
        stale = self._config.patience and self.at.since_best >= self._config.patience
        return bool(stale) or self._progress() >= 1

    def _progress(self, within: float = 0.0, began: float | None = None) -> float:
        """Share of the training that is done, ``within`` of the present epoch, which began at a time."""
        if self._config.minutes:
            seconds = 0.0 if began is None else self._processes.agreed(time.perf_counter() - began)
            return min(1.0, (self.at.seconds + seconds) / (60 * self._config.minutes))
        return min(1.0, (self.at.epoch + within) / self._config.epochs)

    def _learn(self, began: float) -> tuple[dict[str, float], float]:
        """One epoch: the mean of each loss, and the seconds spent waiting for clips."""
        config, totals = self._config, dict[str, float]()
        batches = Batches(
            self._training,
            -(-config.batch // self._processes.count),
            count=config.clips or max(_LEAST_CLIPS, len(self._training)),
            seed=config.seed,
            epoch=self.at.epoch,
            augmentation=config.augmentation,
            workers=config.workers,
            part=(self._processes.number, self._processes.count),
        )
        self.network.train()
        steps = 0
        for batch in batches:
            self._on()
            progress = self._progress(steps / len(batches), began)
            if progress >= 1:
                break
            self.network.advance(progress)
            self.network.pretrained.requires_grad_(progress >= config.frozen)
            set_rates(self._optimizer, progress, config.warm)
            for name, value in self._step(batch).items():
                totals[name] = totals.get(name, 0.0) + value
            steps += 1
            self.at.step += 1
        return self._processes.mean({name: total / steps for name, total in totals.items()}), batches.waiting

    def _measured(self) -> ValidationResult:
        try:
            return validate(self.average, self._validation, self._device, self._on)
        except (MemoryError, RuntimeError) as error:
            if not ran_out(error):
                raise
            raise TrainingError("memory does not suffice to look at one clip at a time") from error

    def _step(self, batch: Batch) -> dict[str, float]:
        """Learn from a batch, in smaller parts where memory does not suffice for it at once."""
        while True:
            try:
                parts = self._gradients(batch)
                break
            except (MemoryError, RuntimeError) as error:
                self._optimizer.zero_grad(set_to_none=True)
                if not ran_out(error):
                    raise
                if self._micro == 1 or self._processes.count > 1:
                    raise TrainingError(f"memory does not suffice for {self._micro} clips at a time") from error
            # Out here what the exception held is free.
            self._micro = -(-self._micro // 2)
        nn.utils.clip_grad_norm_(self.network.parameters(), self._config.clip)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        decay = min(self._config.average, (1 + self.at.step) / (10 + self.at.step))
        with torch.no_grad():
            for kept, current in zip(self.average.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(current, 1 - decay)
            for old, new in zip(self.average.buffers(), self.network.buffers(), strict=True):
                old.copy_(new)
        return parts

    def _gradients(self, batch: Batch) -> dict[str, float]:
        totals: dict[str, float] = {}
        count = len(batch.frames)
        for start in range(0, count, self._micro):
            rows = slice(start, start + self._micro)
            known = batch.truth.xy, batch.truth.weight, batch.truth.absent
            truth = Truth(*(each[rows].to(self._device) for each in known if each is not None))
            with self._compute.autocast():
                output = self._wrapped(batch.frames[rows].to(self._device).float())
            parts = losses(output, truth, self._edges)
            share = len(truth.xy) / count
            loss = share * sum(parts.values(), torch.zeros((), device=self._device))
            if not bool(torch.isfinite(loss)):
                raise TrainingError(_diverged(self.at.step, parts))
            self._processes.backward(loss)
            for name, part in parts.items():
                totals[name] = totals.get(name, 0.0) + share * float(part.detach())
        return totals

    def _save(self, best: ValidationResult | None) -> None:
        """Write the checkpoint where it is the best so far, and the state."""
        if best is not None:  # before the state, which says that it is there
            measured = {"reliability": best.reliability, "presence": best.presence}
            recipe = {**self._recipe, **measured, "curve": self.at.curve}
            save(self._folder / _BEST, self.average, self._config.estimator, self._skeleton, recipe)
        saved_state.save(self._state, self.network, self.average, self._optimizer, asdict(self.at), self._about)


def _seed_of(*numbers: int) -> int:
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def _compute(config: TrainConfig) -> Compute:
    try:
        return choose(config.device, config.precision).to_learn()
    except DeviceError as error:
        raise TrainingError(str(error)) from error


def _plain(config: TrainConfig) -> dict[str, Any]:
    return {
        **asdict(config),
        "pretrained": Path(config.pretrained).name,  # the same on every machine
        "changes": {name: list(value) if isinstance(value, tuple) else value for name, value in config.changes.items()},
    }


def _diverged(step: int, parts: Mapping[str, Tensor]) -> str:
    bad = [name for name, part in parts.items() if not bool(torch.isfinite(part))]
    return f"the loss is not a number at step {step} (from {', '.join(bad)}); a lower rate may help"
