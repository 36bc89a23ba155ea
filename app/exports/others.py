"""Exports in the formats of other tools: what ``formats`` writes, in a ZIP with a report of what it cannot hold."""

from __future__ import annotations

import hashlib
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from app.exports.archive import digest, entry, pictures
from app.exports.selection import Heard, Selection
from app.exports.table import table
from app.videos.images import Format, encode
from formats import dlc, lightning_pose, yolo
from formats.dataset import Dataset
from formats.errors import FormatError
from formats.losses import LOSSES
from formats.names import folder_names
from formats.registry import FORMATS, write
from pose.formats.coco import Written

#: What the report in the archive is called.
REPORT = "losses.json"

_DEFLATED = zipfile.ZIP_DEFLATED


class CannotHold(Exception):
    """The format can hold no such poses at all; the text says why."""


def write_archive(source: Selection, target: Path) -> tuple[dict[str, str], Written, dict[str, int]]:
    """Write an export in another format than COCO.

    Args:
        source: The poses.
        target: The ZIP to make.

    Returns:
        The digest of each file in it, counts, and what the format does not hold, see ``formats.losses.report``.

    Raises:
        CannotHold: The format has other joints, or needs what is not known.
        TooLarge: There are too many poses for one file.
        OSError: They cannot be written, as where the disk is full.
    """
    name = source.spec.format
    form = FORMATS[name]
    dataset, left_out = table(source)
    digests: dict[str, str] = {}
    with source.storage.scratch_folder() as folder, zipfile.ZipFile(target, "w", _DEFLATED) as archive:
        made = folder / f"poses{form.ending}"
        try:
            losses = write(dataset, name, made)
        except FormatError as error:
            raise CannotHold(f"{form.title} cannot hold this: {error.errors[0][1]}") from None
        files = sorted(file for file in made.rglob("*") if file.is_file()) if form.kind == "folder" else [made]
        for file in files:
            inside = file.relative_to(made if form.kind == "folder" else folder).as_posix()
            digests[inside] = digest(file, source.listen)
            with (
                file.open("rb") as data,
                archive.open(entry(inside, _DEFLATED), "w", force_zip64=True) as into,
            ):
                shutil.copyfileobj(data, Heard(into, source.listen))
        for inside, image in [(REPORT, _report(name, losses)), *_images(source, dataset)]:
            digests[inside] = hashlib.sha256(image).hexdigest()
            archive.writestr(entry(inside), image)
    shown = {*zip(dataset.video.tolist(), dataset.frame.tolist(), strict=True)}
    return digests, Written(len(dataset.videos), len(shown), len(dataset), left_out), losses


def _report(name: str, losses: dict[str, int]) -> bytes:
    told = {
        kind: {"count": count, "unit": LOSSES[kind].unit, "what": LOSSES[kind].what} for kind, count in losses.items()
    }
    return json.dumps({"format": name, "losses": told}, indent=1, sort_keys=True).encode() + b"\n"


def _images(source: Selection, dataset: Dataset) -> Iterator[tuple[str, bytes]]:
    """The frames with a pose, where readers of the format look for them."""
    if not source.spec.images:
        return
    folders = folder_names(video.name for video in dataset.videos)
    for (row, frames), folder in zip(source.frames, folders, strict=True):
        for frame, picture in pictures(source, row, frames):
            name, kind = _place(source.spec.format, folder, frame)
            yield name, encode(picture, kind)


def _place(name: str, folder: str, frame: int) -> tuple[str, Format]:
    if name == "yolo":
        return yolo.image(folder, frame), "jpeg"
    digits = lightning_pose.DIGITS if name == "lightning-pose" else dlc.DIGITS
    return f"{dlc.FOLDER}/{folder}/{dlc.picture(frame, digits)}", "png"
