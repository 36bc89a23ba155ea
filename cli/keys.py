"""``posetween keys``: the keys of a lab, worked on in the database itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.audit import service as audit
from app.keys import service
from app.keys.schemas import KeyOut, NewKeyOut
from app.keys.service import Caller, Role
from app.tables import ApiKey, Lab
from cli.db import transaction
from cli.options import DatabaseUrl, DataDir, Json, Name, UsageError, settings

app = typer.Typer(
    help="Make, list and revoke keys. This works on the database, no service needs to run.", no_args_is_help=True
)

LabOption = Annotated[int | None, typer.Option("--lab", help="Number of the lab; default: the first, the operator's.")]


@app.command()
def create(
    name: Name,
    role: Annotated[Role, typer.Option(help="What it may do.")] = Role.ANNOTATOR,
    days: Annotated[float | None, typer.Option(min=0, max=36500, help="Days until it expires; default: never.")] = None,
    lab: LabOption = None,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    as_json: Json = False,
) -> None:
    """Make a key and print its text, which is shown this once."""
    expires_at = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    with transaction(settings(data_dir=data_dir, database_url=database_url)) as session:
        operator = _operator(session, lab)
        row, text = service.create(session, operator.lab_id, name=name, role=role, expires_at=expires_at)
        audit.record(session, operator, "key.create", id=row.id, name=row.name, role=row.role)
        made = NewKeyOut(**KeyOut.model_validate(row).model_dump(), key=text)
    typer.echo(made.model_dump_json() if as_json else text)


@app.command("list")
def show(
    lab: LabOption = None, data_dir: DataDir = None, database_url: DatabaseUrl = None, as_json: Json = False
) -> None:
    """List a lab's keys, without their texts."""
    with transaction(settings(data_dir=data_dir, database_url=database_url), readonly=True) as session:
        keys = select(ApiKey).where(ApiKey.lab_id == _operator(session, lab).lab_id).order_by(ApiKey.id)
        for key in map(KeyOut.model_validate, session.scalars(keys)):
            typer.echo(key.model_dump_json() if as_json else _line(key))


@app.command()
def revoke(
    key_id: Annotated[int, typer.Argument(help="Number of the key: what stands between the underscores.")],
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
) -> None:
    """End a key, and the browser sessions that were opened with it, at once."""
    with transaction(settings(data_dir=data_dir, database_url=database_url)) as session:
        row = session.get(ApiKey, key_id)
        if row is None:
            raise UsageError(f"there is no key {key_id}")
        if service.revoke(session, row.lab_id, key_id):
            audit.record(session, _operator(session, row.lab_id), "key.revoke", id=key_id)
    typer.echo(f"key {key_id} has ended")


def _operator(session: Session, lab_id: int | None) -> Caller:
    """The operator of the machine, acting for a lab."""
    wanted = select(Lab.id).order_by(Lab.id).limit(1)
    found = session.scalars(wanted if lab_id is None else wanted.where(Lab.id == lab_id)).first()
    if found is None:
        raise UsageError("there is no such lab; 'posetween labs list' shows them")
    return Caller(lab_id=found, key_id=None, role=Role.ADMIN)


def _line(key: KeyOut) -> str:
    state = "revoked" if key.revoked_at else f"until {key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "for ever"
    used = f"{key.last_used_at:%Y-%m-%d %H:%M}" if key.last_used_at else "never"
    return f"{key.id:6}  {key.role.value:9}  {state:22}  used {used:16}  {key.name}"
