"""A process of the installation: started, killed, stopped, and started again when it ends by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil  # type: ignore[import-untyped]

_LOOK_SECONDS = 0.1
_RESTART_SECONDS = 0.5


class Process:
    """A process with a log, which can be started again.

    Args:
        name: What people call it.
        start: Starts it, with its log as standard output and error.
        log: Where its log goes.
        ready: What its log says once it does its work; empty where it does so at once.
    """

    def __init__(self, name: str, start: Callable[[Path], subprocess.Popen[bytes]], log: Path, ready: str = "") -> None:
        self.name = name
        self.wanted = False
        self.ended_by_itself = 0
        self._start = start
        self._log = log
        self._ready = ready.encode()
        self._said = 0  # bytes of the log that were there before
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its number while it runs."""
        child = self._child
        return child.pid if child is not None and child.poll() is None else None

    def start(self) -> None:
        """Start it, and from now on again whenever it ends by itself."""
        with self._lock:
            self.wanted = True
            self._begin()

    def kill(self) -> None:
        """Kill -9."""
        with self._lock:
            self.wanted = False
            if self._child is not None:
                self._child.kill()
                self._child.wait()

    def terminate(self) -> None:
        """Ask it to end, and see that it does."""
        with self._lock:
            self.wanted = False
            child = self._child
        if child is not None:
            child.send_signal(signal.SIGCONT)
            child.terminate()
            try:
                child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def look(self) -> None:
        """Start it again if it ended by itself, as whatever supervises services does."""
        with self._lock:
            if self.wanted and self.pid is None:
                self.ended_by_itself += 1
                time.sleep(_RESTART_SECONDS)
                self._begin()

    def expect(self) -> None:
        """Wait for its log to say anew that it does its work."""
        self._said = self._log.stat().st_size if self._log.exists() else 0

    def is_ready(self) -> bool:
        """Whether it does its work, as far as its log says."""
        if self.pid is None:
            return False
        if not self._ready:
            return True
        with self._log.open("rb") as log:
            log.seek(self._said)
            return self._ready in log.read()

    def family(self) -> list[int]:
        """Its own number and those of the processes that it started."""
        if (pid := self.pid) is None:
            return []
        try:
            return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        except psutil.NoSuchProcess:
            return []

    def _begin(self) -> None:
        self.expect()
        self._child = self._start(self._log)


def command(words: Sequence[str], environment: Mapping[str, str]) -> Callable[[Path], subprocess.Popen[bytes]]:
    """What starts a command line."""

    def start(log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env={**os.environ, **environment}
            )

    return start


class Keeper:
    """Starts processes again that end by themselves; a thread."""

    def __init__(self, processes: Sequence[Process]) -> None:
        self._processes = processes
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Leave them alone from now on."""
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(_LOOK_SECONDS):
            for process in self._processes:
                process.look()


def alive(pid: int) -> bool:
    """Whether there is such a process, and it is not only waiting for somebody to hear of its end."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
