"""Options that several commands share, each with its environment variable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from app.settings import Settings

DataDir = Annotated[
    Path | None, typer.Option(envvar="POSETWEEN_DATA_DIR", help="Folder of the database, files and admin key.")
]
DatabaseUrl = Annotated[
    str | None,
    typer.Option(envvar="POSETWEEN_DATABASE_URL", help="SQLAlchemy address; default: SQLite in the data folder."),
]
StorageUrl = Annotated[
    str | None,
    typer.Option(envvar="POSETWEEN_STORAGE_URL", help="file:// or s3:// address; default: in the data folder."),
]
BrokerUrl = Annotated[
    str | None,
    typer.Option(envvar="POSETWEEN_BROKER_URL", help="redis:// address; default: workers look for jobs themselves."),
]
Queue = Annotated[
    str | None, typer.Option(envvar="POSETWEEN_QUEUE", help="Whose jobs to do: gpu or cpu; default: all.")
]
Device = Annotated[str | None, typer.Option(envvar="POSETWEEN_DEVICE", help="Where networks run: auto, cpu, cuda:0, …")]
MetricsPort = Annotated[
    int | None,
    typer.Option(envvar="POSETWEEN_WORKER_METRICS_PORT", help="Port to show metrics at; default: none."),
]
Host = Annotated[str | None, typer.Option(envvar="POSETWEEN_HOST", help="Address to bind; default: loopback.")]
Port = Annotated[int | None, typer.Option(envvar="POSETWEEN_PORT", help="Port to bind; 0 takes a free one.")]
Processes = Annotated[
    int | None,
    typer.Option(envvar="POSETWEEN_PROCESSES", help="How many processes answer requests; default: one."),
]
Json = Annotated[bool, typer.Option("--json", help="Print machine-readable lines.")]


def _name(text: str) -> str:
    if not text.strip() or len(text) > 200:
        raise typer.BadParameter("a name has 1 to 200 characters")
    return text


Name = Annotated[str, typer.Argument(callback=_name, help="A name for people, of up to 200 characters.")]


class UsageError(typer.Exit):
    """Ends the command with status 2 after a sentence on standard error."""

    def __init__(self, sentence: str) -> None:
        typer.echo(sentence, err=True)
        super().__init__(2)


def settings(**given: Any) -> Settings:
    """The settings from the environment, with the options that were given put over them.

    Raises:
        UsageError: A value is wrong.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
