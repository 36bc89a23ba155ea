"""``posetween convert``: poses of one format into another, without a server."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from cli.files import check_place, sentence
from cli.options import Json, UsageError
from formats.dataset import Dataset
from formats.errors import FormatError
from formats.losses import sentences
from formats.recognise import recognise
from formats.registry import FORMATS, Format, check, write

_NAMES = ", ".join(FORMATS)
_SHOWN = 20  # videos that are told of for people


def convert(
    source: Annotated[Path, typer.Argument(help="File or folder to read.", show_default=False)],
    target: Annotated[
        Path | None, typer.Argument(help="File or folder to write; none with --check.", show_default=False)
    ] = None,
    to: Annotated[str, typer.Option("--to", help=f"Format to write: {_NAMES}.", show_default=False)] = "",
    source_format: Annotated[
        str | None, typer.Option("--from", help="Format to read; default: told by what is in it.", show_default=False)
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--check", help="Write nothing: say what is read and would be lost.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read poses in one format and write them in another; what it cannot hold is counted."""
    if to not in FORMATS or source_format not in (None, *FORMATS):
        raise UsageError(f"--{'to' if to not in FORMATS else 'from'} is one of {_NAMES}")
    if target is None and not dry_run:
        raise UsageError("name a file or folder to write, or say --check")
    form = FORMATS[to]
    if target is not None:
        _check_target(target, form)
    try:
        name = source_format or recognise(source)
        dataset = FORMATS[name].read(source)
        losses = check(dataset, to, target or source)
        if target is not None and not dry_run:
            _write(dataset, to, target)
    except FormatError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        typer.echo(f"{target} was not written: {sentence(error)}", err=True)
        raise typer.Exit(1) from error
    told = {
        "event": "checked" if dry_run else "done",
        "from": name,
        "to": to,
        "output": None if dry_run else str(target),
        **_counts(dataset),
        "losses": losses,
    }
    if as_json:
        typer.echo(json.dumps(told))
    else:
        _tell(told, losses, dry_run=dry_run)


def _check_target(target: Path, form: Format) -> None:
    if form.kind == "file":
        check_place(target)
    elif not target.absolute().parent.is_dir() or (target.exists() and (not target.is_dir() or any(target.iterdir()))):
        raise UsageError(f"{target}: {form.title} is written to a folder that is not there yet, or empty")


def _write(dataset: Dataset, to: str, target: Path) -> None:
    """Write beside the target and put it there when it is whole."""
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.absolute().parent) as folder:
        part = Path(folder) / target.name
        write(dataset, to, part)
        if target.is_dir():
            for piece in sorted(part.iterdir()):
                shutil.move(piece, target / piece.name)
        else:
            part.replace(target)


def _counts(dataset: Dataset) -> dict[str, Any]:
    """What a data set holds."""
    videos = []
    for number, video in enumerate(dataset.videos):
        rows = dataset.rows_of(number)
        videos.append(
            {
                "name": video.name,
                "width": video.width,
                "height": video.height,
                "num_frames": video.num_frames,
                "labelled_frames": len(np.unique(dataset.frame[rows])),
                "empty_frames": len(video.empty),
                "poses": rows.stop - rows.start,
                "tracks": {str(track): video.tracks.get(track) for track in np.unique(dataset.track[rows]).tolist()},
            }
        )
    return {
        "keypoints": [*dataset.skeleton.keypoints],
        "poses": len(dataset),
        "points": int(dataset.known.sum()),
        "by_people": int(dataset.human.sum()),
        "by_machines": int(dataset.machine.sum()),
        "hidden": int((dataset.visibility == 1).sum()),
        "absent": int(dataset.absent.sum()),
        "videos": videos,
    }


def _tell(told: dict[str, Any], losses: dict[str, int], *, dry_run: bool) -> None:
    if dry_run:
        typer.echo(f"{FORMATS[told['from']].title}; keypoints: {', '.join(told['keypoints'])}")
        for video in told["videos"][:_SHOWN]:
            typer.echo(_video(video))
        if len(told["videos"]) > _SHOWN:
            typer.echo(f"and {len(told['videos']) - _SHOWN} more videos")
    points = f"{told['points']} points, {told['by_people']} by people and {told['by_machines']} by machines"
    typer.echo(f"{told['poses']} poses with {points}, in {len(told['videos'])} videos")
    for line in sentences(losses):
        typer.echo(f"{'would be lost' if dry_run else 'lost'}: {line}", err=not dry_run)
    if not dry_run:
        typer.echo(told["output"])


def _video(video: dict[str, Any]) -> str:
    size = f"{video['width']} x {video['height']}" if video["width"] and video["height"] else "size not said"
    length = f"{video['num_frames']} frames" if video["num_frames"] else "length not said"
    tracks = ", ".join(f"{number} {name}" if name else number for number, name in video["tracks"].items())
    frames = f"{video['poses']} poses on {video['labelled_frames']} frames"
    nobody = f", nobody on {video['empty_frames']}" if video["empty_frames"] else ""
    return f"video {video['name']!r} ({size}, {length}): {frames}{nobody}; tracks: {tracks or 'none'}"
