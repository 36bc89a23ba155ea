"""``posetween worker``: do the jobs of the ledger."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from typing import Annotated

import typer

from cli.options import DatabaseUrl, DataDir, StorageUrl, settings
from worker.loop import work


def worker(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    storage_url: StorageUrl = None,
    until_idle: Annotated[bool, typer.Option(help="End as soon as no job waits.")] = False,
    supervised: Annotated[bool, typer.Option(hidden=True, help="End when standard input closes.")] = False,
) -> None:
    """Do jobs until stopped; SIGTERM gives a running job back to the queue at its next step."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    chosen = settings(data_dir=data_dir, database_url=database_url, storage_url=storage_url)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if supervised:
        threading.Thread(target=_watch, args=(stopping,), daemon=True).start()
    work(chosen, stopping, until_idle=until_idle)


def _watch(stopping: threading.Event) -> None:
    sys.stdin.buffer.read()
    stopping.set()
