"""Where the pixels of a data set's videos are, as far as its files say: video files, labelled pictures, crops."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

from formats import yaml_text
from formats.coco_media import images
from formats.dataset import Dataset
from formats.dlc import CONFIG, FOLDER
from formats.files import files_below
from formats.pictures import video_and_frame
from formats.slp_media import sources

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


@dataclass(frozen=True, kw_only=True)
class Media:
    """What is said of a video's pixels.

    Attributes:
        file: The video's file as the data set names it, often on another machine; empty where it does not.
        pictures: Pictures of frames, which are there, by frame.
        crop: x, y, width and height of the part of the video that pictures and labels are of; None for all of it.
    """

    file: str = ""
    pictures: Mapping[int, Path] = field(default_factory=lambda: MappingProxyType({}))
    crop: tuple[int, int, int, int] | None = None


def media_of(path: Path, name: str, dataset: Dataset, folder: Path) -> list[Media]:
    """What is said of each video.

    Args:
        path: File or folder that the data set was read from.
        name: Of its format.
        dataset: What was read.
        folder: Takes pictures that lie in the file itself.

    Raises:
        FormatError: A file cannot be read.
    """
    find = _FINDERS.get(name)
    return [Media() for _ in dataset.videos] if find is None else find(path, dataset, folder)


def _dlc(path: Path, dataset: Dataset, folder: Path) -> list[Media]:
    root = path if path.is_dir() else path.parent
    said = yaml_text.load(root / CONFIG) if (root / CONFIG).is_file() else {}
    sets = said.get("video_sets")
    cropped = yaml_text.said_true(said.get("cropping"))
    about: dict[str, tuple[str, object]] = {}
    for file, one in sets.items() if isinstance(sets, dict) else ():
        stem = PurePosixPath(str(file).replace("\\", "/")).stem
        about[stem] = (str(file), one.get("crop") if isinstance(one, dict) else None)
    found = []
    for video in dataset.videos:
        file, crop = about.get(video.name, ("", None))
        pictures = dict(_numbered(root, video.name))
        found.append(Media(file=file, pictures=pictures, crop=_crop(crop, said=cropped)))
    return found


def _numbered(root: Path, name: str) -> Iterator[tuple[int, Path]]:
    """The pictures of a video's folder; the last number of a name is the frame."""
    part = PurePosixPath(name)
    if part.is_absolute() or ".." in part.parts:
        return
    for place in (root / FOLDER / part, root / part, *([root] if root.name == name else ())):
        if place.is_dir():
            for file in sorted(place.iterdir()):
                digits = re.findall(r"[0-9]{1,15}", file.stem)
                if file.suffix.lower() in PICTURES and digits:
                    yield int(digits[-1]), file
            return


def _crop(text: object, *, said: bool) -> tuple[int, int, int, int] | None:
    """A crop ``x1, x2, y1, y2`` that does not begin in the corner, or that the project says it works with."""
    if not isinstance(text, str) or not re.fullmatch(r"\s*[0-9]{1,6}\s*(?:,\s*[0-9]{1,6}\s*){3}", text):
        return None
    left, right, top, bottom = (int(one) for one in text.split(","))
    inside = right > left and bottom > top
    return (left, top, right - left, bottom - top) if inside and (said or left or top) else None


def _yolo(path: Path, dataset: Dataset, folder: Path) -> list[Media]:
    root = (path if path.is_dir() else path.parent) / "images"
    pictures: dict[str, dict[int, Path]] = {}
    for file in files_below(root) if root.is_dir() else ():
        if file.suffix.lower() not in PICTURES:
            continue
        parts = file.relative_to(root).parts
        inner = parts[1:] if len(parts) > 1 and parts[0] in ("train", "val", "test") else parts
        video, frame = video_and_frame(str(PurePosixPath(*inner)))
        pictures.setdefault(video, {})[frame] = file
    return [Media(pictures=pictures.get(video.name, {})) for video in dataset.videos]


def _coco(path: Path, dataset: Dataset, folder: Path) -> list[Media]:
    found = images(path)
    return [Media(file=file, pictures=pictures) for file, pictures in found]


def _slp(path: Path, dataset: Dataset, folder: Path) -> list[Media]:
    return [Media(file=file, pictures=pictures) for file, pictures in sources(path, folder)]


_FINDERS: dict[str, Callable[[Path, Dataset, Path], list[Media]]] = {
    "dlc": _dlc,
    "lightning-pose": _dlc,
    "yolo": _yolo,
    "coco": _coco,
    "slp": _slp,
}


def to_json(media: Media) -> dict[str, Any]:
    """As JSON."""
    pictures = {str(frame): str(file) for frame, file in media.pictures.items()}
    return {"file": media.file, "pictures": pictures, "crop": media.crop}


def from_json(said: Mapping[str, Any]) -> Media:
    """From JSON."""
    pictures = {int(frame): Path(file) for frame, file in sorted(said["pictures"].items(), key=lambda one: int(one[0]))}
    return Media(file=said["file"], pictures=pictures, crop=None if said["crop"] is None else tuple(said["crop"]))
