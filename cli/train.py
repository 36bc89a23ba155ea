"""``posetween train``: videos with their labels in, an estimator out, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.json_numbers import finite
from cli.files import progress_bar
from cli.options import (
    Device,
    FrameFrom,
    FrameOffset,
    FramePattern,
    Json,
    Precision,
    Scale,
    Threads,
    UsageError,
    computing,
    numbering,
)
from cli.subjects import by_hand, read_subjects
from pose.formats.coco import Reading

_PARTS = 1000  # of the bar


def train(
    files: Annotated[
        list[Path],
        typer.Argument(help="Videos, each with the COCO file of its poses after it.", metavar="VIDEO LABELS.json …"),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for checkpoint and state.", show_default=False)
    ],
    estimator: Annotated[
        str, typer.Option(help="stdpose, focused_regions, cmpose, jmpose or single_frame.")
    ] = "stdpose",
    preset: Annotated[
        str, typer.Option(help="Size: tiny, small, base, large, huge; all but tiny want a GPU.")
    ] = "tiny",
    pretrained: Annotated[
        str,
        typer.Option(help="Folder with a backbone's published weights; shipped (preset tiny) or random."),
    ] = "shipped",
    base: Annotated[
        Path | None,
        typer.Option(help="Checkpoint to go on from, or to begin another estimator with.", show_default=False),
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the labels at most.")] = 20,
    minutes: Annotated[float, typer.Option(min=0, help="End by the clock instead, where positive.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Clips of a step.")] = 16,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 1e-3,
    patience: Annotated[int, typer.Option(min=0, help="Epochs without getting better; 0 for any number.")] = 8,
    seed: Annotated[int, typer.Option(min=0, help="Everything random follows from it.")] = 0,
    pseudo_weight: Annotated[
        float, typer.Option(min=0, max=1, help="How much a machine's points count, times their score.")
    ] = 1.0,
    hold_out: Annotated[float, typer.Option(help="Share of the labels to choose the best epoch by.")] = 0.2,
    frame_from: FrameFrom = "field",
    frame_pattern: FramePattern = None,
    frame_offset: FrameOffset = None,
    scale: Scale = "refuse",
    pseudo: Annotated[
        Literal["weigh", "skip", "human"],
        typer.Option(help="Poses that a machine made: weigh them, skip them, or take them for a person's (human)."),
    ] = "weigh",
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    resume: Annotated[bool, typer.Option(help="Go on where a training in this folder was stopped.")] = False,
    as_json: Json = False,
) -> None:
    """Train an estimator on labels and pseudo-labels; may be stopped at any time and resumed."""
    from models.training.subjects import hold_out as part
    from models.training.train import TrainConfig, TrainingError
    from models.training.train import train as run

    computing(device, precision, threads)
    begun = (output / "state.safetensors").exists()
    if begun != resume:
        raise UsageError(
            f"{output} holds a training; go on with --resume or choose another folder"
            if begun
            else f"{output} holds no training to resume"
        )
    machine: Literal["keep", "skip", "human"] = "keep" if pseudo == "weigh" else pseudo
    reading = Reading(numbering(frame_from, frame_pattern, frame_offset), scale, machine)
    skeleton, subjects = read_subjects(files, pseudo_weight=pseudo_weight, reading=reading)
    config = TrainConfig(
        estimator=estimator,
        preset=preset,
        pretrained=pretrained,
        epochs=epochs,
        minutes=minutes,
        batch=batch,
        rate=rate,
        patience=patience,
        seed=seed,
        device=device,
        precision=precision,
    )
    recipe = {"files": [str(path) for path in files], "pseudo_weight": pseudo_weight, "hold_out": hold_out}
    best: dict[str, float] = {}
    try:
        training, aside = part(subjects, hold_out, seed)
        output.mkdir(parents=True, exist_ok=True)
        with progress_bar(as_json, "‰") as progress:
            task = progress.add_task("training", total=_PARTS)
            for epoch in run(config, skeleton, training, by_hand(aside), output, base, recipe):
                figures = dict(epoch.validation)
                best = figures if epoch.best else best
                said = f"epoch {epoch.index} loss {epoch.loss:.3f} error {figures.get('error', float('nan')):.4f}"
                progress.update(task, completed=_PARTS * epoch.progress, description=said)
                if as_json:
                    row = {"event": "epoch", "index": epoch.index, "step": epoch.step, "loss": epoch.loss}
                    more = {"validation": figures, "progress": epoch.progress, "best": epoch.best}
                    typer.echo(json.dumps(finite({**row, **more})))
    except (TrainingError, ValueError) as error:
        raise UsageError(str(error)) from error
    checkpoint = output / "best.safetensors"
    if as_json:
        typer.echo(json.dumps(finite({"event": "done", "checkpoint": str(checkpoint), "validation": best})))
    else:
        listed = ", ".join(f"{name} {figure:.4f}" for name, figure in best.items())
        typer.echo(f"{checkpoint}: {listed or 'nothing was kept aside to measure it on'}")
