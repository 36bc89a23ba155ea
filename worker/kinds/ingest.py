"""Ingest: find out what a video is, and make its frame table and proxy, in a confined child process."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from app.errors import NoSpace
from app.jobs import ledger
from app.jobs.log import WARNING
from app.sandbox import child
from app.sandbox.confinement import Confinement
from app.settings import Settings
from app.storage import Stored
from app.tables import Job, Video
from worker.context import Context
from worker.kinds.ingest_files import PROXY, Odd, Word, regular, tables, words

log = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_CRASHED = "reading this video crashed the decoder or took more memory or time than a video may"


def run(context: Context) -> None:
    """Run an ingest job: the video becomes ready, degraded or rejected."""
    with context.database.session(readonly=True) as session:
        job = session.get_one(Job, context.held.job_id)
        video = session.get_one(Video, job.video_id)
    with context.storage.scratch_folder() as folder:
        most = context.settings.max_upload_bytes
        try:
            outcome = _decode(context, context.storage.file(video.sha256, context.check_cancelled), folder)
            if outcome.no_space:
                raise NoSpace("the disk of the worker is full; upload the video again when there is room")
            if outcome.too_large:
                outcome = Word(rejected=f"the copy of this video for labelling would have more than {most} bytes")
            if outcome.rejected is None:
                table, *both, stream = tables(folder, context.settings.max_frames)
                made = regular(folder / PROXY, most)
        except Odd as error:
            log.warning("the child that read a video behaved oddly: %s", error, extra={"video_id": video.id})
            outcome = Word(rejected=_CRASHED)
        if outcome.rejected is not None:
            _finish(context, video.id, {"status": "rejected", "reason": outcome.rejected}, [])
            return
        context.step(0.99, "storing")
        # The proxy first, which takes its time: nobody knows yet that the others are wanted.
        proxy = context.storage.adopt(made, step=context.check_cancelled)
        kept = [*map(context.storage.put, both), proxy]
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
        "stream": asdict(stream),
        "frame_table_sha256": kept[0].sha256,
        "proxy_table_sha256": kept[1].sha256,
        "proxy_sha256": kept[2].sha256,
    }
    _finish(context, video.id, facts, kept)


def start(settings: Settings, source: Path, folder: Path) -> subprocess.Popen[str]:
    """Start the child that decodes a video.

    Args:
        settings: What it may take.
        source: The video.
        folder: Where it leaves what it makes; what a file that takes the decoder over may write is what becomes of it.
    """
    read, made = str(source.absolute()), str(folder.absolute())
    confinement = Confinement(
        settings.ingest_memory_bytes,
        settings.ingest_seconds * 4,
        file_bytes=settings.max_upload_bytes,
        readable=(read,),
        writable=(made,),
    )
    task = {"source": read, "folder": made, "limits": asdict(settings.limits), "encoder": settings.proxy_encoder}
    return child.start("worker.kinds.ingest_child", task, confinement)


def _finish(context: Context, video_id: int, facts: dict[str, Any], kept: list[Stored]) -> None:
    def write() -> None:
        with context.keeping(kept) as session:
            video = session.get_one(Video, video_id)
            for name, value in facts.items():
                setattr(video, name, value)
            session.flush()
            if kept:
                context.check_quota(session)
            if facts["reason"]:
                ledger.tell(session, context.held, WARNING, f"{facts['status']}: {facts['reason']}")
            ledger.succeed(session, context.held, {"video_id": video_id, "status": facts["status"]})

    context.insist(write)


def _decode(context: Context, source: Path, folder: Path) -> Word:
    """Run the child to its end and give its last word.

    Raises:
        Odd: It says what no child says.
    """
    settings = context.settings
    deadline = time.monotonic() + settings.ingest_seconds
    word, frames, share = Word(), 0, 0.0
    with _ended(start(settings, source, folder)) as process:
        assert process.stdout is not None
        for said in words(process.stdout, _POLL_SECONDS):
            word = said or word
            if time.monotonic() > deadline:
                return Word(rejected=f"reading this video took longer than {settings.ingest_seconds:.0f} seconds")
            frames, share = max(frames, word.frames), max(share, word.share)  # its last word says nothing of them
            context.check_room(_size(folder))
            context.step(0.98 * share, f"reading frames: {frames}" if frames else "opening")
        if process.wait() == 0:
            return word
    return Word(rejected=_CRASHED)


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _size(folder: Path) -> int:
    size = 0
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # it was given its name
            size += path.lstat().st_size
    return size
