"""Entries of an export's archive that depend on nothing but what is in them, digests, frames of videos."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from app.exports.selection import Selection
from app.tables import Video
from pose.frame_table import FrameTable
from pose.video import VideoReader

_PIECE = 1 << 22  # bytes
#: The earliest moment a ZIP can name: a file must not depend on when it was written.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def entry(name: str, kind: int = zipfile.ZIP_STORED) -> zipfile.ZipInfo:
    """A file in an archive; ``kind`` is how it is compressed."""
    made = zipfile.ZipInfo(name, _NO_TIME)
    made.external_attr = 0o644 << 16
    made.compress_type = kind
    return made


def digest(path: Path, step: Callable[[], None]) -> str:
    """The SHA-256 of a file; ``step`` is called now and then."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            step()
            found.update(piece)
    return found.hexdigest()


def pictures(source: Selection, video: Video, frames: list[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Frames of a video with their numbers, ``(H, W, 3)`` RGB, as people label them."""
    assert video.proxy_sha256 is not None
    assert video.proxy_table_sha256 is not None
    table = FrameTable.from_bytes(source.storage.get(video.proxy_table_sha256))
    proxy = source.storage.file(video.proxy_sha256, source.listen, within=0)
    with VideoReader(proxy, table) as reader:
        for frame in frames:
            yield frame, reader.read(frame)
            source.report(source.done, source.total)
