"""Ingest: find out what a video is, and make its frame table and proxy, in a child process with limits."""

from __future__ import annotations

import json
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app import blobs
from app.errors import NoSpace
from app.jobs import ledger
from app.storage import Stored
from app.tables import Job, Video
from pose.frame_table import FrameTable
from worker.context import Context

_POLL_SECONDS = 0.2


def ingest(context: Context) -> None:
    """Run an ingest job: the video becomes ready, degraded or rejected."""
    with context.database.session(readonly=True) as session:
        job = session.get_one(Job, context.held.job_id)
        video = session.get_one(Video, job.video_id)
    with context.storage.scratch_file() as proxy, context.storage.scratch_file() as tables:
        outcome = _decode(context, context.storage.file(video.sha256, context.listen), proxy, tables)
        if "rejected" in outcome:
            _finish(context, video.id, {"status": "rejected", "reason": outcome["rejected"]}, [])
            return
        if "no_space" in outcome:
            raise NoSpace("the disk of the worker is full; upload the video again when there is room")
        context.step(0.99, "storing")
        found = json.loads(tables.read_text())
        source_table, proxy_table = found["source"], found["proxy"]
        kept = [context.storage.put(bytes.fromhex(table)) for table in (source_table, proxy_table)]
        kept.append(context.storage.adopt(proxy, step=context.listen))
    table = FrameTable.from_bytes(bytes.fromhex(source_table))
    facts = {
        "status": "degraded" if table.reason else "ready",
        "reason": table.reason,
        "num_frames": table.num_frames,
        "width": table.width,
        "height": table.height,
        "fps": table.fps,
        "duration": table.duration,
        "damaged": [list(span) for span in table.damaged],
        "variable_rate": table.variable_rate,
        "stream": found["stream"],
        "frame_table_sha256": kept[0].sha256,
        "proxy_table_sha256": kept[1].sha256,
        "proxy_sha256": kept[2].sha256,
    }
    _finish(context, video.id, facts, kept)


def _finish(context: Context, video_id: int, facts: dict[str, Any], kept: list[Stored]) -> None:
    with context.writing() as session:
        for stored in kept:
            blobs.record(session, context.storage, stored)
        video = session.get_one(Video, video_id)
        for name, value in facts.items():
            setattr(video, name, value)
        ledger.succeed(session, context.held, {"video_id": video_id, "status": facts["status"]})


def _decode(context: Context, source: Path, proxy: Path, tables: Path) -> dict[str, Any]:
    """Run the child to its end and give its last word."""
    settings = context.settings
    task = {
        "source": str(source),
        "proxy": str(proxy),
        "tables": str(tables),
        "limits": asdict(settings.limits),
        "memory_bytes": settings.ingest_memory_bytes,
        "cpu_seconds": settings.ingest_seconds * 4,
    }
    deadline = time.monotonic() + settings.ingest_seconds
    word: dict[str, Any] = {}
    with _child(task) as child:
        for line in _lines(child):
            if line:
                word = json.loads(line)
            if time.monotonic() > deadline:
                return {"rejected": f"reading this video took longer than {settings.ingest_seconds:.0f} seconds"}
            frames, share = word.get("frames", 0), word.get("share", 0.0)
            context.step(0.98 * share, f"reading frames: {frames}" if frames else "opening")
        if child.wait() == 0:
            return word
    return {"rejected": "reading this video crashed the decoder or took more memory or time than a video may"}


@contextmanager
def _child(task: dict[str, Any]) -> Iterator[subprocess.Popen[str]]:
    child = subprocess.Popen(
        [sys.executable, "-m", "worker.ingest_child", json.dumps(task)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        # What a killed child cannot clear away itself.
        Path(f"{task['proxy']}.part").unlink(missing_ok=True)
        assert child.stdout is not None
        child.stdout.close()


def _lines(child: subprocess.Popen[str]) -> Iterator[str | None]:
    """The child's lines as they come, and None whenever a while has passed without one."""
    assert child.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        while True:
            if not selector.select(_POLL_SECONDS):
                yield None
                continue
            line = child.stdout.readline()
            if not line:
                return
            yield line
