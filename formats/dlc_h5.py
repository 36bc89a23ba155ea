"""DeepLabCut's predictions in HDF5, ``VIDEODLC_….h5``: a table of pandas, read without pandas and without pickle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from formats.dlc_sheet import MAX_INDIVIDUALS
from formats.errors import refuse
from formats.hdf5 import Hdf5, read_hdf5
from formats.literals import LiteralError, read_literal
from pose.skeleton import MAX_KEYPOINTS

#: Where the table is.
GROUP = "df_with_missing"
TABLE = f"{GROUP}/table"

_COLUMNS, _BLOCK = "non_index_axes", "values_block_0"


@dataclass(frozen=True, eq=False)
class Predictions:
    """A table of predictions: ``F`` frames, ``S`` subjects, ``K`` keypoints.

    Attributes:
        path: The file.
        scorer: The network.
        individuals: ``S`` names; one that is empty where the table knows no individuals.
        keypoints: ``K`` names.
        frames: ``(F,)`` int64.
        values: ``(F, S, K, 3)`` float64 x, y and likelihood, NaN where nothing is known.
    """

    path: Path
    scorer: str
    individuals: tuple[str, ...]
    keypoints: tuple[str, ...]
    frames: np.ndarray
    values: np.ndarray


def read_predictions(path: Path) -> Predictions:
    """Read a file.

    Raises:
        FormatError: It cannot be read, or holds another table.
    """
    return read_hdf5(path, _read)


def _read(file: Hdf5) -> Predictions:
    if not file.has(TABLE):
        raise refuse(file.path, TABLE, "this is missing: it is no table of DeepLabCut")
    columns = _columns(file)
    rows = file.array(TABLE)
    names = rows.dtype.names or ()
    if "index" not in names or _BLOCK not in names or rows["index"].dtype.kind not in "iu":
        raise refuse(file.path, TABLE, "its lines are no frames: labels are read from their CollectedData….csv")
    block = rows[_BLOCK].reshape(len(rows), -1)
    if block.shape[1] != len(columns) or block.dtype.kind != "f":
        raise refuse(file.path, TABLE, f"{block.shape[1]} columns of numbers and {len(columns)} names of columns")
    individuals = tuple(dict.fromkeys(column[1] for column in columns))
    keypoints = tuple(dict.fromkeys(column[2] for column in columns))
    if len(keypoints) > MAX_KEYPOINTS or len(individuals) > MAX_INDIVIDUALS:
        raise refuse(file.path, TABLE, f"{len(keypoints)} keypoints of {len(individuals)} individuals")
    values = np.full((len(rows), len(individuals), len(keypoints), 3), np.nan)
    places = [(individuals.index(one), keypoints.index(point), axis) for _, one, point, axis in columns]
    if len({*places}) < len(places):
        raise refuse(file.path, TABLE, "a column stands there twice")
    for column, place in enumerate(places):
        values[:, place[0], place[1], place[2]] = block[:, column]
    return Predictions(file.path, columns[0][0], individuals, keypoints, rows["index"].astype(np.int64), values)


def _columns(file: Hdf5) -> list[tuple[str, str, str, int]]:
    """Scorer, individual, keypoint and axis of each column."""
    said = file.attribute(GROUP, _COLUMNS)
    try:
        ((_, listed),) = read_literal(said if isinstance(said, bytes) else bytes(said or b""))
        found = [_column(one) for one in listed]
    except (LiteralError, ValueError, TypeError):
        sentence = "these are no names of columns as DeepLabCut writes them"
        raise refuse(file.path, f"{GROUP} {_COLUMNS}", sentence) from None
    if not found:
        raise refuse(file.path, f"{GROUP} {_COLUMNS}", "there is no column")
    return found


def _column(one: Any) -> tuple[str, str, str, int]:
    parts: Sequence[Any] = one if isinstance(one, tuple) else ()
    if len(parts) not in (3, 4) or not all(isinstance(part, str) for part in parts):
        raise ValueError("no column")
    axis = ("x", "y", "likelihood").index(parts[-1])
    return parts[0], parts[1] if len(parts) == 4 else "", parts[-2], axis
