"""``posetween labels``: the labels of a video of a running service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.options import FrameFrom, FrameOffset, FramePattern, Json, Scale, UsageError
from cli.server_options import LOOPBACK, KeyFile, Server
from cli.service_session import print_rows, signed_in
from cli.videos import VideoId

app = typer.Typer(help="Import labels into a running service, and list what was done to them.", no_args_is_help=True)

CocoFile = Annotated[Path, typer.Argument(help="COCO keypoints file.", show_default=False)]
Mode = Annotated[
    Literal["add", "replace"],
    typer.Option(help="Add labels, or make the labels of the file's frames equal to the file."),
]
Machine = Annotated[
    Literal["skip", "run", "human"],
    typer.Option("--pseudo", help="Poses that a machine made: skip them, keep them as a run, or as a person's."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing: say what would be written.")]


@app.command("import")
def import_(
    video: VideoId,
    file: CocoFile,
    mode: Mode = "add",
    frame_from: FrameFrom = "field",
    frame_pattern: FramePattern = None,
    frame_offset: FrameOffset = None,
    scale: Scale = "refuse",
    pseudo: Machine = "skip",
    dry_run: DryRun = False,
    server: Server = LOOPBACK,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Write the labels of a COCO keypoints file as one revision of a video's labels."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    named = {"frame_pattern": frame_pattern, "frame_offset": frame_offset}
    how: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    how |= {"frame_from": "file_name" if how else frame_from, "mode": mode, "scale": scale}
    with signed_in(server, key_file) as client:
        done = client.import_labels(video, content, pseudo=pseudo, dry_run=dry_run, **how)
    for warning in done["warnings"]:
        typer.echo(f"note: {warning}", err=True)
    columns = ("revision", "written", "removed", "skipped", "run_poses")
    print_rows([dict(done)], columns, as_json=as_json)


@app.command()
def history(video: VideoId, server: Server = LOOPBACK, key_file: KeyFile = None, as_json: Json = False) -> None:
    """List every act of labelling, oldest first; ``undo`` takes one back."""
    with signed_in(server, key_file) as client:
        acts = list(client.pages(f"/videos/{video}/labels/revisions"))
        print_rows(acts, ("revision", "kind", "key_id", "created_at"), as_json=as_json)


@app.command()
def undo(
    video: VideoId,
    revision: Annotated[int, typer.Argument(help="Number of the act.", min=1, show_default=False)],
    server: Server = LOOPBACK,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Take an act of labelling back, which is a new revision."""
    with signed_in(server, key_file) as client:
        done = client.post(f"/videos/{video}/labels/revisions/{revision}/undo", None)
        print_rows([done], ("revision", "written"), as_json=as_json)
