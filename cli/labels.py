"""``posetween labels``: the labels of a video of a running service."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from cli.options import FrameFrom, FrameOffset, FramePattern, Json, Scale, UsageError
from cli.server_options import LOOPBACK, KeyFile, Server
from cli.service_session import print_rows, signed_in
from cli.videos import VideoId

app = typer.Typer(help="Import labels into a running service, and list what was done to them.", no_args_is_help=True)

LabelFile = Annotated[
    Path,
    typer.Argument(help="COCO keypoints file; with --format one of another tool, or a folder.", show_default=False),
]
Format = Annotated[
    str, typer.Option("--format", help="Format of the file, see docs/formats.md; auto: told by what is in it.")
]
Source = Annotated[
    str | None, typer.Option(help="Which video of the file is meant, where it has several.", show_default=False)
]
Mode = Annotated[
    Literal["add", "replace"],
    typer.Option(help="Add labels, or make the labels of the file's frames equal to the file."),
]
Machine = Annotated[
    Literal["skip", "run", "human"],
    typer.Option("--pseudo", help="Poses that a machine made: skip them, keep them as a run, or as a person's."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Write nothing: say what would be written.")]


#: Endings of files that hold labels.
_LABELS = (".json", ".csv", ".txt", ".yaml", ".yml", ".xml", ".h5", ".hdf5", ".nwb", ".slp")


@app.command("import")
def import_(
    video: VideoId,
    file: LabelFile,
    mode: Mode = "add",
    frame_from: FrameFrom = "field",
    frame_pattern: FramePattern = None,
    frame_offset: FrameOffset = None,
    scale: Scale = "refuse",
    pseudo: Machine = "skip",
    file_format: Format = "coco",
    source: Source = None,
    dry_run: DryRun = False,
    server: Server = LOOPBACK,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Write the labels of a file as one revision of a video's labels."""
    try:
        content = packed(file) if file.is_dir() and file_format != "coco" else file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}") from error
    named = {"frame_pattern": frame_pattern, "frame_offset": frame_offset}
    how: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if file_format == "coco":
        how["frame_from"] = "file_name" if how else frame_from
    else:
        how |= {"format": file_format, "filename": file.name}
        if frame_from != "field":
            how["frame_from"] = frame_from  # the service says that it is not for this format
    how |= {"mode": mode, "scale": scale} | ({} if source is None else {"source": source})
    with signed_in(server, key_file) as client:
        done = client.import_labels(video, content, pseudo=pseudo, dry_run=dry_run, **how)
    for warning in done["warnings"]:
        typer.echo(f"note: {warning}", err=True)
    columns = ("revision", "written", "removed", "skipped", "run_poses")
    print_rows([dict(done)], columns, as_json=as_json)


def packed(folder: Path) -> bytes:
    """A project's folder as a ZIP of its label files: no pictures, no videos.

    Raises:
        OSError: A file cannot be read.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file() and file.suffix.lower() in _LABELS:
                archive.write(file, file.relative_to(folder).as_posix())
    return stream.getvalue()


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
