"""The videos that a SLEAP project names, and the pictures that a package holds."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from formats.errors import refuse
from formats.hdf5 import Hdf5, decoded, read_hdf5
from formats.slp import source_of

_MAGIC = {b"\x89PNG": ".png", b"\xff\xd8\xff": ".jpg"}


def sources(path: Path, folder: Path) -> list[tuple[str, dict[int, Path]]]:
    """For each video, in the order of ``formats.slp.read``: its file, and its pictures by frame.

    Args:
        path: The project.
        folder: Takes the pictures of a package, one file each.

    Raises:
        FormatError: It cannot be read.
    """
    return read_hdf5(path, partial(_sources, folder))


def _sources(folder: Path, file: Hdf5) -> list[tuple[str, dict[int, Path]]]:
    found = []
    room = _Room(file.path, 2 * file.path.stat().st_size)
    for number, text in enumerate(file.texts("videos_json")):
        said = json.loads(decoded(text))
        source = source_of(file, said)
        name = source.get("filename") or source.get("backend", {}).get("filename") or ""
        pictures = _embedded(file, said, number, folder, room)
        if isinstance(name, list):
            pictures = pictures or _listed(file.path.parent, name)
            name = ""
        found.append((str(name) if name != "." else "", pictures))
    return found


class _Room:
    """What the pictures of a package may take together: a small file shall not fill a disk.

    Args:
        path: The package.
        left: Bytes.
    """

    def __init__(self, path: Path, left: int) -> None:
        self._path = path
        self._left = left

    def take(self, count: int) -> None:
        """Take some.

        Raises:
            FormatError: There is not so much.
        """
        self._left -= count
        if self._left < 0:
            raise refuse(self._path, "", "its pictures take more than twice the room of the file itself")


def _embedded(file: Hdf5, said: dict[str, Any], number: int, folder: Path, room: _Room) -> dict[int, Path]:
    name = str(said.get("backend", {}).get("dataset") or "")
    numbers = f"{name.partition('/')[0]}/frame_numbers"
    if not name or not file.has(name) or not file.has(numbers):
        return {}
    pictures = {}
    frames = file.array(numbers).reshape(-1).tolist()
    for frame, padded in zip(frames, file.blobs(name), strict=False):
        data = padded.rstrip(b"\0")  # neither PNG nor JPEG ends in zeros
        room.take(len(data))
        ending = next((ending for magic, ending in _MAGIC.items() if data.startswith(magic)), None)
        if ending is None:
            raise refuse(
                file.path, name, "the pictures are neither PNG nor JPEG; save the package with pictures of these"
            )
        target = folder / f"video{number}-frame{int(frame)}{ending}"
        target.write_bytes(data)
        pictures[int(frame)] = target
    return pictures


def _listed(root: Path, names: list[Any]) -> dict[int, Path]:
    """Pictures that a video is a list of: those that are in the project's folder, whatever theirs was called."""
    found = {}
    for frame, name in enumerate(names):
        part = PurePosixPath(str(name).replace("\\", "/"))
        places = [part, PurePosixPath(part.parent.name, part.name), PurePosixPath(part.name)]
        inside = [root / place for place in places if not place.is_absolute() and ".." not in place.parts]
        file = next((place for place in inside if place.is_file()), None)
        if file is not None:
            found[frame] = file
    return found
