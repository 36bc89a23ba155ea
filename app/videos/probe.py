"""A first look at an upload, before it is accepted: is it a video at all? Run as a child process under limits.

Whatever this lets through is read in full by ingest; this only spares people the wait for an obvious no.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from app.videos.sandbox import confine
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
    task = json.dumps({"path": str(path), "limits": asdict(limits), "memory_bytes": memory_bytes})
    command = [sys.executable, "-m", "app.videos.probe", task]
    try:
        child = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return _UNREADABLE
    return child.stdout.decode() or None if child.returncode == 0 else _UNREADABLE


def _main() -> None:
    task = json.loads(sys.argv[1])
    confine(task["memory_bytes"], _SECONDS)
    try:
        source = open_source(Path(task["path"]), Limits(**task["limits"]))
        if all(found.frame is None for found in source.frames()):
            sys.stdout.write("no frame of this file can be read")
    except VideoError as error:
        sys.stdout.write(str(error))


if __name__ == "__main__":
    _main()
