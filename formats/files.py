"""The files and folders that formats are read from and written to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from formats.errors import FormatError, refuse

#: A longer file is refused: it is read whole.
MAX_BYTES = 4 * 2**30

#: Files that a folder may hold, and folders below it.
MAX_FILES = 1_000_000


def read_file(path: Path, *, most: int | None = None) -> bytes:
    """The bytes of a file.

    Args:
        path: The file.
        most: A longer one is refused; ``MAX_BYTES`` where left out.

    Raises:
        FormatError: It is not there, cannot be read, or is longer.
    """
    limit = MAX_BYTES if most is None else most
    with _reading(path):
        if path.stat().st_size > limit:
            raise refuse(path, "", f"longer than {limit} bytes")
        return path.read_bytes()


def read_head(path: Path, count: int) -> bytes:
    """The first bytes of a file, however long it is.

    Args:
        path: The file.
        count: How many at most.

    Raises:
        FormatError: It is not there, or cannot be read.
    """
    with _reading(path), path.open("rb") as file:
        return file.read(count)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        if not path.is_file():
            raise refuse(path, "", "this is a folder" if path.is_dir() else "there is no such file")
        yield
    except OSError as error:
        raise refuse(path, "", error.strerror or str(error)) from None
    except ValueError as error:
        if isinstance(error, FormatError):
            raise
        raise refuse(path, "", "this is no name of a file") from None


def read_text(path: Path, *, most: int | None = None) -> str:
    """The text of a file in UTF-8, with or without a byte order mark.

    Args:
        path: The file.
        most: A longer one is refused, in bytes; ``MAX_BYTES`` where left out.

    Raises:
        FormatError: It is not there, is longer, or is no such text.
    """
    data = read_file(path, most=most)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise refuse(path, f"line {line}", "not UTF-8 text") from None


def files_below(path: Path) -> list[Path]:
    """The files in a folder and below, in the order of their names; links to folders are not followed.

    Raises:
        FormatError: It is no folder, cannot be read, or holds too many.
    """
    if not path.is_dir():
        raise refuse(path, "", "there is no such folder")
    found: list[Path] = []
    failed: list[OSError] = []
    for folder, below, names in os.walk(path, onerror=failed.append):
        below.sort()
        found += [Path(folder) / name for name in sorted(names)]
        if len(found) > MAX_FILES:
            raise refuse(path, "", f"more than {MAX_FILES} files")
    if failed:
        raise refuse(path, "", failed[0].strerror or str(failed[0]))
    return found


def files_of(path: Path, *endings: str) -> list[Path]:
    """A file, or those of a folder and below whose names have one of some endings, in the order of their names.

    Raises:
        FormatError: The folder cannot be read, or has none.
    """
    if not path.is_dir():
        return [path]
    files = [file for file in files_below(path) if file.name.endswith(endings)]
    if not files:
        raise refuse(path, "", f"there is no {endings[-1]}")
    return files


def write_file(path: Path, text: str) -> None:
    """Write a text as UTF-8 with plain line ends, in a folder that is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
