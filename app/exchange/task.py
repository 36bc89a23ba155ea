"""A task of a confined child that goes through files: what it is asked and what it says, in a folder of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.sandbox import child
from app.sandbox.confinement import Confinement

_ASKED, _SAID = "asked.json", "said.json"
_MEMORY_BYTES = 8 * 2**30
_FILE_BYTES = 16 * 2**30


class Broken(Exception):
    """The child ended without a word; the text says what it may have lacked."""


def do(module: str, task: Mapping[str, Any], folder: Path, readable: tuple[str, ...]) -> Any:
    """Have a module's ``main`` do a task and give what it ``say``s.

    Args:
        module: Whose ``main`` takes the task, with ``folder`` in it.
        task: Goes through JSON.
        folder: The child may write there, and nowhere else.
        readable: What it may read.

    Raises:
        Broken: It ended without an answer.
    """
    place = str(folder.resolve())
    (folder / _ASKED).write_text(json.dumps({**task, "folder": place}))
    confinement = Confinement(
        _MEMORY_BYTES, None, file_bytes=_FILE_BYTES, readable=readable, writable=(place,), niceness=0
    )
    process = child.start(module, {"folder": place}, confinement, stdout=subprocess.DEVNULL)
    try:
        process.wait()
    finally:
        process.kill()
        process.wait()
    try:
        return json.loads((folder / _SAID).read_bytes())
    except (OSError, ValueError):
        room = f"{_MEMORY_BYTES // 2**30} GiB of memory and {_FILE_BYTES // 2**30} GiB of disk"
        raise Broken(f"the process that read it broke; it may use {room}") from None


def asked(task: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked, in the child."""
    found: dict[str, Any] = json.loads((Path(task["folder"]) / _ASKED).read_bytes())
    return found


def say(task: Mapping[str, Any], said: Any) -> None:
    """Answer, in the child."""
    (Path(task["folder"]) / _SAID).write_text(json.dumps(said))
