"""The child process of ingest: decodes an upload, confined, so that no file can take anything else over or down.

It prints a JSON line now and then to say how far it is, and one at the end: ``{}``, ``{"rejected": sentence}`` or,
where the disk is full, ``{"no_space": true}``, or where a file grew beyond what it may, ``{"too_large": true}``.
"""

from __future__ import annotations

import errno
import json
import sys
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import av

from pose.decoder import Limits, VideoError
from pose.image_archive import open_source
from pose.proxy import write_proxy
from worker.kinds.ingest_files import PROXY, TABLES

_REPORT_SECONDS = 0.25


def main(task: dict[str, Any]) -> None:
    """Do a task."""
    try:
        _work(task)
    except VideoError as error:
        _say({"rejected": str(error)})
    except MemoryError:
        _say({"rejected": "reading this video took more memory than a video may"})
    except (OSError, av.FFmpegError) as error:
        if error.errno == errno.EFBIG:
            _say({"too_large": True})
        elif error.errno in (errno.ENOSPC, errno.EDQUOT):
            _say({"no_space": True})
        else:
            raise
    else:
        _say({})


def _work(task: dict[str, Any]) -> None:
    limits = Limits(**task["limits"])
    source = Path(task["source"])
    with closing(open_source(source, limits)) as frames_of:
        expected, stream = frames_of.claimed_frames, asdict(frames_of.choice)
    folder = Path(task["folder"])
    frames = write_proxy(source, folder / PROXY, limits=limits, encoder=task["encoder"])
    reported = time.monotonic()
    while True:
        try:
            done = next(frames)
        except StopIteration as end:
            source_table, proxy_table = end.value
            break
        if time.monotonic() - reported > _REPORT_SECONDS:
            reported = time.monotonic()
            _say({"frames": done, "share": min(1.0, done / expected) if expected else 0.0})
    tables = {"source": source_table.to_bytes().hex(), "proxy": proxy_table.to_bytes().hex(), "stream": stream}
    (folder / TABLES).write_text(json.dumps(tables))


def _say(word: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(word) + "\n")
    sys.stdout.flush()
