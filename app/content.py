"""Stored files as answers, whole or in ranges (RFC 9110, section 14)."""

from __future__ import annotations

import re

from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

#: Seconds for which a file that is downloaded counts as verified: parts of it are asked for one after the other.
DOWNLOADED = 600.0

_RANGE = re.compile(r"\s*(?:([0-9]{1,18})-([0-9]{0,18})|-[0-9]{1,18})\s*")


class Content(FileResponse):
    """A file. A range that cannot be read is passed over, one beyond the end is a problem document."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file."""
        if not _readable(Headers(scope=scope).get("range", "")):
            scope = {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"range"]}

        async def watching(message: Message) -> None:
            if message.get("status") == 416:
                size = Headers(raw=message["headers"])["content-range"]
                raise HTTPException(416, "the range lies beyond the end of the file", {"Content-Range": size})
            await send(message)

        await super().__call__(scope, receive, watching)


def _readable(ranges: str) -> bool:
    unit, _, spans = ranges.partition("=")
    matches = [_RANGE.fullmatch(span) for span in spans.split(",")]
    return unit.strip().lower() == "bytes" and all(
        match is not None and (not match[1] or not match[2] or int(match[1]) <= int(match[2])) for match in matches
    )
