"""``posetween projects``: the projects of a running service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from cli.options import Json, Name, UsageError
from cli.server_options import LOOPBACK, KeyFile, Server
from cli.service_session import print_rows, signed_in
from pose.formats.coco import CocoError, read_coco
from posetween.answers import SkeletonSchema

app = typer.Typer(help="List and make the projects of a running service.", no_args_is_help=True)

SkeletonFile = Annotated[
    Path,
    typer.Option("--skeleton", help="COCO keypoints file, or a JSON object with keypoints, edges and swap pairs."),
]


@app.command("list")
def show(server: Server = LOOPBACK, key_file: KeyFile = None, as_json: Json = False) -> None:
    """List the projects of the key's lab, newest first."""
    with signed_in(server, key_file) as client:
        rows = [{**project, "keypoints": len(project["skeleton"]["keypoints"])} for project in client.projects()]
        print_rows(rows, ("id", "name", "keypoints", "created_at"), as_json=as_json)


@app.command()
def create(
    name: Name, skeleton: SkeletonFile, server: Server = LOOPBACK, key_file: KeyFile = None, as_json: Json = False
) -> None:
    """Make a project with the skeleton of a file and print its number."""
    shape = _skeleton(skeleton)
    with signed_in(server, key_file) as client:
        project = client.create_project(name, shape)
        print_rows([dict(project)], (), as_json=True) if as_json else typer.echo(str(project["id"]))


def _skeleton(file: Path) -> SkeletonSchema:
    try:
        content = file.read_bytes()
        document: Any = msgspec.json.decode(content)
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file}: this is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise UsageError(f"{file}: expected a JSON object")
    if "categories" not in document:
        return {"name": file.stem, **document}  # type: ignore[typeddict-item]  # the service says what is wrong with it
    try:
        found = read_coco(content).skeleton
    except CocoError as error:
        raise UsageError(f"{file}: {error}") from error
    edges, swap = ([(first, second) for first, second in pairs] for pairs in (found.edges, found.swap))
    return {"name": found.name or file.stem, "keypoints": list(found.keypoints), "edges": edges, "swap": swap}
