"""The processes that answer requests: this one, or several on one socket, since Python computes on one core in each."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
import threading
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from app import logs
from app.connections import protocol
from app.main import create_app
from app.metrics import SHARED_FOLDER
from app.settings import Settings

#: Longer than a page's requests are apart, and than proxies before us keep a connection (60 s, most of them).
KEEP_ALIVE_SECONDS = 75
#: A process that does not say that it lives for so long is replaced.
_SILENCE_SECONDS = 30
_TURN_SECONDS = 0.00002


def run(chosen: Settings, app: FastAPI, listener: socket.socket) -> None:
    """Answer on a socket until SIGTERM or SIGINT; of several processes, each makes an application of its own."""
    if chosen.processes == 1:
        _alone(chosen, app, listener)
    else:
        _together(chosen, listener)


def _alone(chosen: Settings, app: FastAPI, listener: socket.socket) -> None:
    server = uvicorn.Server(_configure(chosen, app))
    # uvicorn raises the signal that stopped it once more when it is done; by default that would kill us before the
    # worker is stopped.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: setattr(server, "should_exit", True))
    _settle()
    server.run([listener])


def _together(chosen: Settings, listener: socket.socket) -> None:
    with tempfile.TemporaryDirectory(prefix=f"posetween-metrics-{os.getpid()}-") as folder:
        os.environ[SHARED_FOLDER] = folder
        config = _configure(
            chosen,
            partial(_application, chosen),
            factory=True,
            workers=chosen.processes,
            timeout_worker_healthcheck=_SILENCE_SECONDS,
        )
        try:
            Multiprocess(config, [listener]).run()
        finally:
            del os.environ[SHARED_FOLDER]


def _configure(chosen: Settings, app: Any, **more: Any) -> uvicorn.Config:
    # Logs are ours: ``app.logs`` formats them, ``app.request_log`` tells of requests.
    return uvicorn.Config(
        app,
        http=protocol(chosen.max_connections),  # type: ignore[arg-type]  # it makes what a class would
        ws="none",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        **more,
    )


def _settle() -> None:
    """Set Python up for a service.

    The garbage collector leaves alone what was loaded: that stays for good, and a request for 20 000 labels makes a
    million objects, of which looking through all others again and again would take a third of the processor time.

    Threads take turns more often: one that asks the database waits for its turn after each answer, and by default the
    thread that reads requests keeps it for 5 ms when there are many. A write takes some forty turns, and on SQLite all
    others wait for it: at half a millisecond each, one lab that read kept frames without a pause had them wait for two
    seconds.
    """
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)
    sys.setswitchinterval(_TURN_SECONDS)


def _application(chosen: Settings) -> FastAPI:
    logs.configure(chosen)
    threading.Thread(target=_end_with_parent, name="parent-watch", daemon=True).start()
    app = create_app(chosen)
    _settle()
    return app


def _end_with_parent() -> None:
    # A parent that was killed cannot tell; those it leaves would keep the port.
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)
