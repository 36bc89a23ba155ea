"""``posetween labs``: the labs of an installation, worked on in the database itself."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.labs import service
from app.tables import Lab
from app.trash import service as trash
from cli.db import transaction
from cli.options import DatabaseUrl, DataDir, Json, Name, UsageError, settings

LabId = Annotated[int, typer.Argument(min=1, help="Number of the lab, as list shows it.")]

app = typer.Typer(help="Make and list labs. This works on the database, no service needs to run.", no_args_is_help=True)


@app.command()
def create(
    name: Name,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Make a lab and print its first key, an admin's, which is shown this once."""
    with transaction(settings(data_dir=data_dir, database_url=database_url)) as session:
        lab, key, text = service.create(session, None, name)
        made = {"id": lab.id, "name": lab.name, "key_id": key.id, "key": text}
    typer.echo(json.dumps(made) if as_json else f"lab {lab.id}  {lab.name}\n  key   {text}")


@app.command("list")
def show(data_dir: DataDir = None, database_url: DatabaseUrl = None, as_json: Json = False) -> None:
    """List the labs. The first is the operator's: its admins may make others."""
    with transaction(settings(data_dir=data_dir, database_url=database_url), readonly=True) as session:
        for lab in session.scalars(select(Lab).where(Lab.erased_at.is_(None)).order_by(Lab.id)):
            shown = service.show(session, lab)
            kind = "  (operator)" if shown.operator else "  (deleted)" if shown.deleted_at else ""
            typer.echo(shown.model_dump_json() if as_json else f"{lab.id:6}  {lab.name}{kind}")


@app.command()
def delete(
    lab_id: LabId,
    purge: Annotated[bool, typer.Option("--purge", help="Erase it at once; nothing brings it back.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Delete a lab with all that it owns: hidden at once, erased by a worker when the days of the trash are over."""
    chosen = settings(data_dir=data_dir, database_url=database_url)
    with transaction(chosen) as session:
        shown, _ = trash.delete(session, chosen, _found(session, lab_id), None, purge=purge)
    until = f"it can be restored until {shown.restore_until:%Y-%m-%d %H:%M} UTC" if shown.restore_until else "for good"
    typer.echo(f"lab {lab_id} is deleted, {until}")


@app.command()
def restore(lab_id: LabId, data_dir: DataDir = None, database_url: DatabaseUrl = None) -> None:
    """Show a deleted lab again, and let its keys in."""
    chosen = settings(data_dir=data_dir, database_url=database_url)
    with transaction(chosen) as session:
        trash.restore(session, chosen, _found(session, lab_id), None)
    typer.echo(f"lab {lab_id} is there")


def _found(session: Session, lab_id: int) -> Lab:
    lab = session.get(Lab, lab_id)
    if lab is None or lab.erased_at is not None:
        raise UsageError(f"there is no lab {lab_id}")
    return lab
