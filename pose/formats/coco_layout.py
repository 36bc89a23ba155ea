"""The layout of a COCO keypoint file, decoded piece by piece so that a fault is named where it lies."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, Any, TypeVar

import msgspec

from pose.formats.not_json import non_finite

#: Coordinates beyond this are refused: float32 keeps two decimals up to 131 072 pixels.
MAX_COORDINATE = 100_000.0

#: No more faults than this are collected from one file.
MAX_FAULTS = 20

_LONGEST_NAME = 100

Id = Annotated[int, msgspec.Meta(ge=0, le=2**53)]

Row = TypeVar("Row", bound=msgspec.Struct)

Fault = tuple[str, str]


class CocoError(ValueError):
    """A file that cannot be read as COCO keypoints.

    Attributes:
        errors: Up to ``MAX_FAULTS`` pairs of a JSON pointer into the file and a sentence.
        pointer: The first of the pointers, such as ``/annotations/12/keypoints``; empty for the file as a whole.
    """

    def __init__(self, errors: Iterable[Fault]) -> None:
        self.errors = list(errors)[:MAX_FAULTS]
        self.pointer, sentence = self.errors[0]
        more = f" (and {len(self.errors) - 1} more)" if len(self.errors) > 1 else ""
        super().__init__(f"{self.pointer or 'the file'}: {sentence}{more}")


class Faults(list[Fault]):
    """Faults as they are found, the first ``MAX_FAULTS`` of them."""

    def add(self, pointer: str, sentence: str) -> None:
        """Note one."""
        if len(self) < MAX_FAULTS:
            self.append((pointer, sentence))

    def check(self) -> None:
        """Raise a ``CocoError`` where there are some."""
        if self:
            raise CocoError(self)


class Image(msgspec.Struct, gc=False):
    """One frame of a video. COCO requires the size and the file name, Posetween the frame index.

    ``id`` is a whole number once it is decoded; ``width`` and ``height`` are positive, or None where nothing is said.
    """

    id: Any
    file_name: str | None = None
    width: Any = None
    height: Any = None
    video_id: int | float | str | None = None
    frame_index: int | float | str | None = None
    absent_tracks: Any = None
    absent_keypoints: Any = None


class Category(msgspec.Struct, gc=False):
    """A skeleton. ``skeleton`` counts keypoints from 1; ``sigmas`` and ``swap`` are Posetween's, ``swap`` by name."""

    id: Any
    name: str | None = ""
    keypoints: list[str] = []
    skeleton: list[tuple[int, int]] | None = None
    sigmas: list[float] | None = None
    swap: list[tuple[str, str]] | None = None


class _Kind(msgspec.Struct, gc=False):
    """A category as far as everybody writes one: what has no keypoints may hold anything else."""

    id: Any
    name: Any = None
    keypoints: Any = None


class Document(msgspec.Struct):
    """The file; annotations stay undecoded, see ``rows``."""

    images: list[Image]
    annotations: list[msgspec.Raw]
    categories: list[Category]
    info: msgspec.Raw = msgspec.Raw(b"null")


class _File(msgspec.Struct):
    images: list[Image]
    annotations: list[msgspec.Raw]
    categories: list[msgspec.Raw]
    info: msgspec.Raw = msgspec.Raw(b"null")


def decode(data: bytes) -> Document:
    """Decode all but the annotations.

    Raises:
        CocoError: Not JSON, or not laid out as a COCO file.
    """
    try:
        file = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_File)
    except msgspec.ValidationError as error:
        raise CocoError([fault(error)]) from None
    except UnicodeDecodeError:
        raise CocoError([("", "not UTF-8 text")]) from None
    except RecursionError:
        raise CocoError([("", "nested too deep for a COCO file")]) from None
    except msgspec.DecodeError as error:
        raise CocoError(_not_a_number(data) or [("", f"not JSON: {error}")]) from None
    faults = Faults()
    categories = [_category(raw, f"/categories/{index}", faults) for index, raw in enumerate(file.categories)]
    for index, image in enumerate(file.images):
        image.id = whole_id(image.id, f"/images/{index}/id", faults)
        image.width, image.height = _extent(image.width), _extent(image.height)
        if isinstance(image.video_id, float):
            image.video_id = whole(image.video_id)
    faults.check()
    return Document(file.images, file.annotations, [one for one in categories if one is not None], file.info)


