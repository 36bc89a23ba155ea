"""The part that all commands share which talk to a running service: sign in, show jobs, end with a sentence."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from cli.options import UsageError
from cli.progress_line import ProgressLine
from cli.server_options import client_for
from posetween import ApiError, Client, JobError
from posetween.answers import JobOut, ProjectOut

#: Statuses by which a service says that what was asked for is wrong, and not that it could not be done.
_WRONG = (400, 404, 413, 415, 422)


@contextmanager
def signed_in(server: str, key_file: Path | None) -> Iterator[Client]:
    """A client for a ``with`` block; what the service refuses ends the command.

    Raises:
        UsageError: There is no key, or the service says that the request is wrong.
        typer.Exit: With status 1 after a sentence: the service does not answer, refuses the key, or a job failed.
    """
    with client_for(server, key_file) as client:
        try:
            yield client
        except ApiError as error:
            if error.status in _WRONG:
                raise UsageError(str(error)) from error
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error
        except (JobError, OSError) as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from error


def project_of(client: Client, wanted: str) -> ProjectOut:
    """A project by its number or its name.

    Raises:
        UsageError: None is called so, or several are.
    """
    if wanted.isdecimal():
        return client.project(int(wanted))
    found = client.projects(wanted)
    if len(found) == 1:
        return found[0]
    numbers = ", ".join(str(project["id"]) for project in found)
    why = f"projects {numbers} are called so; give a number" if found else "'posetween projects list' shows them"
    raise UsageError(f"no single project {wanted!r}: {why}")


def waited(client: Client, job: JobOut, what: str, *, quiet: bool) -> JobOut:
    """Follow a job to its end with a line that shows how far it is.

    Raises:
        JobError: It failed or was cancelled.
    """
    with ProgressLine(quiet=quiet) as line:

        def show(now: JobOut) -> None:
            line(f"{what}: {now['stage'] or now['state']}", now["progress"])

        return client.wait(job["id"], show)


def print_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """A table for people, or a line of JSON a row with everything in it."""
    if as_json:
        for row in rows:
            typer.echo(json.dumps(row))
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(_text(row[column]) for column in columns))
    console = Console(highlight=False, markup=False)
    console.print(table)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
