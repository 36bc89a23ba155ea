"""Copies of the database at regular intervals: a moment that can be gone back to, so many of them."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import typer

from app.backup import BackupError, digest_file
from app.private_files import make_folder
from cli.options import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_NAME = re.compile(r"posetween-\d{8}T\d{6}Z\.backup")


def seconds(interval: str) -> float:
    """Seconds of an interval such as ``10m``.

    Raises:
        UsageError: It cannot be read.
    """
    match = re.fullmatch(r"([1-9]\d{0,5})([smhd])", interval.strip())
    if match is None:
        raise UsageError(f"--every {interval}: write a number and s, m, h or d, as in 10m")
    return int(match[1]) * _UNITS[match[2]]


def copies_in(folder: Path) -> list[Path]:
    """The copies of a series, oldest first."""
    return sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))


def run(
    folder: Path, every: float, keep: int, copy: Callable[[Path, datetime], None], forget: Callable[[Path], None]
) -> None:
    """Make copies until SIGTERM or SIGINT, one at once.

    What goes wrong with one is said, and the next is made all the same. An old copy is removed only after a new one is
    there.

    Args:
        folder: Where they go.
        every: Seconds between the beginnings of two.
        keep: How many stay, the newest.
        copy: Makes one, as of a moment.
        forget: Told of each that was removed.
    """
    make_folder(folder)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    while not stopping.is_set():
        began, made_at = time.monotonic(), datetime.now(UTC)
        target = folder / f"posetween-{made_at:%Y%m%dT%H%M%SZ}.backup"
        try:
            if not target.exists():
                copy(target, made_at)
            for old in copies_in(folder)[:-keep]:
                old.unlink()
                digest_file(old).unlink(missing_ok=True)
                forget(old)
        except (BackupError, OSError) as error:
            typer.echo(f"no copy was made at {made_at:%Y-%m-%d %H:%M} UTC: {error}", err=True)
        stopping.wait(max(0.0, began + every - time.monotonic()))
