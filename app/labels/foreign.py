"""Labels that come in a format of another tool: read in a confined child, and passed on as the COCO file that they say.

What the child is given lies in a folder of its own: a file, or a ZIP with a project's folder.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Annotated, Literal

import numpy as np
from fastapi import Depends, Query

from app import disk, incoming
from app.errors import FieldProblem, Invalid, NoSpace, invalid
from app.exchange import reading
from app.exchange.task import Limits
from app.exports.schemas import Format
from app.storage import Storage
from formats.coco import write_stream
from formats.dataset import COLUMNS, Dataset
from formats.errors import FormatError
from formats.names import folder_name
from formats.registry import FORMATS
from pose.formats.coco_layout import counted

FileFormat = Literal[Format, "auto"]

#: What the child may: others wait for their turn, and what it writes is read into the memory of the API.
LIMITS = Limits(memory_bytes=4 * 2**30, file_bytes=512 * 2**20, cpu_seconds=60, seconds=240, niceness=10)

_SHOWN = 10  # names in a sentence
_ENDING = re.compile(r"\.[A-Za-z0-9]{1,10}")


@dataclass(frozen=True)
class Foreign:
    """How a body is read that is no COCO file of one video.

    Attributes:
        format: Its format; ``auto`` to tell it by what is in it.
        source: Which of its videos is meant; None for the one that is called as the video, or is there alone.
        filename: What the file is called.
    """

    format: FileFormat
    source: str | None
    filename: str


def _foreign(
    file_format: Annotated[
        FileFormat,
        Query(
            alias="format",
            description="Format of the body, see docs/formats.md: a file, or a ZIP of a project's folder; `auto` tells"
            " it by what is in it",
        ),
    ] = "coco",
    source: Annotated[
        str | None, Query(max_length=1000, description="Which video of the file is meant, where it has several")
    ] = None,
    filename: Annotated[
        str | None, Query(max_length=255, description="Name of the file, which some formats say the video by")
    ] = None,
) -> Foreign | None:
    if file_format != "coco":
        return Foreign(file_format, source, filename or "labels")
    for name, said in (("source", source), ("filename", filename)):
        if said is not None:
            raise invalid(f"/{name}", "this is about other formats; a COCO file is of one video", "query")
    return None


ForeignDep = Annotated[Foreign | None, Depends(_foreign)]


@dataclass(frozen=True, eq=False)
class Read:
    """What was read.

    Attributes:
        format: The format's title.
        dataset: The table.
    """

    format: str
    dataset: Dataset


@dataclass(frozen=True, eq=False)
class Piece:
    """What a file says of one video.

    Attributes:
        coco: As a COCO file.
        names: What its tracks are called, by number.
        warnings: What of the file is not in it.
    """

    coco: bytes
    names: dict[int, str]
    warnings: list[str]


def read(storage: Storage, body: bytes, foreign: Foreign) -> Read:
    """Read a body in a confined child.

    Raises:
        Invalid: It cannot be read; the sentences name the places in it.
        NoSpace: The disk has no room for it.
    """
    plain = PurePath(foreign.filename.replace("\\", "/").rpartition("/")[2])
    ending = plain.suffix if _ENDING.fullmatch(plain.suffix) else ""
    with storage.scratch_folder() as folder:
        if disk.room(folder) < len(body):
            raise NoSpace(disk.FULL)
        (folder / "in").mkdir()
        (folder / "out").mkdir()
        file = folder / "in" / f"{folder_name(plain.stem)}{ending}"
        with incoming.room():
            file.write_bytes(body)
        name = None if foreign.format == "auto" else foreign.format
        try:
            found = reading.read(file, name, folder / "out", media=False, limits=LIMITS)
        except FormatError as error:
            inside = error.path.relative_to(folder).parts[2:] if error.path.is_relative_to(folder) else ()
            where = "/".join(inside)
            fields = [
                FieldProblem(pointer="", detail=": ".join(filter(None, (where, place, sentence))))
                for place, sentence in error.errors
            ]
            raise Invalid(f"the file cannot be read: {fields[0].detail}", fields) from None
    return Read(FORMATS[found.format].title, found.dataset)


def piece(found: Read, foreign: Foreign, called: tuple[str, ...], size: tuple[int, int], most_points: int) -> Piece:
    """What a file says of a video.

    Args:
        found: The file.
        foreign: How it is read.
        called: What the video is called.
        size: Of the video, width and height: what a file that does not say is taken to be of.
        most_points: More are refused, unknown ones among them.

    Raises:
        Invalid: It has no such video, says too much of it, or nothing.
    """
    dataset = found.dataset
    number = _chosen(dataset, foreign, called)
    rows = dataset.rows_of(number)
    if (rows.stop - rows.start) * dataset.skeleton.size > most_points:
        raise invalid("", f"more than {most_points} points; send fewer frames at a time")
    about = dataset.videos[number]
    width, height = about.width or size[0], about.height or size[1]
    video = replace(about, name="video", width=width, height=height, num_frames=None)
    columns = {name: getattr(dataset, name)[rows] for name in COLUMNS if name not in ("video", "run")}
    alone = Dataset.of(dataset.skeleton, (video,), video=np.zeros(rows.stop - rows.start), **columns)
    stream = io.BytesIO()
    write_stream(alone, stream)
    warnings = [f"read as {found.format}: {counted(len(alone), 'pose')} of the video {about.name!r}"]
    if others := len(dataset.videos) - 1:
        names = _named(video.name for place, video in enumerate(dataset.videos) if place != number)
        warnings.append(f"{counted(others, 'other video')} of the file left out: {names}")
    return Piece(stream.getvalue(), dict(video.tracks), warnings)


def _chosen(dataset: Dataset, foreign: Foreign, called: tuple[str, ...]) -> int:
    names = [video.name for video in dataset.videos]
    if not names:
        raise invalid("", "the file has no video")
    if foreign.source is None and len(names) == 1:
        return 0
    wanted = [foreign.source] if foreign.source is not None else [*called]
    found = [place for place, name in enumerate(names) if name in wanted]
    if len(found) == 1:
        return found[0]
    raise invalid("/source", f"say which video of the file is meant; it has {_named(names)}", "query")


def _named(names: Iterable[str]) -> str:
    listed = [*names]
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(repr(name[:60]) for name in listed[:_SHOWN]) + more
