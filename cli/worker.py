"""``posetween worker``: do the jobs of the ledger."""

from __future__ import annotations

import os
import signal
import threading
from typing import Annotated

import typer

from app import logs
from app.private_files import keep_private
from cli.options import (
    BrokerUrl,
    DatabaseUrl,
    DataDir,
    Device,
    Lane,
    MetricsPort,
    Precision,
    Queue,
    StorageUrl,
    Threads,
    UsageError,
    computing,
    settings,
)
from worker.loop import work
from worker.metrics_port import AddressTaken


def worker(
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    storage_url: StorageUrl = None,
    broker_url: BrokerUrl = None,
    queue: Queue = None,
    lane: Lane = None,
    device: Device = "auto",
    precision: Precision = "auto",
    threads: Threads = 0,
    metrics_port: MetricsPort = None,
    until_idle: Annotated[bool, typer.Option(help="Look for jobs, and end as soon as none waits.")] = False,
    supervised: Annotated[bool, typer.Option(hidden=True, help="End when standard input closes.")] = False,
) -> None:
    """Do jobs until stopped; SIGTERM gives a running job back to the queue at its next step.

    One process uses one device: start one for each GPU.
    """
    keep_private()
    chosen = settings(
        data_dir=data_dir,
        database_url=database_url,
        storage_url=storage_url,
        broker_url=broker_url,
        queue=queue,
        lane=lane,
        device=device,
        precision=precision,
        threads=threads,
        worker_metrics_port=metrics_port,
    )
    logs.configure(chosen)
    computing(chosen.device, chosen.precision, chosen.threads)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    if supervised:
        threading.Thread(target=_watch, daemon=True).start()
    try:
        if chosen.broker_url and not until_idle:
            from worker.celery_app import serve  # Celery is installed only where there is a broker

            serve(chosen, stopping)
        else:
            work(chosen, stopping, until_idle=until_idle)
    except AddressTaken as error:
        raise UsageError(str(error)) from error


def _watch() -> None:
    # Not through ``sys.stdin``, whose lock this thread would hold when the interpreter ends, which is fatal.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
