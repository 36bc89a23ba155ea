"""Confinement of a child that opens files of strangers: how much of the machine it gets, and what it can reach."""

from __future__ import annotations

import ctypes
import os
import resource
from dataclasses import dataclass
from pathlib import Path

from app.sandbox import landlock, seccomp

_NO_NEW_PRIVILEGES = 38  # of ``prctl``
_OPEN_FILES = 64
_MORE_THREADS = 64

#: What libraries read of the machine, and where they are.
_SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/dev/null",
    "/dev/urandom",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/sys/devices/system/cpu",
)


@dataclass(frozen=True)
class Confinement:
    """The limits of a child.

    Attributes:
        memory_bytes: Its address space.
        cpu_seconds: Processor time, None for as much as it takes.
        file_bytes: Size to which a file may grow that it writes.
        readable: Files and folders that it may read, beside those of Python.
        writable: Files and folders that it may also write.
        niceness: How much others come before it, of 19.
        makes_folders: Whether it may make folders where it may write.
    """

    memory_bytes: int
    cpu_seconds: float | None
    file_bytes: int = 0
    readable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    niceness: int = 0
    makes_folders: bool = False

    def enter(self, code: tuple[str, ...]) -> None:
        """Confine this process for good; it should not have begun a thread yet.

        Limits hold everywhere. Landlock and seccomp hold where the kernel has them, which ``protections`` tells.

        Args:
            code: Folders of what it is going to import.
        """
        os.nice(self.niceness)
        limits = {
            resource.RLIMIT_CORE: 0,
            resource.RLIMIT_AS: self.memory_bytes,
            resource.RLIMIT_FSIZE: self.file_bytes,
            resource.RLIMIT_NOFILE: _OPEN_FILES,
            # Decoders begin threads, and those of the user's other processes count as well.
            resource.RLIMIT_NPROC: _tasks() + _MORE_THREADS,
        }
        if self.cpu_seconds is not None:
            limits[resource.RLIMIT_CPU] = int(self.cpu_seconds) + 1
        for what, limit in limits.items():
            _, hard = resource.getrlimit(what)
            allowed = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
            resource.setrlimit(what, (allowed, allowed))
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        has = protections()  # which could not be asked afterwards
        if has["landlock"]:
            readable = map(Path, (*_SYSTEM, *code, *self.readable))
            landlock.restrict(readable, map(Path, self.writable), folders=self.makes_folders)
        if has["seccomp"]:
            seccomp.restrict()


def protections() -> dict[str, bool]:
    """The protections that this machine has to keep children that open files of strangers from everything else."""
    return {"landlock": landlock.version() > 0, "seccomp": seccomp.known()}


def _tasks() -> int:
    """Threads on this machine; the kernel counts a user's towards the limit."""
    with open("/proc/loadavg") as file:
        return int(file.read().split()[3].partition("/")[2])
