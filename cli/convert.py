"""``posetween convert``: poses of one format into another, without a server."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from app.exchange.reading import read
from cli.dataset_counts import counts, poses_line, video_line
from cli.files import check_place, sentence
from cli.one_way import Truth, check_truth, left_out_line
from cli.options import Json, UsageError
from formats import one_way
from formats.dataset import Dataset
from formats.errors import FormatError
from formats.losses import report, sentences
from formats.one_way import ONE_WAY
from formats.registry import FORMATS, check, write

_NAMES = ", ".join(FORMATS)
_SHOWN = 20  # videos that are told of for people


def convert(
    source: Annotated[Path, typer.Argument(help="File or folder to read.", show_default=False)],
    target: Annotated[
        Path | None, typer.Argument(help="File or folder to write; none with --check.", show_default=False)
    ] = None,
    to: Annotated[
        str, typer.Option("--to", help=f"Format to write: {', '.join([*FORMATS, *ONE_WAY])}.", show_default=False)
    ] = "",
    source_format: Annotated[
        str | None, typer.Option("--from", help="Format to read; default: told by what is in it.", show_default=False)
    ] = None,
    truth: Truth = None,
    dry_run: Annotated[
        bool, typer.Option("--check", help="Write nothing: say what is read and would be lost.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read poses in one format and write them in another; what it cannot hold is counted."""
    if to not in {*FORMATS, *ONE_WAY}:
        raise UsageError(f"--to is one of {', '.join([*FORMATS, *ONE_WAY])}")
    if source_format not in (None, *FORMATS):
        raise UsageError(f"--from is one of {_NAMES}")
    if target is None and not dry_run:
        raise UsageError("name a file or folder to write, or say --check")
    check_truth(to, truth)
    if target is not None:
        _check_target(target, to)
    try:
        with tempfile.TemporaryDirectory(prefix="posetween-") as folder:
            found = read(source, source_format, Path(folder), media=False)
        name, dataset = found.format, found.dataset
        losses = report(dataset, one_way.LOSES) if to in ONE_WAY else check(dataset, to, target or source)
        left_out = _tried(dataset, to, truth) if target is None or dry_run else _write(dataset, to, target, truth)
    except FormatError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        typer.echo(f"{target or source} was not written: {sentence(error)}", err=True)
        raise typer.Exit(1) from error
    told = {
        "event": "checked" if dry_run else "done",
        "from": name,
        "to": to,
        "output": None if dry_run else str(target),
        **counts(dataset),
        "losses": losses,
        **({"left_out": left_out} if to in ONE_WAY else {}),
    }
    if as_json:
        typer.echo(json.dumps(told))
    else:
        _tell(told, losses, dry_run=dry_run)


def _check_target(target: Path, to: str) -> None:
    if to in ONE_WAY or FORMATS[to].kind == "file":
        check_place(target)
    elif not target.absolute().parent.is_dir() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        title = FORMATS[to].title
        raise UsageError(f"{target}: {title} is written to a folder that is not there yet, or empty")


def _write(dataset: Dataset, to: str, target: Path, truth: Path | None) -> int:
    """Write beside the target and put it there when it is whole; gives how many poses a one-way file left out."""
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.absolute().parent) as folder:
        part = Path(folder) / target.name
        if to in ONE_WAY:
            left_out = one_way.write(dataset, to, part, truth)
        else:
            left_out = 0
            write(dataset, to, part)
        if target.is_dir():
            for piece in sorted(part.iterdir()):
                shutil.move(piece, target / piece.name)
        else:
            part.replace(target)
    return left_out


def _tried(dataset: Dataset, to: str, truth: Path | None) -> int:
    """How many poses a one-way file would leave out: it is written and thrown away."""
    if to not in ONE_WAY:
        return 0
    with tempfile.TemporaryDirectory(prefix="posetween-") as folder:
        return one_way.write(dataset, to, Path(folder) / "poses", truth)


def _tell(told: dict[str, Any], losses: dict[str, int], *, dry_run: bool) -> None:
    if dry_run:
        typer.echo(f"{FORMATS[told['from']].title}; keypoints: {', '.join(told['keypoints'])}")
        for video in told["videos"][:_SHOWN]:
            typer.echo(video_line(video))
        if len(told["videos"]) > _SHOWN:
            typer.echo(f"and {len(told['videos']) - _SHOWN} more videos")
    typer.echo(poses_line(told))
    for line in sentences(losses):
        typer.echo(f"{'would be lost' if dry_run else 'lost'}: {line}", err=not dry_run)
    if told.get("left_out"):
        typer.echo(f"{'would be ' if dry_run else ''}{left_out_line(told['left_out'])}", err=not dry_run)
    if not dry_run:
        typer.echo(told["output"])
