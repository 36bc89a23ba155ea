"""``posetween export``: a project of a running service as a file."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.files import check_place
from cli.one_way import Truth, check_truth, left_out_line
from cli.options import Json, UsageError
from cli.server_options import LOOPBACK, KeyFile, Server
from cli.service_session import project_of, signed_in, waited
from cli.videos import Project
from formats import coco, one_way
from formats.errors import FormatError
from formats.one_way import ONE_WAY
from posetween import Client

Output = Annotated[Path, typer.Option("--output", "-o", help="File to write.", show_default=False)]
Format = Annotated[
    str, typer.Option("--to", help="coco, a format of another tool, or a one-way file, see docs/formats.md.")
]
Include = Annotated[
    list[str] | None,
    typer.Option(
        help="Whose points: human, accepted or pseudo; may be given several times. Default: all.", show_default=False
    ),
]
MinScore = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="A machine's points below this score are left out.", show_default=False),
]
Videos = Annotated[
    list[int] | None,
    typer.Option("--video", help="Number of a video; may be given several times. Default: all.", show_default=False),
]
Images = Annotated[bool, typer.Option("--images", help="Write a ZIP with the frames beside the annotations.")]


def export(
    project: Project,
    output: Output,
    to: Format = "coco",
    include: Include = None,
    min_score: MinScore = None,
    video: Videos = None,
    images: Images = False,
    truth: Truth = None,
    server: Server = LOOPBACK,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Export a project of a running service and download the file."""
    chosen = {"include": include or None, "min_score": min_score, "videos": video or None, "images": images or None}
    asked = {name: value for name, value in chosen.items() if value is not None}
    check_truth(to, truth)
    if to in ONE_WAY:
        if images:
            raise UsageError(f"--images: {to} has none")
        check_place(output)
    with signed_in(server, key_file) as client:
        number = project_of(client, project)["id"]
        if to in ONE_WAY:
            told = _one_way(client, number, asked, to, output, truth, quiet=as_json)
        else:
            job = waited(client, client.export(number, **{**asked, "format": to}), "exporting", quiet=as_json)
            told = dict(client.download(job, output))
    if as_json:
        typer.echo(json.dumps({"event": "done", **told, "file": str(output)}))
        return
    if told.get("left_out"):
        typer.echo(left_out_line(told["left_out"]), err=True)
    typer.echo(str(output))


def _one_way(
    client: Client, number: int, asked: dict[str, Any], to: str, output: Path, truth: Path | None, *, quiet: bool
) -> dict[str, Any]:
    """Write a file of ``ONE_WAY`` from the project's COCO file; gives what is told of it."""
    job = waited(client, client.export(number, **{**asked, "format": "coco"}), "exporting", quiet=quiet)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.absolute().parent) as folder:
        poses, part = Path(folder) / "poses.json", Path(folder) / output.name
        done = client.download(job, poses)
        try:
            left_out = one_way.write(coco.read(poses), to, part, truth)
        except FormatError as error:
            raise UsageError(str(error)) from error
        part.replace(output)
    return {"format": to, "export_id": done["id"], "left_out": left_out}
