"""Whom files are for: what a lab stores is for the user that runs the service, and for no other user of the machine."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

log = logging.getLogger(__name__)

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def keep_private() -> None:
    """Let this process and its children make files and folders that only their user can open."""
    os.umask(_OTHERS)


def make_folder(folder: Path) -> None:
    """Make a folder that only its user can enter, and close one that is there to others.

    Raises:
        OSError: It cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=stat.S_IRWXU)
    close(folder)


def close(path: Path) -> None:
    """Take a file or folder from everybody but its user, where it is there and ours to change."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _OTHERS:
            path.chmod(mode & ~_OTHERS)
            log.info("%s was open to other users of this machine; it is closed now", path)
    except FileNotFoundError:
        return
    except PermissionError:
        log.warning("%s can be opened by other users of this machine, and belongs to another one", path)


def make_file(path: Path) -> None:
    """Make an empty file that only its user can open.

    Raises:
        FileExistsError: It is there.
    """
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, stat.S_IRUSR | stat.S_IWUSR))
