"""Uploads that go on where they broke off, in tus 1.0 as the service speaks it (``docs/uploads.md``)."""

from __future__ import annotations

import base64
import hashlib
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2

from posetween.connection import Connection
from posetween.errors import ApiError

_TUS = {"Tus-Resumable": "1.0.0"}
_PIECE = 1 << 20
#: Seconds before each further try; bytes that arrived begin the row anew.
_PAUSES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 16.0)
_GONE = (404, 410)

#: Hears how many bytes of how many have been sent.
Sent = Callable[[int, int], None]


def digest(path: Path) -> str:
    """The SHA-256 of a file, as the service tells it of its videos.

    Raises:
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def send(
    connection: Connection, project_id: int, path: Path, *, name: str, sha256: str, sent: Sent = lambda done, of: None
) -> int:
    """Send a file; one that an earlier call began is gone on with.

    Args:
        connection: To the service.
        project_id: Whose video it becomes.
        path: The file.
        name: What the video is called.
        sha256: Of the file.
        sent: Hears how far it is.

    Returns:
        The video.

    Raises:
        ApiError: The service refuses it, or could not be reached for long.
        OSError: The file cannot be read.
    """
    size = path.stat().st_size
    try:
        place = begin(connection, project_id, name, size, key_of(project_id, sha256, name))
        offset, video = _offset(connection, place)
    except ApiError as error:
        if error.status not in _GONE:
            raise
        # What was begun earlier has ended.
        place = begin(connection, project_id, name, size, f"upload-{uuid.uuid4()}")
        offset, video = _offset(connection, place)
    tries = 0
    while video is None:
        sent(offset, size)
        failure = ApiError(f"no byte arrives, of which {path} may have fewer than before")
        try:
            headers = _TUS | {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
            content = _pieces(path, offset, size, sent)
            answer = connection.send("PATCH", place, content=content, headers=headers)
            here, video = _standing(answer)
        except ApiError as error:
            if error.status not in (0, 408, 409, 423, 429, 502, 503, 504):
                raise
            failure, here = error, offset
        if here == offset and video is None:
            if tries == len(_PAUSES):
                where = f"{offset} of {size} bytes of {path} arrived; call again to go on from there"
                raise ApiError(f"{failure}: {where}", failure.status, failure.problem) from failure
            time.sleep(_PAUSES[tries])
            tries += 1
            here, video = _offset(connection, place)
        if here > offset:
            tries = 0
        offset = here
    sent(size, size)
    return video


def key_of(project_id: int, sha256: str, name: str) -> str:
    """The ``Idempotency-Key`` by which an upload of a file is found again."""
    return "upload-" + hashlib.sha256(f"{project_id} {sha256} {name}".encode()).hexdigest()


def begin(connection: Connection, project_id: int, name: str, size: int, key: str) -> str:
    """Begin an upload, or find the one that was begun with this key; gives its path."""
    told = {"project_id": str(project_id), "filename": name}
    metadata = ",".join(f"{field} {base64.b64encode(value.encode()).decode()}" for field, value in told.items())
    headers = _TUS | {"Upload-Length": str(size), "Upload-Metadata": metadata, "Idempotency-Key": key}
    answer = connection.send("POST", "/uploads", headers=headers)
    if "Location" not in answer.headers:
        raise connection.strange("POST", "/uploads", answer)
    return str(answer.headers["Location"])


def _offset(connection: Connection, place: str) -> tuple[int, int | None]:
    return _standing(connection.send("HEAD", place, headers=_TUS))


def _standing(answer: httpx2.Response) -> tuple[int, int | None]:
    """How many bytes have arrived, and the video once there is one."""
    video = answer.headers.get("Posetween-Video")
    return int(answer.headers.get("Upload-Offset", 0)), None if video is None else int(video)


def _pieces(path: Path, offset: int, size: int, sent: Sent) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(offset)
        while piece := file.read(_PIECE):
            yield piece
            offset += len(piece)
            sent(min(offset, size), size)
