"""The work of ``posetween pretrain``; loads PyTorch."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from cli.options import UsageError
from models.backbones import efficientnet_lite
from models.backbones.entries import from_entries
from models.compute.devices import choose
from models.engines.engine import Engine
from models.engines.linear import Linear
from models.pretraining.inheritance import inherit
from models.pretraining.training import Recipe, StepReport, Training
from models.pretraining.validation import validate, validation_clips
from models.propagate import propagate
from models.stdpose import checkpoints, presets
from models.stdpose.engine import StdPoseEngine
from models.stdpose.network import StdPose, StdPoseConfig
from models.training.saved_state import read_about
from models.weights import digest
from pose.formats.coco import read_coco
from pose.frame_table import scan
from pose.metrics import evaluate
from pose.track import Track, join
from pose.video import VideoReader

_LINE_EVERY = 25
_VALIDATE_EVERY = 500
_VIDEOS = {".mp4", ".mov", ".avi", ".mkv", ".webm"}


@dataclass(frozen=True, kw_only=True)
class Given:
    """The options of the command, as it explains them; ``told`` holds those of the recipe, None where left out."""

    output: Path
    resume: bool
    told: dict[str, Any]
    preset: str | None
    pretrained: str | None
    videos: Path | None
    begin: Path | None
    head: Path | None
    device: str
    precision: str
    validation: int
    data: Path | None


def run(given: Given) -> None:
    """Train until the end, with a checkpoint, a state to go on from and a log in the folder of the output.

    Raises:
        UsageError: The options do not go together, or what they name cannot be used.
    """
    output = given.output
    state = output / "state.safetensors"
    if state.exists() and not given.resume:
        raise UsageError(f"{output} holds a training; go on with --resume or choose another folder")
    if given.resume and not state.exists():
        raise UsageError(f"{output} holds no training to resume")
    try:
        if given.resume:
            begun = bool(given.begin or given.head or given.preset or given.pretrained)
            recipe, network, origin = _resumed(state, given.told, begun=begun)
        else:
            recipe, network, origin = _begun(given.told, given.begin, given.head, given.preset, given.pretrained)
        output.mkdir(parents=True, exist_ok=True)
        compute = choose(given.device, given.precision)
        training = Training(recipe, network, state, compute, origin, _videos(given.videos))
    except (ValueError, ImportError) as error:
        raise UsageError(str(error)) from error
    held_out = validation_clips(given.validation)
    validated = training.at.step
    with (output / "log.txt").open("a") as log:
        for line in _follow(training):
            print(line, file=log, flush=True)
            if training.at.step >= validated + _VALIDATE_EVERY or training.progress >= 1:
                validated = training.at.step
                figures = validate(training.average, held_out, compute)
                listed = " ".join(f"{name} {figure:.4f}" for name, figure in figures.items())
                print(f"step {training.at.step} validation {listed}", file=log, flush=True)
                about = {
                    **origin,
                    "recipe": vars(recipe),
                    "steps": training.at.step,
                    "minutes": round(training.at.seconds / 60, 1),
                    "machine": f"{platform.machine()}, PyTorch {torch.__version__}",
                    "computed": compute.pedigree(),
                    "validation": {name: round(figure, 5) for name, figure in figures.items()},
                }
                path = output / "stdpose.safetensors"
                checkpoints.save(path, training.average.state_dict(), training.network.config, about)
        if given.data is not None:
            for line in _real(output / "stdpose.safetensors", given.data):
                print(line, file=log, flush=True)
                typer.echo(line)


def _videos(folder: Path | None) -> list[Path]:
    """The videos below a folder, in an order that does not hang on the machine."""
    if folder is None:
        return []
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _VIDEOS)
    if not found:
        raise UsageError(f"{folder} holds no videos ({', '.join(sorted(_VIDEOS))})")
    return found


def _begun(
    told: dict[str, Any], begin: Path | None, head: Path | None, preset: str | None, pretrained: str | None
) -> tuple[Recipe, StdPose, dict[str, Any]]:
    recipe = Recipe(**{name: value for name, value in {"minutes": 120.0, **told}.items() if value is not None})
    if begin is None:
        preset = preset or "tiny"
        source = efficientnet_lite.find() if preset == "lite" and pretrained is None else pretrained
        network = presets.build(preset, seed=recipe.seed, pretrained=source)
        origin: dict[str, Any] = {"preset": preset, "pretrained": source is not None}
        if head is not None:
            inherit(network, checkpoints.load(head))
            origin["head"] = digest(head)
        return recipe, network, origin
    if preset or pretrained or head:
        raise UsageError("--begin names a whole network; leave out --preset, --pretrained and --head")
    skipped = replace(recipe, features_until=0.0, refiner_until=0.0)
    return skipped, checkpoints.load(begin), {"begun_from": digest(begin)}


def _resumed(state: Path, told: dict[str, Any], *, begun: bool) -> tuple[Recipe, StdPose, dict[str, Any]]:
    about = read_about(state)
    kept, config = about.pop("recipe"), from_entries(StdPoseConfig, about.pop("config"))
    kept.pop("half", None)  # of states that older versions wrote
    if begun:
        raise UsageError("--begin, --head, --preset and --pretrained are for new trainings; this one has begun")
    if told["seed"] not in (None, kept["seed"]):
        raise UsageError(f"this training was begun with --seed {kept['seed']}, which cannot be changed")
    recipe = Recipe(**{**kept, **{name: value for name, value in told.items() if value is not None}})
    return recipe, StdPose(config), about


def _follow(training: Training) -> Iterator[str]:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    recent: list[StepReport] = []
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task("rendering", total=1.0)
        for report in training.run():
            recent.append(report)
            bar.update(task, completed=report.progress, description=f"{report.stage} {report.loss:.2f}")
            if len(recent) == _LINE_EVERY or report.progress >= 1:
                loss, error, start = (
                    sum(getattr(entry, name) for entry in recent) / len(recent)
                    for name in ("loss", "error", "start_error")
                )
                yield (
                    f"step {report.step} {report.stage} {report.seconds / 60:.1f} min "
                    f"loss {loss:.3f} error {error:.4f} of {start:.4f}"
                )
                recent.clear()


def _real(checkpoint: Path, data: Path) -> Iterator[str]:
    for truth_file in sorted(data.rglob("truth.json")):
        files = sorted(truth_file.parent.glob("video.*"))
        if not files:
            continue
        truth = read_coco(truth_file.read_bytes()).tracks
        given = {number: track.select(_every(len(track), 20)) for number, track in truth.items()}
        with VideoReader(files[0], scan(files[0])) as video:
            engines: dict[str, Engine] = {"linear": Linear(), "stdpose": StdPoseEngine.from_checkpoint(checkpoint)}
            results = {}
            for name, engine in engines.items():
                parts: dict[int, list[Track]] = {number: [] for number in given}
                for number, _, poses in propagate(video, given, engine=engine):
                    parts[number].append(poses)
                made = {number: join(pieces) for number, pieces in parts.items()}
                results[name] = evaluate(truth, made, given)
        ours, baseline = results["stdpose"], results["linear"]
        yield f"{truth_file.parent.name} mean error {ours.mean:.4f} ratio to linear {ours.ratio_to(baseline):.3f}"


def _every(count: int, step: int) -> np.ndarray:
    return np.union1d(np.arange(0, count, step), count - 1)
