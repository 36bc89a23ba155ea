"""Starting a confined child process: ``python -m app.sandbox.child`` confines itself, then imports what it shall do.

It begins with an empty environment: what a process was begun with can be read out of its memory, also after it was
removed.
"""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import sysconfig
from collections.abc import Collection, Mapping
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import IO, Any

from app.sandbox.confinement import Confinement

_ROOT = Path(__file__).absolute().parents[2]
_PACKAGES = ("app", "formats", "pose", "worker")


def start(
    module: str,
    task: Mapping[str, Any],
    confinement: Confinement,
    *,
    stdout: int | IO[Any] | None = subprocess.PIPE,
    pass_fds: Collection[int] = (),
) -> subprocess.Popen[str]:
    """Start a child that does a task, confined.

    Args:
        module: Its ``main`` is called with the task, after the confinement.
        task: Goes through JSON. It can be read by every user of the machine.
        confinement: What the child may.
        stdout: Where its output goes.
        pass_fds: Descriptors that it has as well.
    """
    given = {"task": task, "confinement": asdict(confinement), "code": code_folders()}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "app.sandbox.child", module, json.dumps(given)],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        env={"PATH": os.defpath, "LANG": "C.UTF-8", "PYTHONPATH": str(_ROOT)},
        cwd="/",
        pass_fds=tuple(pass_fds),
        start_new_session=True,  # a terminal sends Ctrl-C to all; whoever began it ends it
        text=True,
    )


def code_folders() -> list[str]:
    """Folders from which a child imports: not what lies beside our packages, which may be a lab's data."""
    ours = [str(_ROOT / name) for name in _PACKAGES]
    installed = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return [*ours, sys.prefix, sys.base_prefix, *installed, site.getusersitepackages()]


def _main() -> None:
    module, given = sys.argv[1], json.loads(sys.argv[2])
    for package in _PACKAGES:
        import_module(package)  # the folder that they are in, which may hold data, cannot be looked through later
    Confinement(**given["confinement"]).enter(given["code"])
    import_module(module).main(given["task"])


if __name__ == "__main__":
    _main()
