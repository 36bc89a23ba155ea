"""``posetween evaluate``: an estimator on labelled videos, in figures and pictures, without a server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.files import sentence
from cli.options import (
    Device,
    FrameFrom,
    FrameOffset,
    FramePattern,
    Json,
    Precision,
    Pseudo,
    Scale,
    Threads,
    UsageError,
    computing,
    numbering,
)
from cli.subjects import by_hand, read_estimator, read_subjects
from pose.decoder import VideoError
from pose.formats.coco import Reading


def evaluate(
    checkpoint: Annotated[Path, typer.Argument(help="The estimator.", show_default=False)],
    files: Annotated[
        list[Path],
        typer.Argument(help="Videos, each with the COCO file of its labels after it.", metavar="VIDEO LABELS.json …"),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the report.", show_default=False)],
    frame_from: FrameFrom = "field",
    frame_pattern: FramePattern = None,
    frame_offset: FrameOffset = None,
    scale: Scale = "refuse",
    pseudo: Pseudo = "skip",
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    as_json: Json = False,
) -> None:
    """Measure an estimator on people's labels that it has not learnt from; each subject in its label's box."""
    from models.evaluation.evaluation import evaluate as measure
    from models.evaluation.report import write_report
    from models.training.examine import SubjectFrames, examine

    computing(device, precision, threads)
    loaded = read_estimator(checkpoint)
    reading = Reading(numbering(frame_from, frame_pattern, frame_offset), scale, pseudo)
    _, subjects = read_subjects(files, loaded.skeleton, reading=reading)
    subjects = by_hand(subjects)
    try:
        judged = examine(loaded, subjects, device=device, precision=precision)
        evaluation = measure(judged, loaded.skeleton)
        with SubjectFrames(subjects) as frames:
            write_report(output, evaluation, judged, loaded.skeleton, frames)
    except ValueError as error:
        raise UsageError(str(error)) from error
    except (VideoError, OSError) as error:
        typer.echo(f"{output} was not written: {sentence(error)}", err=True)
        raise typer.Exit(1) from error
    if as_json:
        typer.echo(json.dumps({"event": "done", "output": str(output), "metrics": evaluation.to_json()}))
    else:
        typer.echo((output / "report.md").read_text())
