"""``posetween videos``: the videos of a project of a running service."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Json, UsageError
from cli.progress_line import ProgressLine
from cli.server_options import LOOPBACK, KeyFile, Server
from cli.service_session import print_rows, project_of, signed_in, waited

app = typer.Typer(help="List, upload and propagate the videos of a running service.", no_args_is_help=True)

_COLUMNS = ("id", "filename", "status", "num_frames", "width", "height", "fps")

Project = Annotated[str, typer.Argument(help="Number or name of the project.", show_default=False)]
VideoId = Annotated[int, typer.Argument(help="Number of the video.", min=1, show_default=False)]
Files = Annotated[list[Path], typer.Argument(help="Videos, or ZIP files of numbered images.", show_default=False)]
Engine = Annotated[str, typer.Option(help="auto, stdpose, flow or linear.")]
Start = Annotated[int | None, typer.Option(min=0, help="First frame; default: the video's.", show_default=False)]
Stop = Annotated[
    int | None, typer.Option(min=1, help="Frame after the last; default: the video's end.", show_default=False)
]


@app.command("list")
def show(project: Project, server: Server = LOOPBACK, key_file: KeyFile = None, as_json: Json = False) -> None:
    """List a project's videos."""
    with signed_in(server, key_file) as client:
        videos = client.videos(project_of(client, project)["id"])
        print_rows([dict(video) for video in videos], _COLUMNS, as_json=as_json)


@app.command()
def upload(
    project: Project, files: Files, server: Server = LOOPBACK, key_file: KeyFile = None, as_json: Json = False
) -> None:
    """Upload videos and wait until they can be labelled.

    An upload that broke off goes on where it was, and a file that is there already is not sent again.
    """
    for file in files:
        if not file.is_file():
            raise UsageError(f"there is no such file as {file}")
    with signed_in(server, key_file) as client:
        number = project_of(client, project)["id"]
        sent = []
        for file in files:
            with ProgressLine(quiet=as_json) as line:

                def tell(done: int, of: int, line: ProgressLine = line, file: Path = file) -> None:
                    line(f"uploading {file.name}", done / max(of, 1))

                sent.append(client.upload(number, file, sent=tell))
        for video in sent:
            if video["ingest_job_id"] is not None:
                job = client.job(video["ingest_job_id"])
                waited(client, job, f"reading {video['filename']}", quiet=as_json)
        ready = [client.video(video["id"]) for video in sent]
        print_rows([dict(video) for video in ready], _COLUMNS, as_json=as_json)


@app.command()
def propagate(
    video: VideoId,
    engine: Engine = "auto",
    start: Start = None,
    stop: Stop = None,
    server: Server = LOOPBACK,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """Fill in the poses between a video's labels, wait, and print the number of the run."""
    span = {name: frame for name, frame in (("start", start), ("stop", stop)) if frame is not None}
    with signed_in(server, key_file) as client:
        job = waited(client, client.propagate(video, engine=engine, **span), "propagating", quiet=as_json)
        print_rows([dict(job)], (), as_json=True) if as_json else typer.echo(str((job["result"] or {})["run_id"]))
