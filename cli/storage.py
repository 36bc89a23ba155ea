"""``posetween storage``: look after the objects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated

import typer

from app import blobs
from app.database import Database, connect
from app.private_files import keep_private
from app.runs import packing
from app.storage import Storage, open_storage
from cli.options import DatabaseUrl, DataDir, StorageUrl, settings

app = typer.Typer(help="Look after the stored files.", no_args_is_help=True)


@app.callback()
def _storage() -> None:
    """Look after the stored files."""
    keep_private()


@app.command()
def check(data_dir: DataDir = None, database_url: DatabaseUrl = None, storage_url: StorageUrl = None) -> None:
    """Read every file that the database refers to; status 1 if one is missing or damaged."""
    with _opened(data_dir, database_url, storage_url) as (database, storage):
        bad = list(blobs.check(database, storage))
    for sentence in bad:
        typer.echo(sentence, err=True)
    if bad:
        raise typer.Exit(1)
    typer.echo("every file is there and as it was put")


@app.command()
def collect(
    older_than: Annotated[float, typer.Option(min=1.0, help="Hours that a file must have been there.")] = 24.0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    storage_url: StorageUrl = None,
) -> None:
    """Remove files that nothing refers to any more."""
    with _opened(data_dir, database_url, storage_url) as (database, storage):
        removed = blobs.collect(database, storage, older_than=timedelta(hours=older_than), dry=dry_run)
    typer.echo(f"{removed.objects} files, {removed.bytes} bytes {'are unused' if dry_run else 'removed'}")


@app.command()
def pack(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Queue the packing of runs that are not packed: those of before an upgrade, or whose packing went wrong."""
    chosen = settings(data_dir=data_dir, database_url=database_url)
    database = connect(chosen.database)
    with database.session() as session:
        runs = packing.unpacked(session)
        for run in runs:
            packing.queue(session, chosen, run)
    database.dispose()
    typer.echo(f"{len(runs)} runs are going to be packed")


@contextmanager
def _opened(
    data_dir: DataDir, database_url: DatabaseUrl, storage_url: StorageUrl
) -> Iterator[tuple[Database, Storage]]:
    chosen = settings(data_dir=data_dir, database_url=database_url, storage_url=storage_url)
    database = connect(chosen.database)
    try:
        yield database, open_storage(chosen)
    finally:
        database.dispose()
