"""A task of a confined child that goes through files: what it is asked and what it says, in a folder of its own."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.sandbox import child
from app.sandbox.confinement import Confinement

_ASKED, _SAID = "asked.json", "said.json"


@dataclass(frozen=True)
class Limits:
    """What a child may use.

    Attributes:
        memory_bytes: Address space.
        file_bytes: Size of a file that it writes.
        cpu_seconds: Processor time; None for as much as it takes.
        seconds: Time by the clock; None for as much as it takes.
        niceness: How much others come before it, of 19.
    """

    memory_bytes: int = 8 * 2**30
    file_bytes: int = 16 * 2**30
    cpu_seconds: float | None = None
    seconds: float | None = None
    niceness: int = 0


#: What a child may for somebody who waits for it at a terminal.
ALONE = Limits()


class Broken(Exception):
    """The child ended without a word; the text says what it may have lacked."""


def do(module: str, task: Mapping[str, Any], folder: Path, readable: tuple[str, ...], limits: Limits = ALONE) -> Any:
    """Have a module's ``main`` do a task and give what it ``say``s.

    Args:
        module: Whose ``main`` takes the task, with ``folder`` in it.
        task: Goes through JSON.
        folder: The child may write there, and nowhere else.
        readable: What it may read.
        limits: What it may use.

    Raises:
        Broken: It ended without an answer.
    """
    place = str(folder.resolve())
    (folder / _ASKED).write_text(json.dumps({**task, "folder": place}))
    confinement = Confinement(
        limits.memory_bytes,
        limits.cpu_seconds,
        file_bytes=limits.file_bytes,
        readable=readable,
        writable=(place,),
        niceness=limits.niceness,
        makes_folders=True,  # of what was packed
    )
    process = child.start(module, {"folder": place}, confinement, stdout=subprocess.DEVNULL)
    try:
        with suppress(subprocess.TimeoutExpired):  # then there is no answer
            process.wait(limits.seconds)
    finally:
        process.kill()
        process.wait()
    try:
        return json.loads((folder / _SAID).read_bytes())
    except (OSError, ValueError):
        room = f"{limits.memory_bytes // 2**30} GiB of memory and {limits.file_bytes // 2**30} GiB of disk"
        if limits.cpu_seconds is not None:
            room += f" for {limits.cpu_seconds:g} seconds"
        raise Broken(f"the process that read it broke; it may use {room}") from None


def asked(task: Mapping[str, Any]) -> dict[str, Any]:
    """What was asked, in the child."""
    found: dict[str, Any] = json.loads((Path(task["folder"]) / _ASKED).read_bytes())
    return found


def say(task: Mapping[str, Any], said: Any) -> None:
    """Answer, in the child."""
    (Path(task["folder"]) / _SAID).write_text(json.dumps(said))
