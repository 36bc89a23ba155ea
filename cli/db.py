"""``posetween db``: the database's schema, and copies of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app import backup as copies
from app.database import connect
from cli.options import DatabaseUrl, DataDir, UsageError, settings
from migrations.apply import upgrade as upgrade_database

app = typer.Typer(help="Look after the database.", no_args_is_help=True)


@app.callback()
def _db() -> None:
    """Look after the database."""


@app.command()
def upgrade(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Bring the database to the schema of this version."""
    chosen = settings(data_dir=data_dir, database_url=database_url)
    database = connect(chosen.database)
    upgrade_database(database)
    database.dispose()
    typer.echo("the database is up to date")


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="File to write.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Copy the database while it is in use. Copy the storage afterwards: what it holds is only ever added to."""
    try:
        copies.backup(settings(data_dir=data_dir, database_url=database_url).database, target)
    except copies.BackupError as error:
        raise UsageError(str(error)) from error
    typer.echo(f"{target} holds the database as it was")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="File that backup wrote.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Put a copy back where no database is, and bring it to the schema of this version."""
    chosen = settings(data_dir=data_dir, database_url=database_url)
    try:
        copies.restore(chosen.database, source)
    except copies.BackupError as error:
        raise UsageError(str(error)) from error
    upgrade(data_dir, database_url)
