"""``posetween db``: the database's schema."""

from __future__ import annotations

import typer

from app.database import connect
from cli.options import DatabaseUrl, DataDir, settings
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
