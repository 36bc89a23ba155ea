"""``posetween db``: the database's schema."""

from __future__ import annotations

import typer

from app import migrate
from app.database import connect
from cli.options import DatabaseUrl, DataDir, settings

app = typer.Typer(help="Look after the database.", no_args_is_help=True)


@app.callback()
def _db() -> None:
    """Look after the database."""


@app.command()
def upgrade(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Bring the database to the schema of this version."""
    chosen = settings(data_dir=data_dir, database_url=database_url)
    database = connect(chosen.database)
    migrate.upgrade(database)
    database.dispose()
    typer.echo("the database is up to date")
