"""``posetween export``: a project of a running service as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.options import Json
from cli.server_options import LOOPBACK, KeyFile, Server
from cli.service_session import project_of, signed_in, waited
from cli.videos import Project

Output = Annotated[Path, typer.Option("--output", "-o", help="File to write.", show_default=False)]
Format = Annotated[str, typer.Option("--to", help="coco, or a format of another tool, see docs/formats.md.")]
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
    server: Server = LOOPBACK,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Export a project of a running service and download the file."""
    chosen = {"include": include or None, "min_score": min_score, "videos": video or None, "images": images or None}
    asked = {name: value for name, value in chosen.items() if value is not None}
    with signed_in(server, key_file) as client:
        number = project_of(client, project)["id"]
        job = waited(client, client.export(number, **{**asked, "format": to}), "exporting", quiet=as_json)
        done = client.download(job, output)
    typer.echo(json.dumps({"event": "done", **done, "file": str(output)}) if as_json else str(output))
