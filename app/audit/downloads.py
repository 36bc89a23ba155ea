"""Writing down who took a whole file: an original, an export, a checkpoint, a run. A leak shall be traceable."""

from __future__ import annotations

import time
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Annotated, Any

from cachetools import FIFOCache
from fastapi import Depends, Request

from app.audit import service
from app.audit.schemas import Kind
from app.dependencies import WritingDep
from app.tables import Project, Video

#: Of a download in ranges, of which there can be thousands, one is written down in so many seconds.
RANGES_SECONDS = 600.0
REMEMBERED_RANGES = 10_000


@dataclass(frozen=True)
class Download:
    """A request for a file, and how to write it down."""

    request: Request
    writing: WritingDep

    async def note(
        self, kind: Kind, *, project: Project | None = None, video: Video | None = None, **details: Any
    ) -> None:
        """Write down that somebody takes a file, before they get it.

        Args:
            kind: What is taken.
            project: What it is of; a video brings its project.
            video: What it is of.
            details: Which one it is.
        """
        caller = self.writing.caller
        ranges: FIFOCache[Hashable, float] = self.request.app.state.ranges
        place = caller.key_id, caller.session_id, kind, video and video.id, *details.items()
        if "range" in self.request.headers:
            if time.monotonic() - ranges.get(place, -RANGES_SECONDS) < RANGES_SECONDS:
                return
            details["range"] = True
        await self.writing(
            lambda session: service.record(session, caller, kind, project=project, video=video, **details)
        )
        ranges[place] = time.monotonic()


async def _download(request: Request, writing: WritingDep) -> Download:
    return Download(request, writing)


DownloadDep = Annotated[Download, Depends(_download)]
