"""The tables of DeepLabCut and Lightning Pose: three or four header rows, then a picture or frame a line."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from formats.errors import FormatError, refuse
from formats.files import read_text
from pose.skeleton import MAX_KEYPOINTS

_HEADS = ("scorer", "individuals", "bodyparts", "coords")
_COORDS = ("x", "y", "likelihood", "visible")
_MISSING = {"", "nan", "none", "null"}
MAX_INDIVIDUALS = 10_000


@dataclass(frozen=True)
class Line:
    """One line of a table.

    Attributes:
        place: Where it stands.
        index: What it is about, the parts joined by ``/``: a picture, or a number.
        cells: All of its cells.
    """

    place: str
    index: str
    cells: list[str]


@dataclass(frozen=True)
class Sheet:
    """A table whose header is read.

    Attributes:
        path: The file.
        scorer: Who or what made it.
        individuals: Names of the subjects; one that is empty where the table knows no individuals.
        keypoints: Names, in the order of the columns.
        columns: By individual and keypoint, the column of each of ``x``, ``y``, ``likelihood`` and ``visible`` there.
        lines: The rest, as it is read.
    """

    path: Path
    scorer: str
    individuals: tuple[str, ...]
    keypoints: tuple[str, ...]
    columns: dict[tuple[str, str], dict[str, int]]
    lines: Iterator[Line]

    def points(self, line: Line, individual: str, keypoints: Sequence[str]) -> list[tuple[float, float, float, float]]:
        """x, y, visibility and likelihood of each keypoint; a likelihood that the table lacks is 1.

        Raises:
            FormatError: A cell is no number.
        """
        found = []
        for keypoint in keypoints:
            columns = self.columns.get((individual, keypoint))
            if columns is None:
                found.append((0.0, 0.0, 0.0, 0.0))
                continue
            x, y = (self._number(line, columns.get(axis), f"{keypoint} {axis}") for axis in ("x", "y"))
            likelihood = self._number(line, columns.get("likelihood"), f"{keypoint} likelihood")
            visible = self._number(line, columns.get("visible"), f"{keypoint} visible")
            if (x is None) != (y is None):
                raise refuse(self.path, line.place, f"{keypoint} has an x or a y alone")
            if visible not in (None, 0, 1, 2):
                raise refuse(self.path, line.place, f"{keypoint} visible is {visible:g}, not 0, 1 or 2")
            known = 0.0 if x is None else 2.0 if visible is None else visible
            found.append((x or 0.0, y or 0.0, known, 1.0 if likelihood is None else likelihood))
        return found

    def _number(self, line: Line, column: int | None, name: str) -> float | None:
        text = "" if column is None or column >= len(line.cells) else line.cells[column].strip()
        if text.lower() in _MISSING:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise refuse(self.path, line.place, f"{name} is {text[:40]!r}, no number")
        return value


def read_sheet(path: Path) -> Sheet:
    """Read the header of a table.

    Raises:
        FormatError: It is no such table.
    """
    lines = _lines(path)
    heads: dict[str, list[str]] = {}
    for place, cells in lines:
        head = cells[0].strip().lower() if cells else ""
        if head not in _HEADS or head in heads:
            raise refuse(path, place, f"the header has {head[:40]!r} where it has {', '.join(_HEADS)} line by line")
        heads[head] = [cell.strip() if head == "coords" else cell for cell in cells]
        if head == "coords":
            break
    if "coords" not in heads or "bodyparts" not in heads or "scorer" not in heads:
        raise refuse(path, "line 1", "this is no table of DeepLabCut: it begins with scorer, bodyparts and coords")
    return _sheet(path, heads, lines)


def _sheet(path: Path, heads: dict[str, list[str]], lines: Iterator[tuple[str, list[str]]]) -> Sheet:
    coords = heads["coords"]
    width = next((place for place, cell in enumerate(coords) if place and cell), len(coords))
    columns: dict[tuple[str, str], dict[str, int]] = {}
    for place in range(width, len(coords)):
        cells = {name: row[place] if place < len(row) else "" for name, row in heads.items()}
        individual, keypoint, coord = cells.get("individuals", ""), cells["bodyparts"], cells["coords"]
        where = f"column {place + 1}"
        if coord not in _COORDS:
            raise refuse(path, where, f"coords has {coord[:40]!r}, not x, y, likelihood or visible")
        if not keypoint.strip():
            raise refuse(path, where, "bodyparts has no name here")
        part = columns.setdefault((individual, keypoint), {})
        if coord in part:
            raise refuse(path, where, f"{coord} of {keypoint!r} stands there twice")
        part[coord] = place
    for (_, keypoint), part in columns.items():
        if "x" not in part or "y" not in part:
            raise refuse(path, f"column {min(part.values()) + 1}", f"{keypoint!r} has no x and y")
    individuals = tuple(dict.fromkeys(individual for individual, _ in columns))
    keypoints = tuple(dict.fromkeys(keypoint for _, keypoint in columns))
    if not keypoints or len(keypoints) > MAX_KEYPOINTS or len(individuals) > MAX_INDIVIDUALS:
        raise refuse(path, "coords", f"{len(keypoints)} keypoints of {len(individuals)} individuals")
    scorer = heads["scorer"][width] if len(heads["scorer"]) > width else ""
    return Sheet(path, scorer, individuals, keypoints, columns, _rest(lines, width))


def _rest(lines: Iterator[tuple[str, list[str]]], width: int) -> Iterator[Line]:
    for place, cells in lines:
        parts = [cell.replace("\\", "/").strip("/") for cell in cells[:width]]
        yield Line(place, "/".join(part for part in parts if part), cells)


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Each line that is not empty, with its place."""
    reader = csv.reader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield f"line {reader.line_num}", cells
    except csv.Error as error:
        raise FormatError(path, [(f"line {reader.line_num}", f"not a table: {error}")]) from None


def write_sheet(heads: Sequence[Sequence[str]], lines: Iterator[list[str]]) -> str:
    """A table as text, with plain line ends."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerows(heads)
    writer.writerows(lines)
    return stream.getvalue()


def header(
    scorer: str, individuals: Sequence[str] | None, keypoints: Sequence[str], coords: Sequence[str], index: int
) -> list[list[str]]:
    """The header rows.

    Args:
        scorer: Who or what made it.
        individuals: None for a table that knows none.
        keypoints: In their order.
        coords: Of each keypoint.
        index: Cells of a line that say what it is about.
    """
    subjects = [""] if individuals is None else individuals
    columns = [(scorer, subject, point, coord) for subject in subjects for point in keypoints for coord in coords]
    rows = []
    for place, head in enumerate(_HEADS):
        if head != "individuals" or individuals is not None:
            rows.append([head, *[""] * (index - 1), *(column[place] for column in columns)])
    return rows


def texts(values: np.ndarray) -> np.ndarray:
    """float32 numbers in the fewest digits that tell them apart, an array of strings of the same shape."""
    return np.asarray(values, dtype=np.float32).astype("U32")
