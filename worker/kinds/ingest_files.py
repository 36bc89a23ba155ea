"""The messages and files of ingest's child process, read as those of a stranger.

A file that takes the decoder over can write what it likes: lines without end, links to files of ours, large numbers.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from typing import IO, Any

import msgspec

from pose.frame_table import FrameTable
from pose.video_stream import StreamChoice

PROXY, TABLES = "proxy", "tables"

#: Most bytes of a line.
LINE_BYTES = 64 * 1024

# A frame's share of both tables, as text, with room to spare.
_TABLES_BYTES, _BYTES_OF_FRAME = 2**20, 128
_SENTENCE = 1000


class Odd(Exception):
    """The child did not say or leave what it should."""


class Word(msgspec.Struct, frozen=True):
    """A message of the child, one line; the last one tells the outcome.

    Attributes:
        frames: How many it has read.
        share: Part of the video that is.
        rejected: Why the video is none of ours.
        no_space: The disk is full.
        too_large: A file grew beyond what it may.
    """

    frames: int = 0
    share: float = 0.0
    rejected: str | None = None
    no_space: bool = False
    too_large: bool = False


class _Tables(msgspec.Struct, frozen=True):
    source: str
    proxy: str
    stream: StreamChoice


def words(output: IO[Any], seconds: float) -> Iterator[Word | None]:
    """The child's messages as they come, and None whenever so many seconds have passed, or a part of a line has come.

    Raises:
        Odd: It is not what a child says.
    """
    begun = b""
    with DefaultSelector() as selector:
        selector.register(output, EVENT_READ)
        while True:
            piece = os.read(output.fileno(), LINE_BYTES) if selector.select(seconds) else None
            if piece == b"":
                return
            *lines, begun = (begun + (piece or b"")).split(b"\n")
            if len(begun) > LINE_BYTES:
                raise Odd("a line does not end")
            yield from map(_word, lines)
            if not lines:
                yield None


def tables(folder: Path, max_frames: int) -> tuple[FrameTable, bytes, bytes, StreamChoice]:
    """The frame tables that the child left: the source's, the bytes of it and of the proxy's, and which stream it took.

    Raises:
        Odd: They are not what a child leaves.
    """
    path = regular(folder / TABLES, _TABLES_BYTES + _BYTES_OF_FRAME * max_frames)
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Tables)
        source, proxy = bytes.fromhex(found.source), bytes.fromhex(found.proxy)
        FrameTable.from_bytes(proxy)
        return FrameTable.from_bytes(source), source, proxy, found.stream
    except (ValueError, msgspec.MsgspecError) as error:
        raise Odd("what it left are no frame tables") from error


def regular(path: Path, most: int) -> Path:
    """A file that has its bytes itself, not elsewhere.

    Raises:
        Odd: It is a link or anything else, there is none, or it has more than so many bytes.
    """
    try:
        status = path.lstat()
    except FileNotFoundError as error:
        raise Odd(f"it left no {path.name}") from error
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1 or status.st_size > most:
        raise Odd(f"what it left as {path.name} is no file of its own")
    return path


def _word(line: bytes) -> Word:
    try:
        word = msgspec.json.decode(line, type=Word)
    except (ValueError, msgspec.MsgspecError) as error:
        raise Odd("it says what no child says") from error
    reason = None if word.rejected is None else word.rejected[:_SENTENCE]
    return msgspec.structs.replace(word, rejected=reason, share=min(max(word.share, 0.0), 1.0))
