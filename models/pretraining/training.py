"""Training STDPose on rendered videos: descriptors, the refinement on top, both together, then the verifier."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from torch import Tensor, nn

from models.backbones.entries import to_entries
from models.compute.devices import Compute, choose
from models.pretraining.clip_inputs import as_input, first_guesses, hints_of, look
from models.pretraining.clip_stream import Position, stream
from models.pretraining.clips import Clip, Films, true_weight
from models.pretraining.losses import VERIFIER_KNEE, choice, contrastive, refinement
from models.pretraining.starts import disturb, pretend_detector
from models.pretraining.validation import error_of
from models.stdpose.candidates import collect, sources, with_detector
from models.stdpose.network import StdPose
from models.stdpose.windows import stack
from models.training import saved_state

Stage = Literal["features", "refiner", "joint", "verifier"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Hyperparameters of training the network.

    Args:
        seed: Everything random follows from it.
        minutes: Time to spend; the schedule follows the clock, so only a training by steps repeats bit for bit.
        steps: Steps to take; 0 leaves the end to ``minutes``.
        features_until: Share of the training after which the backbone's contrastive training ends.
        refiner_until: Share of the training after which the backbone is no longer frozen.
        joint_until: Share of the training after which the verifier is trained on what the rest, now finished, gives.
        from_linear: Share of clips on which linear interpolation is refined, not flow.
        from_path: Share of clips on which the path along matches is refined, by networks that are shown any.
        without_hints: Share of clips on which hints are withheld.
        clips_per_step: Clips whose gradients are added up.
        backbone_every: In the joint stage the backbone learns in every how-manieth step; the others are cheaper.
        features_rate: Peak learning rate of the first stage.
        rate: Peak learning rate of the refinement.
        verifier_rate: Peak learning rate of the last stage.
        backbone_rate: The backbone's in the joint stage, relative to ``rate``.
        pretrained_rate: Of that part of the backbone which others have trained, relative to the rest of it.
        contrastive_weight: Of the contrastive loss in the joint stage.
        choice_weight: How much the verifier is drawn to choosing one candidate.
        weight_decay: Of AdamW.
        workers: Processes that render.
        filmed: Share of the scenes that are taken from videos without labels, where there are any.
        scenes_per_group: Clips are shuffled within the clips of this many scenes.
        clips_per_scene: Cut from each rendered scene.
        save_seconds: Time from one saved state to the next.
    """

    seed: int = 0
    minutes: float = 60.0
    steps: int = 0
    features_until: float = 0.15
    refiner_until: float = 0.35
    joint_until: float = 0.65
    from_linear: float = 0.3
    from_path: float = 0.3
    without_hints: float = 0.1
    clips_per_step: int = 1
    backbone_every: int = 2
    features_rate: float = 2e-3
    rate: float = 5e-4
    verifier_rate: float = 1e-3
    backbone_rate: float = 0.3
    pretrained_rate: float = 0.1
    contrastive_weight: float = 0.3
    choice_weight: float = 0.2
    weight_decay: float = 1e-3
    workers: int = 1
    filmed: float = 0.5
    scenes_per_group: int = 8
    clips_per_scene: int = 10
    save_seconds: float = 240.0


@dataclass(frozen=True)
class TrainingProgress:
    """Progress of a training.

    Args:
        seed: Everything random follows from it and from ``step``.
        step: Steps of the optimiser that were done.
        seconds: Spent on them.
        position: In the stream of clips.
    """

    seed: int
    step: int = 0
    seconds: float = 0.0
    position: Position = field(default_factory=Position)

    @classmethod
    def of(cls, entries: Mapping[str, Any]) -> TrainingProgress:
        """The progress whose entries ``asdict`` made."""
        return cls(**{**entries, "position": Position(**entries["position"])})


@dataclass(frozen=True)
class StepReport:
    """One step.

    Attributes:
        step: Steps so far.
        stage: Of the training.
        progress: Share of the training that is done.
        seconds: Spent so far.
        loss: The mean over the step's clips.
        error: Of the last refinement, in shares of the subject's size; NaN while features are trained.
        start_error: Of the first guesses, likewise.
    """

    step: int
    stage: Stage
    progress: float
    seconds: float
    loss: float
    error: float
    start_error: float


