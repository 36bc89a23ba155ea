"""Projects that come packed as a ZIP: what is in it lies in a folder of our own afterwards, and nowhere else."""

from __future__ import annotations

import lzma
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from formats.errors import FormatError, refuse
from formats.files import read_head

MAGIC = b"PK\x03\x04"

#: Files, and bytes together, that an archive may unfold to.
MAX_FILES, MAX_BYTES = 100_000, 2 * 2**30

#: What reading a broken archive may raise; a kind of packing that this Python lacks is NotImplementedError.
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, OSError, ValueError,
)  # fmt: skip

#: Folders that are a part of a project, also where they are all of it that was packed.
_PARTS = ("labeled-data", "labels", "images")


def is_archive(path: Path) -> bool:
    """Whether a file is a ZIP."""
    return path.is_file() and read_head(path, len(MAGIC)) == MAGIC


def unpacked(path: Path, folder: Path, most: int = MAX_BYTES) -> Path:
    """Unpack an archive; gives the project in it: the folder, or what lies in it alone.

    Args:
        path: The ZIP.
        folder: Takes what is in it; it is not there yet.
        most: Bytes that it may unfold to.

    Raises:
        FormatError: It is broken, encrypted or unfolds to too much, or a name leads out of the folder.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            _unpack(path, archive, folder, most)
    except FormatError:
        raise
    except _BROKEN as error:
        why = error.strerror or "?" if isinstance(error, OSError) else str(error)[:100]
        raise refuse(path, "", f"a broken archive ({why})") from None
    inside = sorted(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].name not in _PARTS else folder


def _unpack(path: Path, archive: zipfile.ZipFile, folder: Path, most: int) -> None:
    entries = [
        entry for entry in archive.infolist() if not (entry.filename.endswith("/") or _of_finder(entry.filename))
    ]
    most = min(most, MAX_BYTES)
    if len(entries) > MAX_FILES or sum(entry.file_size for entry in entries) > most:
        raise refuse(path, "", f"more than {MAX_FILES} files or {most} bytes are in it, for which there is no room")
    folder.mkdir()
    for entry in entries:
        name = _name(entry.filename)
        if not name.parts:
            raise refuse(path, entry.filename[:200], "this is no name of a file")
        if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
            raise refuse(path, entry.filename[:200], "this name leads out of the archive")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise refuse(path, entry.filename[:200], "this is a link")
        if entry.flag_bits & 1:
            raise refuse(path, entry.filename[:200], "this is encrypted")
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as data, target.open("xb") as into:
            shutil.copyfileobj(data, into)


def _name(text: str) -> PurePosixPath:
    return PurePosixPath(text.replace("\\", "/"))


def _of_finder(text: str) -> bool:
    """Whether a file is none of the project, but what Finder of macOS adds to a ZIP."""
    name = _name(text)
    return name.parts[:1] == ("__MACOSX",) or name.name.startswith("._")
