"""Limits of disk usage: what uploads, exports and computed files may take, and what is kept free for everything else.

Labels, keys, deleting and cancelling need little, and must work where the disk is full of videos: that is how people
get out of it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

_SHARE, _MOST = 0.05, 2**30


def reserve(folder: Path) -> int:
    """Bytes of a folder's disk that stay free: a twentieth of it, or 1 GiB where that is less."""
    return _reserve(shutil.disk_usage(folder).total)


def room(folder: Path) -> int:
    """Bytes that may still be written to a folder's disk before the reserve begins."""
    usage = shutil.disk_usage(folder)
    return max(0, usage.free - _reserve(usage.total))


def _reserve(total: int) -> int:
    return min(int(total * _SHARE), _MOST)


#: What to tell whose bytes have no room.
FULL = (
    "the disk of the server is full but for a reserve, which is kept so that labels can be written and things deleted;"
    " delete something, or ask whoever runs this installation for more room"
)
