"""Which service a command talks to, and with which key."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cli.options import UsageError
from posetween import ApiError, Client

Server = Annotated[
    str,
    typer.Option("--server", envvar="POSETWEEN_SERVER", help="Address of the service, as in http://127.0.0.1:8000."),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        help="File with an API key; default: the variable POSETWEEN_KEY, else admin.key in the data folder.",
        show_default=False,
    ),
]

LOOPBACK = "http://127.0.0.1:8000"

_KEY, _DATA_DIR = "POSETWEEN_KEY", "POSETWEEN_DATA_DIR"


def client_for(server: str, key_file: Path | None) -> Client:
    """A client with the key that was given: keys stand in files or the environment, never among a command's words.

    Raises:
        UsageError: There is no key, or the address is none.
    """
    key = os.environ.get(_KEY, "") if key_file is None else ""
    if not key:
        file = key_file or Path(os.environ.get(_DATA_DIR, "posetween-data")) / "admin.key"
        try:
            key = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "no text"
            raise UsageError(f"no key: {file}: {why}; name a file with --key-file, or set {_KEY}") from error
    try:
        return Client(server, key.strip())
    except ApiError as error:
        raise UsageError(str(error)) from error
