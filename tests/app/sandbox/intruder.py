"""What a file would do that has taken a decoder over: tries everything and says what came of it."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main(task: dict[str, Any]) -> None:
    """Try."""
    folder, parent = Path(task["folder"]), os.getppid()
    attempts: dict[str, Callable[[], object]] = {
        "read a secret": lambda: Path(task["secret"]).read_bytes(),
        "list its folder": lambda: os.listdir(Path(task["secret"]).parent),
        "read the environment of the parent": lambda: Path(f"/proc/{parent}/environ").read_bytes(),
        "overwrite the input": lambda: Path(task["input"]).write_bytes(b"other"),
        "overwrite a secret": lambda: Path(task["secret"]).write_bytes(b"other"),
        "write beside its folder": lambda: (folder.parent / "beside").write_bytes(b"x"),
        "write to /tmp": lambda: Path("/tmp", f"posetween-{os.getpid()}").write_bytes(b"x"),
        "move its file out": lambda: (folder / "mine").rename(folder.parent / "moved"),
        "link a secret": lambda: os.link(task["secret"], folder / "linked"),
        "make a folder": lambda: (folder / "folder").mkdir(),
        "make a symbolic link": lambda: os.symlink(task["secret"], folder / "symbolic"),
        "begin a program": lambda: subprocess.run(["/bin/true"], check=True),
        "begin a process": os.fork,
        "open a socket": socket.socket,
        "open a local socket": lambda: socket.socket(socket.AF_UNIX),
        "make a pair of sockets": socket.socketpair,
        "reach loopback": lambda: socket.create_connection(("127.0.0.1", task["port"])),
        "send a signal to the parent": lambda: os.kill(parent, 0),
        "ask for limits of the parent": lambda: resource.prlimit(parent, resource.RLIMIT_NOFILE),
        "trace the parent": lambda: _call("ptrace", 0x4206, parent, 0, 0),
        "make a namespace": lambda: _call("unshare", 0x10000000),
        "raise a limit": lambda: resource.setrlimit(resource.RLIMIT_CORE, (2**20, 2**20)),
        "write a large file": lambda: (folder / "large").write_bytes(bytes(task["file_bytes"] + 1)),
        # What it is for.
        "read the input": lambda: Path(task["input"]).read_bytes(),
        "write in its folder": lambda: (folder / "mine").write_bytes(b"mine"),
        "begin a thread": lambda: threading.Thread(target=int).start(),
        # The last, since it keeps them open.
        "open many files": lambda: [os.open("/dev/null", os.O_RDONLY) for _ in range(100)],
    }
    came = {"environment": sorted(os.environ), "no new privileges": _no_new_privileges()}
    for name, attempt in attempts.items():
        if name == "move its file out":
            (folder / "mine").write_bytes(b"mine")
        try:
            attempt()
            came[name] = "done"
        except OSError as error:
            came[name] = errno.errorcode.get(error.errno or 0, "?")
        except ValueError:
            came[name] = "EPERM"  # as Python says it of a limit
    sys.stdout.write(json.dumps(came))


def _call(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)


def _no_new_privileges() -> bool:
    asks = 39  # PR_GET_NO_NEW_PRIVS
    return bool(ctypes.CDLL(None).prctl(asks, 0, 0, 0, 0) == 1)
