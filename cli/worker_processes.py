"""The worker processes of ``posetween up``: one that does everything, and one that is never kept by what takes long."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.metrics import SHARED_FOLDER
from app.settings import Settings

log = logging.getLogger(__name__)

#: In the order in which their metrics have ports.
LANES = ("all", "quick")

_RESTART_SECONDS = 1.0
_PATIENCE_SECONDS = 20.0


@contextmanager
def kept(chosen: Settings) -> Iterator[None]:
    """Keep a worker process of each lane alive for the length of a block."""
    keepers = [_Keeper(chosen, lane) for lane in LANES]
    for keeper in keepers:
        keeper.start()
    try:
        yield
    finally:
        for keeper in keepers:
            keeper.ask_to_end()
        for keeper in keepers:
            keeper.end()


class _Keeper:
    """Starts a worker, and another one whenever it ends by itself."""

    def __init__(self, chosen: Settings, lane: str) -> None:
        self._chosen = chosen
        self._lane = lane
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name=f"worker-keeper-{lane}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ask_to_end(self) -> None:
        with self._lock:
            self._ending.set()
            if self._child is not None:
                self._child.terminate()

    def end(self) -> None:
        if self._child is not None:
            try:
                self._child.wait(timeout=_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self._child.kill()
        self._thread.join(timeout=_PATIENCE_SECONDS)

    def _keep(self) -> None:
        while True:
            with self._lock:
                if self._ending.is_set():
                    return
                self._child = child = _start(self._chosen, self._lane)
            child.wait()
            if not self._ending.is_set():
                told = "the worker of the lane %s ended with status %d; starting another"
                log.warning(told, self._lane, child.returncode)
            self._ending.wait(_RESTART_SECONDS)


def _start(chosen: Settings, lane: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "cli.main", "worker", "--supervised", "--lane", lane]
    command += ["--data-dir", str(chosen.data_dir)]
    command += ["--device", chosen.device, "--precision", chosen.precision, "--threads", str(chosen.threads)]
    if chosen.worker_metrics_port:
        command += ["--metrics-port", str(chosen.worker_metrics_port + LANES.index(lane))]
    # It counts for itself. Addresses may hold passwords, and every user of the machine can read a command line.
    addresses = {
        "POSETWEEN_DATABASE_URL": chosen.database,
        "POSETWEEN_STORAGE_URL": chosen.storage,
        "POSETWEEN_BROKER_URL": chosen.broker_url,
    }
    environment = {name: value for name, value in os.environ.items() if name != SHARED_FOLDER} | addresses
    # A process group of its own: Ctrl-C reaches the worker through us, once. Its standard input closes when we die.
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True, env=environment)
