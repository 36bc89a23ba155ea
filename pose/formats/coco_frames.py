"""Which frame of the video each image of a COCO file is, and at which size it was labelled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import re2

from pose.formats.coco_layout import MAX_COORDINATE, Faults, Image, counted, shown, whole

#: Longer patterns are refused.
MAX_PATTERN = 200

_LONGEST_FILE_NAME, _FILE_NAME_SHOWN = 1000, 200
_LAST_FRAME = 2**31


class PatternError(ValueError):
    """A pattern for file names that cannot be used; the text says why."""


@dataclass(frozen=True)
class Numbering:
    """The rule by which images tell their frame index.

    Attributes:
        source: ``field`` for ``frame_index``, ``file_name`` for a number in the file name.
        pattern: Regular expression, in RE2's syntax, that is searched for in the whole file name; its one group is the
            number. None for the last digits before the ending.
        offset: Number that the first frame of the video has. None for 0, or for 1 where the numbers run from 1 to the
            video's length.
    """

    source: Literal["field", "file_name"] = "field"
    pattern: str | None = None
    offset: int | None = None


BY_FIELD = Numbering()


@dataclass(frozen=True, eq=False)
class ImageFrames:
    """The frames that images are.

    Attributes:
        indices: ``(I,)`` int64 frame of each image, from 0; -1 where a fault was found.
        offset: Number that the first frame of the video was taken to have.
    """

    indices: np.ndarray
    offset: int


def frames_of(
    images: Sequence[Image], numbering: Numbering, num_frames: int | None, faults: Faults, warnings: list[str]
) -> ImageFrames:
    """Find the frame of each image.

    Args:
        images: ``I`` images.
        numbering: Where they say it.
        num_frames: Length of the video; None where it is not known.
        faults: Takes images of other videos, without a frame, outside the video, or of the same frame as another.
        warnings: Takes sentences on what the numbers may mean otherwise.

    Raises:
        PatternError: The pattern is none.
    """
    numbers = _from_names(images, numbering.pattern, faults) if numbering.source == "file_name" else None
    if numbers is None:
        numbers, offset = _from_fields(images, faults), numbering.offset or 0
    else:
        if numbering.pattern is None:
            _compare_names(images, numbers, warnings)
        offset = _offset(images, numbers, numbering.offset, num_frames, warnings)
        _compare_fields(images, numbers, offset, warnings)
    return ImageFrames(_checked(images, numbers, offset, numbering.source, num_frames, faults), offset)


def scales_of(
    images: Sequence[Image],
    size: tuple[int, int] | None,
    scale: Literal["refuse", "fit"],
    faults: Faults,
    warnings: list[str],
) -> np.ndarray:
    """``(I, 2)`` what the x and y of each image are multiplied by to be pixels of the video.

    Args:
        images: ``I`` images.
        size: Width and height of the video; None where they are not known.
        scale: What happens to images of another size: they are faults, or scaled with a warning. An image that does not
            say its size is taken to have the video's.
        faults: Takes those images.
        warnings: Takes sentences on what is scaled.
    """
    scales = np.ones((len(images), 2))
    if size is None:
        return scales
    scaled: dict[tuple[float, float], int] = {}
    for index, image in enumerate(images):
        said = image.width, image.height
        if all(mine is None or mine == its for mine, its in zip(said, size, strict=True)):
            continue
        pixels = f"{said[0] or '?'} x {said[1] or '?'} pixels"
        side = "width" if said[0] not in (None, size[0]) else "height"
        if scale == "refuse":
            sentence = (
                f"labelled on {pixels}, but the video shows {size[0]} x {size[1]}; scale=fit scales the coordinates"
            )
            faults.add(f"/images/{index}/{side}", sentence)
        elif said[0] is None or said[1] is None:
            missing = "height" if said[1] is None else "width"
            faults.add(f"/images/{index}/{missing}", "missing, so that coordinates cannot be scaled to the video")
        else:
            scales[index] = size[0] / said[0], size[1] / said[1]
            scaled[said[0], said[1]] = scaled.get((said[0], said[1]), 0) + 1
    for (width, height), count in [*scaled.items()][:_SIZES_TOLD]:
        stretched = abs((size[0] / width) / (size[1] / height) - 1) > _SAME_SHAPE
        warnings.append(
            f"coordinates on {counted(count, 'image')} of {width:g} x {height:g} pixels are scaled to "
            f"the video's {size[0]} x {size[1]}"
            + (", which has another shape: they are stretched" if stretched else "")
        )
    if len(scaled) > _SIZES_TOLD:
        warnings.append(f"coordinates on images of {len(scaled) - _SIZES_TOLD} more sizes are scaled to the video's")
    return scales


#: Sizes of which a warning tells, and how much the ratio of two sizes' sides may differ by rounding.
_SIZES_TOLD, _SAME_SHAPE = 10, 0.02


def rescaled(xy: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Coordinates of one image in pixels of another, pixel centres at integers in both.

    Args:
        xy: ``(..., 2)`` pixels.
        scales: Broadcasts to ``xy``: size of the other image over that of the first.
    """
    # Adding zero turns -0.0 into 0.0.
    moved: np.ndarray = np.where(
        scales == 1, xy, np.clip((xy + 0.5) * scales - 0.5, -MAX_COORDINATE, MAX_COORDINATE) + 0.0
    )
    return moved


