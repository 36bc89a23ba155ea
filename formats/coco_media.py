"""The pictures and video files that a COCO file names."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from formats.errors import FormatError
from formats.files import read_file
from pose.formats.coco_layout import CocoError, Faults, decode
from pose.formats.coco_videos import sequences_of


def images(path: Path) -> list[tuple[str, dict[int, Path]]]:
    """For each video or still, in the order of ``formats.coco.read``: its file, and its pictures that are there.

    Pictures are looked for where the file is, and in ``images`` beside it.

    Args:
        path: The COCO file.

    Raises:
        FormatError: It cannot be read.
    """
    data = read_file(path)
    try:
        document, faults = decode(data), Faults()
        sequences = sequences_of(data, document.images, faults)
        faults.check()
    except CocoError as error:
        raise FormatError(path, error.errors) from None
    found = []
    for sequence in sequences:
        pictures = {}
        for frame, image in sorted(sequence.images.items()):
            name = document.images[image].file_name or ""
            file = _there(path.parent, name)
            if file is not None:
                pictures[frame] = file
        found.append((sequence.file, pictures))
    return found


def _there(root: Path, name: str) -> Path | None:
    # That a name stays in its folder was checked with the file.
    places = (root / name, root / "images" / name, root / "images" / PurePosixPath(name).name) if name else ()
    return next((place for place in places if place.is_file()), None)
