"""Which frame of which video a picture is, by its name."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

#: Beginnings of names that say nothing of the video.
_PLAIN = {"", "frame", "img", "image"}


def video_and_frame(name: str) -> tuple[str, int]:
    """The video and frame that a picture's name tells: ``mouse/frame_000012.jpg`` is frame 12 of ``mouse``.

    The frame is the last number before the ending. What stands before it tells videos of a folder apart, unless it is
    a word such as ``frame``. A name without a number is a still, frame 0 of a video of its own.

    Args:
        name: With the folders that belong to it, parted by ``/``.
    """
    file = PurePosixPath(name)
    folder = "/".join(part for part in file.parts[:-1] if part not in ("/", ".", ".."))
    found = re.fullmatch(r"(.*?)([0-9]{1,15})[^0-9]*", file.stem, re.DOTALL)
    before = file.stem if found is None else found[1].strip("_-. ")
    if found is not None and before.lower() in _PLAIN:
        before = ""
    video = "/".join(part for part in (folder, before) if part) or "video"
    return video, 0 if found is None else int(found[2])


def picture(folder: str, frame: int, ending: str = ".jpg") -> str:
    """The name of a frame's picture, as in our COCO files."""
    return f"{folder}/frame_{frame:06d}{ending}"