def _from_fields(images: Sequence[Image], faults: Faults) -> list[int | None]:
    numbers = []
    for index, image in enumerate(images):
        number = whole(image.frame_index)
        if number is None:
            sentence = (
                "missing; it says which frame of the video this is, counted from 0. "
                "frame_from=file_name reads it from the file name"
                if image.frame_index is None
                else f"{shown(image.frame_index)} is no frame; they are whole numbers that count from 0"
            )
            faults.add(f"/images/{index}/frame_index", sentence)
        numbers.append(number)
    return numbers


def _from_names(images: Sequence[Image], pattern: str | None, faults: Faults) -> list[int | None]:
    search = None if pattern is None else _compiled(pattern)
    numbers: list[int | None] = []
    for index, image in enumerate(images):
        name, named = (image.file_name or "").replace("\\", "/"), shown(image.file_name, _FILE_NAME_SHOWN)
        found: list[str] = []
        sentence = ""
        if not name:
            sentence = "missing; frame_from=file_name reads the frame from it"
        elif len(name) > _LONGEST_FILE_NAME:
            sentence = "too long for a file name"
        elif search is None:
            # The ending may hold a digit (.jp2), and so may folders.
            found = re.findall(r"[0-9]+", _stem(name))[-1:]
            sentence = "" if found else f"{named} has no number"
        else:
            found = [match.group(1) or "" for match in search.finditer(name)]
            if not found:
                sentence = f"the pattern matches nothing in {named}"
            elif len(found) > 1:
                several = ", ".join(found[:5])[:80]
                sentence = f"the pattern matches {len(found)} times in {named}: {several}"
        number = int(found[0]) if not sentence and re.fullmatch(r"[0-9]{1,15}", found[0]) else None
        if number is None:
            sentence = sentence or f"{shown(found[0])} in {named} is no frame number"
            faults.add(f"/images/{index}/file_name", sentence)
        numbers.append(number)
    return numbers


def _compare_names(images: Sequence[Image], numbers: Sequence[int | None], warnings: list[str]) -> None:
    """Tell of names of which the last digits may be no frame: random ones, those of a copy, of a camera."""
    first = ""
    for image, number in zip(images, numbers, strict=True):
        if number is None:
            continue
        name = (image.file_name or "").replace("\\", "/")
        folder, slash, base = name.rpartition("/")
        stem = _stem(name)
        *_, last = re.finditer(r"[0-9]+", stem)
        around = f"{folder}{slash}{stem[: last.start()]}#{stem[last.end() :]}{base[len(stem) :]}"
        first = first or around
        if around != first:
            one, other = (shown(text, _FILE_NAME_SHOWN) for text in (images[0].file_name, image.file_name))
            warnings.append(
                f"file names differ in more than their last digits, such as {one} and {other}; "
                "frame_pattern says which digits are the frame"
            )
            return


