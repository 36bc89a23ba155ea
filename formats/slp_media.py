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
    for number, text in enumerate(file.texts("videos_json")):
        said = json.loads(decoded(text))
        source = source_of(file, said)
        name = source.get("filename") or source.get("backend", {}).get("filename") or ""
        pictures = _embedded(file, said, number, folder)
        if isinstance(name, list):
            pictures = pictures or _listed(file.path.parent, name)
            name = ""
        found.append((str(name) if name != "." else "", pictures))
    return found


def _embedded(file: Hdf5, said: dict[str, Any], number: int, folder: Path) -> dict[int, Path]:
    name = str(said.get("backend", {}).get("dataset") or "")
    numbers = f"{name.partition('/')[0]}/frame_numbers"
    if not name or not file.has(name) or not file.has(numbers):
        return {}
    pictures = {}
    frames = file.array(numbers).reshape(-1).tolist()
    for frame, data in zip(frames, file.blobs(name), strict=False):
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
        inside = [] if part.is_absolute() or ".." in part.parts else [root / part]
        places = [*inside, root / part.parent.name / part.name, root / part.name]
        file = next((place for place in places if place.is_file()), None)
        if file is not None:
            found[frame] = file
    return found
