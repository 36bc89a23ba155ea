"""``posetween jobs``: the jobs of a running service."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Json
from cli.server_options import LOOPBACK, KeyFile, Server
from cli.service_session import print_rows, signed_in, waited

app = typer.Typer(help="List, follow and cancel the jobs of a running service.", no_args_is_help=True)

JobId = Annotated[int, typer.Argument(help="Number of the job.", min=1, show_default=False)]
StateOption = Annotated[
    str | None,
    typer.Option(
        "--state", help="Only jobs in this state: queued, running, succeeded, failed, cancelled.", show_default=False
    ),
]
Kind = Annotated[str | None, typer.Option(help="Only jobs of this kind.", show_default=False)]

_COLUMNS = ("id", "kind", "state", "progress", "stage", "error")


@app.command("list")
def show(
    state: StateOption = None,
    kind: Kind = None,
    server: Server = LOOPBACK,
    key_file: KeyFile = None,
    as_json: Json = False,
) -> None:
    """List the lab's jobs, newest first."""
    asked = {name: value for name, value in (("state", state), ("kind", kind)) if value is not None}
    with signed_in(server, key_file) as client:
        print_rows(list(client.pages("/jobs", **asked)), _COLUMNS, as_json=as_json)


@app.command()
def watch(job: JobId, server: Server = LOOPBACK, key_file: KeyFile = None, as_json: Json = False) -> None:
    """Follow a job to its end; status 1 where it did not succeed."""
    with signed_in(server, key_file) as client:
        done = waited(client, client.job(job), f"job {job}", quiet=as_json)
        print_rows([dict(done)], _COLUMNS, as_json=as_json)


@app.command()
def cancel(job: JobId, server: Server = LOOPBACK, key_file: KeyFile = None, as_json: Json = False) -> None:
    """Cancel a job."""
    with signed_in(server, key_file) as client:
        print_rows([client.post(f"/jobs/{job}/cancel", None)], _COLUMNS, as_json=as_json)