def _stem(name: str) -> str:
    base = name.rpartition("/")[2]
    stem, dot, ending = base.rpartition(".")
    return base if not dot or ending.isdigit() else stem


def _compiled(pattern: str) -> re2._Regexp:
    options = re2.Options()
    options.log_errors = False
    if len(pattern) > MAX_PATTERN:
        raise PatternError(f"longer than {MAX_PATTERN} characters")
    try:
        compiled = re2.compile(pattern, options)
    except (re2.error, UnicodeError) as error:
        said = error.args[0] if error.args else ""
        raise PatternError(f"not a regular expression: {said.decode() if isinstance(said, bytes) else said}") from None
    if compiled.groups != 1:
        raise PatternError(f"{compiled.groups} groups; the frame number is the one group, as in frame_([0-9]+)")
    return compiled


def _offset(
    images: Sequence[Image],
    numbers: Sequence[int | None],
    given: int | None,
    num_frames: int | None,
    warnings: list[str],
) -> int:
    known = [number for number in numbers if number is not None]
    if given is not None or not known:
        return given or 0
    lowest = min(known)
    name = images[numbers.index(lowest)].file_name
    if lowest >= 1 and max(known) == num_frames:
        warnings.append(
            f"the numbers in the file names are taken to count from 1, since they end with {num_frames} and the video "
            f"has as many frames: {shown(name)} is frame {lowest - 1}"
        )
        return 1
    if lowest == 1:
        warnings.append(
            f"the numbers in the file names are taken to count from 0, so that {shown(name)} is frame 1; "
            "say frame_offset=1 if they count from 1"
        )
    return 0


def _compare_fields(images: Sequence[Image], numbers: Sequence[int | None], offset: int, warnings: list[str]) -> None:
    other = [
        index
        for index, (image, number) in enumerate(zip(images, numbers, strict=True))
        if number is not None and whole(image.frame_index) not in (None, number - offset)
    ]
    if other:
        warnings.append(
            f"{counted(len(other), 'image')} with a frame_index other than the number in the file name, the first at "
            f"/images/{other[0]}; the file name is taken"
        )


def _checked(
    images: Sequence[Image],
    numbers: Sequence[int | None],
    offset: int,
    source: Literal["field", "file_name"],
    num_frames: int | None,
    faults: Faults,
) -> np.ndarray:
    frames = np.full(len(images), -1, dtype=np.int64)
    field = "frame_index" if source == "field" else "file_name"
    image_of: dict[int, int] = {}
    ids: set[int] = set()
    stop = _LAST_FRAME if num_frames is None else num_frames
    for index, (image, number) in enumerate(zip(images, numbers, strict=True)):
        pointer = f"/images/{index}"
        if image.video_id != images[0].video_id:
            first = shown(images[0].video_id)
            sentence = f"video {shown(image.video_id)} after video {first}: a file holds the poses of one video"
            faults.add(f"{pointer}/video_id", sentence)
        if image.id in ids:
            faults.add(f"{pointer}/id", f"image {image.id} stands there twice")
        ids.add(image.id)
        if number is None:
            continue
        frame = number - offset
        named = (
            f"frame {frame}" if source == "field" else f"frame {frame} of {shown(image.file_name, _FILE_NAME_SHOWN)}"
        )
        if not 0 <= frame < stop:
            hint = "" if source == "field" else "; frame_offset is the number that the first frame has"
            faults.add(f"{pointer}/{field}", f"{named} is not in the video, which has frames 0 to {stop - 1}{hint}")
        elif frame in image_of:
            faults.add(f"{pointer}/{field}", f"{named} is image {image_of[frame]} already")
        else:
            image_of[frame] = image.id
            frames[index] = frame
    return frames