def whole(value: object) -> int | None:
    """The whole number that is meant by ``7``, ``7.0`` or ``"7"``; None for anything else, and beyond 2**53."""
    if type(value) is int:  # as almost all are
        return value if abs(value) <= 2**53 else None
    if isinstance(value, str):
        written = re.fullmatch(r"\s*(-?[0-9]{1,16})(?:\.0*)?\s*", value)
        value = int(written[1]) if written else None
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1:
        return None
    return int(value) if abs(value) <= 2**53 else None


def whole_id(value: object, pointer: str, faults: Faults) -> int:
    """An id that is meant by ``7``, ``7.0`` or ``"7"``; -1 with a fault for anything else."""
    number = whole(value)
    if number is not None and number >= 0:
        return number
    faults.add(pointer, f"{shown(value)} is no id; ids are whole numbers that count from 1")
    return -1


def shown(value: object, most: int = 60) -> str:
    """A value of a file as it stands in a sentence: not more than ``most`` characters of it."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 3]}..."


def counted(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count} {noun}{'s' * (count != 1)}"


def plain(name: str) -> str:
    """A name from a file without control characters and not over long; different names stay different."""
    short = " ".join("".join(letter if letter.isprintable() else " " for letter in name).split())
    if len(short) <= _LONGEST_NAME:
        return short
    return f"{short[: _LONGEST_NAME - 13]} {hashlib.sha256(name.encode()).hexdigest()[:12]}"


def _extent(value: object) -> int | float | None:
    number: object = value
    if isinstance(value, str):
        number = whole(value)
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    return number if 0 < number <= 2**53 else None


def _category(raw: msgspec.Raw, pointer: str, faults: Faults) -> Category | None:
    try:
        kind = msgspec.json.decode(raw, type=_Kind)
        number = whole_id(kind.id, f"{pointer}/id", faults)
        if kind.keypoints:
            category = msgspec.json.decode(raw, type=Category)
            category.id, category.name = number, category.name or ""
            return category
        return Category(number, kind.name if isinstance(kind.name, str) else "")
    except msgspec.ValidationError as error:
        below, sentence = fault(error)
        faults.add(pointer + below, sentence)
    except (msgspec.DecodeError, UnicodeDecodeError):
        faults.add(pointer, "not UTF-8 text")
    return None


def rows(raw: list[msgspec.Raw], kind: type[Row], pointer: str) -> Iterator[Row | Fault]:
    """Decode the elements of an array one by one: each as ``kind``, or the fault that prevents it."""
    decoder = msgspec.json.Decoder(kind)
    for index, element in enumerate(raw):
        try:
            yield decoder.decode(element)
        except msgspec.ValidationError as error:
            below, sentence = fault(error)
            yield f"{pointer}/{index}{below}", sentence
        except (msgspec.DecodeError, UnicodeDecodeError):
            yield f"{pointer}/{index}", "not UTF-8 text"


def fault(error: msgspec.ValidationError) -> Fault:
    """The pointer and the sentence in an error of msgspec, ``Expected `int`, got `str` - at `$.images[3].id```."""
    sentence, _, path = str(error).partition(" - at `$")
    pointer = re.sub(r"\.|\[", "/", path.rstrip("`").replace("]", ""))
    if missing := re.fullmatch(r"Object missing required field `(\w+)`", sentence):
        return f"{pointer}/{missing[1]}", "this field is missing"
    return pointer, sentence.replace("`", "").replace("Expected", "expected", 1)


def _not_a_number(data: bytes) -> list[Fault]:
    found = islice(non_finite(data), MAX_FAULTS)
    return [(pointer, f"{value} is not JSON; a point that is not known is written 0,0,0") for pointer, value in found]
