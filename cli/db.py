"""``posetween db``: the database's schema, and copies of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app import backup as copies
from app.database import Database, connect
from app.errors import ServiceError
from app.private_files import keep_private
from app.settings import Settings
from app.trash import copies as known
from cli.backup_series import run, seconds
from cli.options import DatabaseUrl, DataDir, Json, UsageError, settings
from migrations import apply as migrate

app = typer.Typer(help="Look after the database.", no_args_is_help=True)


@app.callback()
def _db() -> None:
    """Look after the database."""
    keep_private()


@app.command()
def upgrade(data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Bring the database to the schema of this version."""
    chosen = settings(data_dir=data_dir, database_url=database_url)
    with _schema(chosen) as database:
        schema = migrate.upgrade(database)
    typer.echo(f"the database is up to date, at schema {schema}")


@app.command()
def downgrade(
    schema: Annotated[str, typer.Argument(help="Schema to go back to, as upgrade named it.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Take the database back to the schema of an older version; what that has no room for is lost."""
    with _schema(settings(data_dir=data_dir, database_url=database_url)) as database:
        schema = migrate.downgrade(database, schema)
    typer.echo(f"the database is at schema {schema}")


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="File to write; with --every, the folder of the copies.")],
    every: Annotated[str | None, typer.Option(help="Go on making copies, at this interval: 10m, 1h, 1d.")] = None,
    keep: Annotated[int, typer.Option(min=1, help="With --every: how many copies stay, the newest.")] = 48,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Copy the database while it is in use; says what older copies hold that was erased since.

    Copy the storage afterwards: but for what is erased it is only ever added to.
    """
    chosen = settings(data_dir=data_dir, database_url=database_url)
    if every is not None:
        run(target, seconds(every), keep, partial(_copy, chosen), partial(_forget, chosen))
        return
    try:
        _copy(chosen, target, datetime.now(UTC))
    except copies.DamagedCopy as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except copies.BackupError as error:
        raise UsageError(str(error)) from error


def _copy(chosen: Settings, target: Path, made_at: datetime) -> None:
    copies.backup(chosen.database, target)
    typer.echo(f"{target} holds the database as it was")
    try:
        with transaction(chosen) as session:
            known.record(session, target, made_at)
            _tell([copy for copy in known.all_of(session) if copy.erased])
    except UsageError as error:  # a database of an older version, which is copied before it is upgraded
        typer.echo(f"the copy was not written down: {error}", err=True)


def _forget(chosen: Settings, copy: Path) -> None:
    with suppress(UsageError), transaction(chosen) as session:
        known.destroyed(session, copy)


@app.command()
def backups(
    holding: Annotated[str | None, typer.Option(help="Only those that hold this, as in video:7.")] = None,
    destroyed: Annotated[Path | None, typer.Option(help="Write down that this copy is no more.")] = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """List the copies that backup made, and what each holds that was erased since."""
    with transaction(settings(data_dir=data_dir, database_url=database_url)) as session:
        if destroyed is not None and not known.destroyed(session, destroyed):
            raise UsageError(f"no copy was written to {destroyed}")
        try:
            found = known.all_of(session, holding)
        except known.NoSuchThing as error:
            raise UsageError(str(error)) from error
    if as_json:
        for copy in found:
            row = {"path": copy.path, "made_at": copy.made_at.isoformat(), "erased": copy.erased}
            typer.echo(json.dumps({**row, "exists": Path(copy.path).exists()}))
    else:
        _tell(found)


def _tell(found: list[known.Held]) -> None:
    for copy in found:
        erased = (
            f"still holds {', '.join(copy.erased)}, erased since" if copy.erased else "holds nothing that was erased"
        )
        typer.echo(f"{copy.path}, made {copy.made_at:%Y-%m-%d %H:%M} UTC, {erased}")


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="File that backup wrote.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Put a copy back where no database is, and bring it to the schema of this version."""
    chosen = settings(data_dir=data_dir, database_url=database_url)
    try:
        copies.restore(chosen.database, source, migrate.schemas())
    except copies.DamagedCopy as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    except copies.BackupError as error:
        raise UsageError(str(error)) from error
    upgrade(data_dir, database_url)


@contextmanager
def _schema(chosen: Settings) -> Iterator[Database]:
    database = connect(chosen.database)
    try:
        yield database
    except migrate.UnknownSchema as error:
        raise UsageError(str(error)) from error
    finally:
        database.dispose()


@contextmanager
def transaction(chosen: Settings, *, readonly: bool = False) -> Iterator[Session]:
    """A transaction for a command that works on the database itself.

    Raises:
        UsageError: There is no database of this version, or the service refuses what is asked.
    """
    keep_private()
    address = make_url(chosen.database)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise UsageError(f"there is no database {address.database}; 'posetween db upgrade' makes it")
    database = connect(chosen.database)
    try:
        with database.session(readonly=readonly) as session:
            yield session
    except ServiceError as error:
        raise UsageError(error.detail) from error
    except SQLAlchemyError as error:
        cause = str(getattr(error, "orig", error)).splitlines()[0]
        raise UsageError(f"{cause}; 'posetween db upgrade' brings a database up to date") from error
    finally:
        database.dispose()
