"""``posetween labs``: the labs of an installation, worked on in the database itself."""

from __future__ import annotations

import json

import typer
from sqlalchemy import select

from app.labs import service
from app.tables import Lab
from cli.db import transaction
from cli.options import DatabaseUrl, DataDir, Json, Name, settings

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
        for lab in session.scalars(select(Lab).order_by(Lab.id)):
            shown = service.show(session, lab)
            kind = "  (operator)" if shown.operator else ""
            typer.echo(shown.model_dump_json() if as_json else f"{lab.id:6}  {lab.name}{kind}")