class Training:
    """A network being trained, and the average of its recent past, which is what gets used.

    Args:
        recipe: How.
        network: What learns, in place.
        state: Where the training is saved, and read from if it is there.
        compute: Where it runs, and in which precision; as ``models.compute.devices.choose`` has it where left out.
        about: Where the network came from, for the saved state, see ``saved_state.read_about``.
        videos: Files without labels that some of the clips are taken from; the same when a training is resumed.

    Attributes:
        network: What learns.
        average: Exponential moving average of its weights.
        at: How far it has come.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: StdPose,
        state: Path | None = None,
        compute: Compute | None = None,
        about: Mapping[str, Any] | None = None,
        videos: Sequence[Path] = (),
    ) -> None:
        self.recipe = recipe
        self._films = Films(tuple(videos), recipe.filmed) if videos else None
        self.compute = (compute or choose()).to_learn()
        self._device = self.compute.device
        self.network = network.to(self._device).train()
        self.average = deepcopy(self.network).eval()
        self._about = {**(about or {}), "recipe": asdict(recipe), "config": to_entries(network.config)}
        self._trunk = _trunk(self.network) if self._about.get("pretrained", True) else []
        self._backbone = _without(self.network.backbone, self._trunk)
        self._verifier = list(self.network.verifier.parameters())
        self._rest = _without(self.network, self._trunk + self._backbone + self._verifier)
        self._optimizer = torch.optim.AdamW(
            [{"params": part} for part in (self._trunk, self._backbone, self._rest, self._verifier) if part],
            lr=recipe.rate,
            betas=(0.9, 0.98),
            weight_decay=recipe.weight_decay,
        )
        self._state = state
        self.at = TrainingProgress(recipe.seed)
        if state is not None and state.exists():
            self.at = TrainingProgress.of(saved_state.restore(state, self.network, self.average, self._optimizer))

    def save(self) -> None:
        """Write the state, if there is a place for it."""
        if self._state is not None:
            saved_state.save(self._state, self.network, self.average, self._optimizer, asdict(self.at), self._about)

    @property
    def progress(self) -> float:
        """Share of the training that is done."""
        if self.recipe.steps:
            return min(1.0, self.at.step / self.recipe.steps)
        return min(1.0, self.at.seconds / (60 * self.recipe.minutes))

    @property
    def stage(self) -> Stage:
        """The stage that is being trained."""
        if self.progress < self.recipe.features_until:
            return "features"
        if self.progress < self.recipe.refiner_until:
            return "refiner"
        return "joint" if self.progress < self.recipe.joint_until else "verifier"

    def run(self) -> Iterator[StepReport]:
        """Train until the end, step by step; the state is saved now and then and at the end."""
        recipe = self.recipe
        source = stream(
            self.at.seed,
            self.at.position,
            workers=recipe.workers,
            group=recipe.scenes_per_group,
            clips_per_scene=recipe.clips_per_scene,
            footage=self._films,
        )
        saved = self.at.seconds
        try:
            while self.progress < 1:
                began = time.perf_counter()
                stage, position, batch = self.stage, self.at.position, []
                for _ in range(recipe.clips_per_step):
                    clip, position = next(source)
                    batch.append(clip)
                figures = np.mean([self._learn(stage, clip, number) for number, clip in enumerate(batch)], axis=0)
                self._update(stage)
                seconds = self.at.seconds + time.perf_counter() - began
                self.at = replace(self.at, step=self.at.step + 1, seconds=seconds, position=position)
                if seconds - saved > self.recipe.save_seconds:
                    self.save()
                    saved = seconds
                yield StepReport(self.at.step, stage, self.progress, seconds, *figures.tolist())
            self.save()
        finally:
            source.close()  # type: ignore[attr-defined]

    def _learn(self, stage: Stage, clip: Clip, number: int) -> tuple[float, float, float]:
        rng = np.random.default_rng((self.at.seed, self.at.step, number))
        if stage == "features":
            loss = self._features_loss(clip, rng) / self.recipe.clips_per_step
            loss.backward()
            return float(loss.detach()) * self.recipe.clips_per_step, float("nan"), float("nan")
        if stage == "verifier":
            return self._judge(clip, rng)
        learning = stage == "joint" and self.at.step % self.recipe.backbone_every == 0
        xy, weight = self._truth(clip)
        linear = clip.window.interpolate()
        from_linear = bool(rng.random() < self.recipe.from_linear)
        guess = disturb(rng, linear if from_linear else clip.flow, clip, strongly=from_linear)
        from_path = bool(rng.random() < self.recipe.from_path)
        start = torch.from_numpy(guess[None]).float().to(self._device)
        batch = stack([clip.window], np.arange(len(clip.images))).to(self._device)
        hints = hints_of(clip, 1, self._device, shown=bool(rng.random() > self.recipe.without_hints))
        rounds = int(rng.integers(2, self.network.config.rounds + 1))
        with self.compute.autocast():
            with torch.set_grad_enabled(learning):
                maps = self.network.describe(as_input(clip.images, self._device))
            matches = self.network.find_matches(maps, batch)
            start = matches.path if from_path and matches is not None else start
            estimates = self.network(maps, batch, start, hints, rounds, matches)
        loss = refinement(estimates, batch, xy.expand_as(start), weight.expand(start.shape[:3]))
        if learning:
            templates = self.network.templates(maps, batch)
            filled = tuple(level[clip.window.times] for level in maps)
            seen = torch.from_numpy(clip.visibility == 2).to(self._device)
            loss = loss + self.recipe.contrastive_weight * contrastive(filled, templates, xy[0], seen)
        (loss / self.recipe.clips_per_step).backward()
        with torch.no_grad():
            error, start_error = (error_of(guess, clip, batch) for guess in (estimates[-1].xy, start))
        return float(loss.detach()), error, start_error

    def _judge(self, clip: Clip, rng: np.random.Generator) -> tuple[float, float, float]:
        if self._verifier[0] not in self._optimizer.state:
            self.network.load_state_dict(self.average.state_dict())
        batch = stack([clip.window] * 2, np.arange(len(clip.images))).to(self._device)
        starts = first_guesses(clip, self._device)
        with self.compute.autocast():
            with torch.no_grad():
                mirrored = bool(rng.random() < 0.6) and not self.network.config.matches
                looks = look(self.network, clip, mirrored=mirrored)
                candidates = collect(self.network, looks, batch, starts, hints_of(clip, 2, self._device))
            if rng.random() < 0.5:
                found = (torch.from_numpy(values).float().to(self._device) for values in pretend_detector(rng, clip))
                candidates = with_detector(candidates, batch.first(), *found)
            unseen = torch.from_numpy(rng.random(len(sources(self.network.config.matches))) < 0.12)
            unseen[0] = False
            candidates = candidates.without(unseen.to(self._device))
            estimate, weight = self.network.judge(looks.maps, batch.first(), candidates)
        xy, counted = self._truth(clip)
        loss = refinement([estimate], batch.first(), xy, counted, VERIFIER_KNEE)
        loss = loss + self.recipe.choice_weight * choice(weight, candidates, batch.first(), xy, counted)
        (loss / self.recipe.clips_per_step).backward()
        with torch.no_grad():
            error, start_error = (error_of(guess, clip, batch) for guess in (estimate.xy, starts[1:]))
        return float(loss.detach()), error, start_error

    def _features_loss(self, clip: Clip, rng: np.random.Generator) -> Tensor:
        window = clip.window
        anchors = np.unique(np.concatenate([window.before[window.has_before], window.after[window.has_after]]))
        others = np.setdiff1d(window.times, anchors)
        frames = np.union1d(anchors, rng.permutation(others)[:8])
        shown = np.intersect1d(frames, window.times)
        with self.compute.autocast():
            maps = self.network.describe(as_input(clip.images[frames], self._device))
        templates = self.network.templates(maps, stack([window], frames).to(self._device))
        rows, filled = shown - window.times[0], tuple(level[np.searchsorted(frames, shown)] for level in maps)
        seen = torch.from_numpy(clip.visibility[rows] == 2).to(self._device)
        return contrastive(filled, templates, torch.from_numpy(clip.xy[rows]).to(self._device), seen)

    def _truth(self, clip: Clip) -> tuple[Tensor, Tensor]:
        xy, weight = (torch.from_numpy(values)[None].to(self._device) for values in (clip.xy, true_weight(clip)))
        return xy, weight

    def _update(self, stage: Stage) -> None:
        recipe, done = self.recipe, self.progress
        warm = min(1.0, (self.at.step + 1) / 50)
        backbone = rest = verifier = 0.0
        if stage == "features":
            backbone = recipe.features_rate * warm * _cosine(done / recipe.features_until)
        elif stage == "verifier":
            since = (done - recipe.joint_until) / max(1e-9, 1 - recipe.joint_until)
            verifier = recipe.verifier_rate * min(1.0, since / 0.03 + 0.02) * _cosine(since)
        else:
            since = (done - recipe.features_until) / max(1e-9, recipe.joint_until - recipe.features_until)
            rest = recipe.rate * min(1.0, since / 0.02 + 0.02) * _cosine(since)
            joint = (done - recipe.refiner_until) / max(1e-9, recipe.joint_until - recipe.refiner_until)
            backbone = rest * recipe.backbone_rate * min(1.0, joint / 0.03) if stage == "joint" else 0.0
        parts = (self._trunk, self._backbone, self._rest, self._verifier)
        rates = (backbone * recipe.pretrained_rate, backbone, rest, verifier)
        learning = [(part, rate) for part, rate in zip(parts, rates, strict=True) if part]
        for group, (part, rate) in zip(self._optimizer.param_groups, learning, strict=True):
            group["lr"] = rate
            nn.utils.clip_grad_norm_(part, 1.0)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        decay = min(0.997, (1 + self.at.step) / (10 + self.at.step))
        with torch.no_grad():
            for kept, current in zip(self.average.parameters(), self.network.parameters(), strict=True):
                kept.lerp_(current, 1 - decay)


def _trunk(network: StdPose) -> list[nn.Parameter]:
    """The part of the backbone that others have trained; empty where that would be all of it."""
    theirs = cast(nn.Module, network.backbone.pretrained)
    return [] if theirs is network.backbone else list(theirs.parameters())


def _without(network: nn.Module, parts: Sequence[nn.Parameter]) -> list[nn.Parameter]:
    apart = {id(parameter) for parameter in parts}
    return [parameter for parameter in network.parameters() if id(parameter) not in apart]


def _cosine(progress: float) -> float:
    return 0.03 + 0.97 * 0.5 * (1 + float(np.cos(np.pi * min(1.0, progress))))
