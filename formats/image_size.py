"""The size of a picture from the first bytes of its file."""

from __future__ import annotations

import struct
from pathlib import Path

_HEAD = 1 << 20  # what a camera writes before the size: thumbnails, profiles


def image_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a PNG or JPEG file; None where it is neither, or broken.

    Args:
        path: The file.
    """
    try:
        with path.open("rb") as stream:
            head = stream.read(_HEAD)
    except OSError:
        return None
    if head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR" and len(head) >= 24:
        width, height = struct.unpack(">II", head[16:24])
    elif head[:2] == b"\xff\xd8":
        width, height = _jpeg(head)
    else:
        return None
    return (width, height) if width and height else None


def _jpeg(head: bytes) -> tuple[int, int]:
    place = 2
    while place + 9 <= len(head) and head[place] == 0xFF:
        marker = head[place + 1]
        if marker == 0xFF:  # filling
            place += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", head[place + 5 : place + 9])
            return width, height
        place += 2 + int.from_bytes(head[place + 2 : place + 4], "big")
    return 0, 0
