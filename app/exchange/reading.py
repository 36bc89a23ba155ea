"""Reading a project of another tool in a confined child process: its table, and where its videos and pictures are."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app import disk
from app.exchange import task as tasks
from formats.archive import MAX_BYTES, is_archive, unpacked
from formats.dataset import Dataset
from formats.errors import FormatError, refuse
from formats.media import Media, from_json, media_of, to_json
from formats.packed import pack, unpack
from formats.recognise import recognise
from formats.registry import FORMATS

#: Files that point at others beside them.
_BESIDE = {".yaml", ".yml", ".csv"}

#: What an answer leads to that a child was made to give.
_SENSELESS = (
    KeyError, IndexError, TypeError, AttributeError, ValueError, OSError, RuntimeError, EOFError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Found:
    """What was read.

    Attributes:
        format: Its format, a key of ``formats.registry.FORMATS``.
        dataset: The table.
        media: What is said of the pixels of each of its videos.
    """

    format: str
    dataset: Dataset
    media: tuple[Media, ...]


def read(
    path: Path, name: str | None, folder: Path, *, media: bool = True, limits: tasks.Limits = tasks.ALONE
) -> Found:
    """Read a file or folder.

    Args:
        path: The file or folder.
        name: Of its format; None to tell it by what is in it.
        folder: An empty one, which takes what the child writes: pictures out of packages lie there afterwards.
        media: Whether to look for pictures and videos too.
        limits: What the child may use.

    Raises:
        FormatError: It cannot be read.
    """
    try:
        place = path.resolve(strict=True)
    except (OSError, RuntimeError, ValueError):
        raise refuse(path, "", "there is no such file") from None
    near = place.parent if place.is_file() and place.suffix.lower() in _BESIDE else place
    task = {"path": str(place), "format": name, "media": media, "room": disk.room(folder)}
    try:
        said = tasks.do("app.exchange.reading", task, folder, (str(near),), limits)
        if "errors" in said:
            raise FormatError(Path(said["path"]), [(where, sentence) for where, sentence in said["errors"]])
        found = Found(said["format"], unpack(folder), tuple(map(from_json, said["media"])))
        if found.format not in FORMATS or len(found.media) != len(found.dataset.videos):
            raise ValueError("another answer than was asked for")
        _check_pictures(found.media, place if place.is_dir() else place.parent, folder)
    except tasks.Broken as error:
        raise refuse(path, "", str(error)) from None
    except FormatError:
        raise
    except _SENSELESS:
        raise refuse(path, "", "the process that read it gave an answer that makes no sense") from None
    return found


def _check_pictures(media: Sequence[Media], root: Path, folder: Path) -> None:
    """See that pictures lie in the project, or where the child wrote: they are read and sent by whoever asked.

    Raises:
        FormatError: One does not, or is none.
    """
    inside = root.resolve(), folder.resolve()
    for one in media:
        for file in one.pictures.values():
            real = file.resolve()
            if not real.is_file() or not any(real.is_relative_to(place) for place in inside):
                raise refuse(file, "", f"this picture is no file in {root}, and what lies elsewhere is not read")


def main(task: dict[str, Any]) -> None:
    """Read, in the child."""
    wanted = tasks.asked(task)
    path, folder = Path(wanted["path"]), Path(wanted["folder"])
    try:
        if is_archive(path):
            path = unpacked(path, folder / "unpacked", min(MAX_BYTES, wanted["room"]))
        name = wanted["format"] or recognise(path)
        dataset = FORMATS[name].read(path)
        media = media_of(path, name, dataset, folder) if wanted["media"] else [Media()] * len(dataset.videos)
        pack(dataset, folder)
    except FormatError as error:
        tasks.say(task, {"path": str(error.path), "errors": error.errors})
        return
    except MemoryError:
        tasks.say(task, {"path": str(path), "errors": [("", "it needs more memory than it may have")]})
        return
    tasks.say(task, {"format": name, "media": [to_json(one) for one in media]})
