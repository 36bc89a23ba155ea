"""Landlock, by which Linux lets a process give up the files and ports that it does not need (``landlock(7)``)."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path

# The same on every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1  # a flag that asks for it
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 5, 1 << 7, 1 << 8
_TRUNCATE = 1 << 14

#: Of a file, not of a folder.
_FILE_RIGHTS = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
#: To load a library is to read it: nothing is to be executed.
_READING = _READ_FILE | _READ_DIR
_WRITING = _READING | _WRITE_FILE | _TRUNCATE | _REMOVE_FILE | _MAKE_REG

#: How many rights on files there are, by the version of the interface.
_NUM_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_LATEST = 5
_NUM_PORT_RIGHTS, _NUM_SCOPES = 2, 2
_PORTS_SINCE, _SCOPES_SINCE = 4, 6


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("ports", ctypes.c_uint64), ("scopes", ctypes.c_uint64))


class _Beneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


_libc = ctypes.CDLL(None, use_errno=True)


def version() -> int:
    """Which version of Landlock the kernel has; 0 where it has none, or does not let us."""
    return max(0, int(_libc.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))))


def restrict(readable: Iterable[Path], writable: Iterable[Path], *, folders: bool = False) -> None:
    """Leave this thread, and those that it begins, some files and folders, and no TCP port.

    Args:
        readable: What may be read; what is not there is passed over.
        writable: What may be read and written, and folders in which files may be made and removed.
        folders: Whether folders may be made in these too.

    Raises:
        OSError: The kernel does not do it.
    """
    found = version()
    files = (1 << _NUM_RIGHTS[min(found, _LATEST)]) - 1 if found else 0
    ports = (1 << _NUM_PORT_RIGHTS) - 1 if found >= _PORTS_SINCE else 0
    scopes = (1 << _NUM_SCOPES) - 1 if found >= _SCOPES_SINCE else 0
    size = 8 if found < _PORTS_SINCE else 16 if found < _SCOPES_SINCE else 24
    wanted = _Ruleset(files, ports, scopes)
    ruleset = _call(_CREATE_RULESET, ctypes.byref(wanted), ctypes.c_size_t(size), ctypes.c_uint32(0))
    try:
        for rights, paths in ((_READING, readable), (_WRITING | _MAKE_DIR * folders, writable)):
            for path in paths:
                _allow(ruleset, path, rights & files)
        _call(_RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    finally:
        os.close(ruleset)


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        beneath = _Beneath(rights if path.is_dir() else rights & _FILE_RIGHTS, descriptor)
        _call(_ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(_PATH_BENEATH), ctypes.byref(beneath), ctypes.c_uint32(0))
    finally:
        os.close(descriptor)


def _call(number: int, *arguments: object) -> int:
    result = int(_libc.syscall(number, *arguments))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"Landlock: {os.strerror(ctypes.get_errno())}")
    return result
