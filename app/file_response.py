"""Stored files as answers, whole or in ranges (RFC 9110, section 14)."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from fastapi.responses import FileResponse, RedirectResponse
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from app.storage import Storage
from app.turns import Turns

#: Seconds for which a file that is downloaded counts as verified: parts of it are asked for one after the other.
DOWNLOADED = 600.0

#: Seconds for which a browser keeps a presigned address: less than the address holds.
KEPT_SECONDS = 60

_RANGE = re.compile(r"\s*(?:([0-9]{1,18})-([0-9]{0,18})|-[0-9]{1,18})\s*")


class StoredFileResponse(FileResponse):
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


async def fetched(turns: Turns, lab_id: int, storage: Storage, sha256: str, *, within: float | None = None) -> Path:
    """A local file with an object's bytes, see ``Storage.file``.

    A large one is read for minutes, or fetched first. No transaction and no turn that others need is held meanwhile.

    Args:
        turns: Who may go on.
        lab_id: For whom.
        storage: Where the object is.
        sha256: The object.
        within: Read it again unless that was done so many seconds ago.

    Raises:
        DamagedObject: The store has other bytes than were put.
        MissingObject: It is not there.
    """
    return await turns.fetching.run(partial(storage.file, sha256, within=within), lab_id)


def elsewhere(storage: Storage, sha256: str, *, kept: bool = False) -> RedirectResponse | None:
    """A redirect to where a browser gets a file, where that is an object store; None where it gets it here.

    Args:
        storage: Where the file is.
        sha256: The file.
        kept: Whether the browser may go there again without asking, for a minute.
    """
    address = storage.address(sha256)
    if address is None:
        return None
    control = f"private, max-age={KEPT_SECONDS}" if kept else "no-store"
    return RedirectResponse(address, 307, headers={"Cache-Control": control})


def _readable(ranges: str) -> bool:
    unit, _, spans = ranges.partition("=")
    matches = [_RANGE.fullmatch(span) for span in spans.split(",")]
    return unit.strip().lower() == "bytes" and all(
        match is not None and (not match[1] or not match[2] or int(match[1]) <= int(match[2])) for match in matches
    )
