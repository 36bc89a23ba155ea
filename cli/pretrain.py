"""``posetween pretrain``: train the propagation network on rendered videos."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Device, Precision, Threads, computing


def pretrain(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for checkpoint, state and log.")],
    minutes: Annotated[
        float | None, typer.Option(min=0.1, help="Time to spend, in all sessions together; 120 unless told.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=0, help="Steps to take instead: repeats bit for bit on one machine.")
    ] = None,
    resume: Annotated[bool, typer.Option(help="Go on where a training in this folder was stopped.")] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Everything random follows from it; 0 unless told.")] = None,
    preset: Annotated[
        str | None,
        typer.Option(help="Size: tiny (unless told), lite, small, base, large, huge; the last four want a GPU."),
    ] = None,
    pretrained: Annotated[
        str | None,
        typer.Option(
            help="Published weights of the backbone: for lite a file, that of its package unless told; "
            "for small to huge a folder with ViTPose's."
        ),
    ] = None,
    videos: Annotated[
        Path | None,
        typer.Option(help="Folder of videos without labels to learn from as well; name it again with --resume."),
    ] = None,
    begin: Annotated[
        Path | None,
        typer.Option(help="Checkpoint to go on from; begins with the stage that trains all but the verifier."),
    ] = None,
    head: Annotated[
        Path | None,
        typer.Option(help="Checkpoint to take all but the backbone from, of tiny for lite; trained like the rest."),
    ] = None,
    device: Device = "auto",
    precision: Precision = "auto",
    workers: Annotated[int, typer.Option(min=1, help="Processes that render.")] = 1,
    threads: Threads = 0,
    validation: Annotated[int, typer.Option(min=1, help="Rendered clips to validate on.")] = 24,
    data: Annotated[
        Path | None, typer.Option(help="Folder of folders with video.* and truth.json, to validate on in the end.")
    ] = None,
) -> None:
    """Train the network of the engine stdpose on rendered videos; may be stopped at any time and resumed."""
    from cli.pretraining import Given, run  # loads PyTorch

    computing(device, precision, threads)
    told = {"seed": seed, "minutes": minutes, "steps": steps, "workers": workers}
    given = Given(
        output=output,
        resume=resume,
        told=told,
        preset=preset,
        pretrained=pretrained,
        videos=videos,
        begin=begin,
        head=head,
        device=device,
        precision=precision,
        validation=validation,
        data=data,
    )
    run(given)
