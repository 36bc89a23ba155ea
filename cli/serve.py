"""``posetween up`` and ``posetween serve``: the API, alone or with workers beside it."""

from __future__ import annotations

import json
import logging
import socket
import sys
import threading
import webbrowser
from pathlib import Path
from urllib.parse import unquote, urlparse

import typer
from fastapi import FastAPI
from sqlalchemy import make_url

from app import logs
from app.audit import service as audit
from app.database import connect
from app.file_cache import FileCache
from app.keys import service as keys
from app.keys.service import Caller, Role, ensure_admin_key
from app.main import create_app
from app.private_files import close, keep_private, make_folder
from app.sessions import service as sessions
from app.settings import Settings
from cli import processes as processes_
from cli.options import (
    BrokerUrl,
    DatabaseUrl,
    DataDir,
    Device,
    Host,
    Json,
    OpenPage,
    Port,
    Precision,
    Processes,
    StorageUrl,
    Threads,
    UsageError,
    computing,
    settings,
)
from cli.worker_processes import kept
from migrations.apply import upgrade

log = logging.getLogger(__name__)

#: How long the address that signs a browser in once may be used.
SIGN_IN_MINUTES = 15


def up(
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    processes: Processes = None,
    database_url: DatabaseUrl = None,
    storage_url: StorageUrl = None,
    broker_url: BrokerUrl = None,
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    open_page: OpenPage = False,
    as_json: Json = False,
) -> None:
    """Serve the API with two workers beside it; makes and upgrades the database first."""
    keep_private()
    chosen = settings(
        data_dir=data_dir,
        host=host,
        port=port,
        processes=processes,
        database_url=database_url,
        storage_url=storage_url,
        broker_url=broker_url,
        device=device,
        precision=precision,
        threads=threads,
    )
    logs.configure(chosen)
    computing(chosen.device, chosen.precision, chosen.threads)
    app, listener = _open(chosen)
    with kept(chosen):
        page = _announce(chosen, listener, as_json=as_json)
        if open_page:
            # A browser that runs in the terminal would keep this until it is left.
            threading.Thread(target=webbrowser.open, args=[page], name="browser", daemon=True).start()
        processes_.run(chosen, app, listener)


def serve(
    data_dir: DataDir = None,
    host: Host = None,
    port: Port = None,
    processes: Processes = None,
    database_url: DatabaseUrl = None,
    storage_url: StorageUrl = None,
    broker_url: BrokerUrl = None,
    as_json: Json = False,
) -> None:
    """Serve the API alone; makes and upgrades the database first."""
    keep_private()
    chosen = settings(
        data_dir=data_dir,
        host=host,
        port=port,
        processes=processes,
        database_url=database_url,
        storage_url=storage_url,
        broker_url=broker_url,
    )
    logs.configure(chosen)
    app, listener = _open(chosen)
    _announce(chosen, listener, as_json=as_json, signs_in=False)
    processes_.run(chosen, app, listener)


def prepare(chosen: Settings) -> None:
    """Bring the database up to date, and make the admin key at the first start."""
    make_folder(chosen.data_dir)
    # Some may be of videos that nobody may see any more.
    FileCache(chosen.frames_dir, 0).clear()
    database = connect(chosen.database)
    try:
        upgrade(database)
        with database.session() as session:
            # Older versions let others read them.
            for path in _files(chosen):
                close(path)
            made = ensure_admin_key(session, chosen.admin_key_file)
            if made is not None:
                operator = Caller(lab_id=made.lab_id, key_id=None, role=Role.ADMIN)
                audit.record(session, operator, "key.create", id=made.id, name=made.name, role=made.role)
    finally:
        database.dispose()


def _files(chosen: Settings) -> list[Path]:
    """The files that nobody else may open, wherever the data folder is: the embedded database and the local store."""
    files = []
    address = make_url(chosen.database)
    if address.get_backend_name() == "sqlite" and address.database:
        files += [Path(f"{address.database}{end}") for end in ("", "-wal", "-shm", "-turn")]
    if chosen.storage.startswith("file:"):
        files.append(Path(unquote(urlparse(chosen.storage).path)))
    return files


def _open(chosen: Settings) -> tuple[FastAPI, socket.socket]:
    """Everything that can be refused, before anything is started."""
    try:
        prepare(chosen)
        return create_app(chosen), socket.create_server((chosen.host, chosen.port))
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot serve on {chosen.host}:{chosen.port}: {error}") from error


def _announce(chosen: Settings, listener: socket.socket, *, as_json: bool, signs_in: bool = True) -> str:
    """Say where the service is; gives the address of the page, which signs a browser in once.

    What is printed anywhere but on a terminal is kept, and others read it: the key is in a file, which is named.
    """
    address = f"http://{chosen.host}:{listener.getsockname()[1]}"
    log.info("serving at %s", address)
    key = chosen.admin_key_file.read_text().strip()
    page = f"{address}/#token={offer(chosen, key)}" if signs_in and chosen.auth else address
    if as_json:
        about = {"address": address, "page": page, "key_file": str(chosen.admin_key_file.absolute())}
        typer.echo(json.dumps({**about, "data_dir": str(chosen.data_dir.absolute())}))
    elif chosen.log_format == "text":
        seen = signs_in and sys.stdout.isatty()
        typer.echo(f"Posetween serves at {address}")
        if seen and page != address:
            typer.echo(f"  page  {page}  (signs in once, within {SIGN_IN_MINUTES} minutes)")
        shown = f"{key}  (kept in {chosen.admin_key_file})" if seen else f"in {chosen.admin_key_file}"
        typer.echo(f"  key   {shown}\n  docs  {address}/docs\nCtrl-C stops it.")
    sys.stdout.flush()
    return page


def offer(chosen: Settings, key: str) -> str:
    """A token that signs a browser in once with a key."""
    database = connect(chosen.database)
    try:
        with database.session() as session:
            caller = keys.authenticate(session, key)
            assert caller.key_id is not None
            operator = Caller(lab_id=caller.lab_id, key_id=None, role=Role.ADMIN)
            audit.record(session, operator, "session.offer", id=caller.key_id, minutes=SIGN_IN_MINUTES)
            return sessions.offer(session, caller.key_id, SIGN_IN_MINUTES)
    finally:
        database.dispose()
