"""A first look at an upload, before it is accepted: is it a video at all? In a confined child process.

Whatever this lets through is read in full by ingest; this only spares people the wait for an obvious no.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.sandbox import child
from app.sandbox.confinement import Confinement
from pose.decoder import Limits, VideoError
from pose.image_archive import open_source

_SECONDS = 20.0
_UNREADABLE = "this file cannot be read as a video"


def probe(path: Path, limits: Limits, memory_bytes: int) -> str | None:
    """Say why a file cannot be a video; None when its first frame can be read.

    Args:
        path: The file.
        limits: What is too large to be accepted.
        memory_bytes: Address space of the child.
    """
    file = str(path.absolute())
    confinement = Confinement(memory_bytes, _SECONDS, readable=(file,))
    process = child.start("app.videos.probe", {"path": file, "limits": asdict(limits)}, confinement)
    with process:
        try:
            said, _ = process.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            return _UNREADABLE
        except UnicodeDecodeError:
            return _UNREADABLE
    return said or None if process.returncode == 0 else _UNREADABLE


def main(task: dict[str, Any]) -> None:
    """Look, in the child; writes down why the file cannot be a video."""
    try:
        source = open_source(Path(task["path"]), Limits(**task["limits"]))
        if all(found.frame is None for found in source.frames()):
            sys.stdout.write("no frame of this file can be read")
    except VideoError as error:
        sys.stdout.write(str(error))
