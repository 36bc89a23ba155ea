"""Rows as a reader finds them one by one, each with its place in the file."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from formats.dataset import Dataset, RowError, Video
from formats.errors import refuse
from pose.skeleton import Skeleton

#: Points, unknown ones among them, that a file may hold: more would not fit into the memory of a small machine.
MAX_POINTS = 200_000_000


class Rows:
    """Rows that grow with the file, so that a few bytes of it ask for little memory.

    Args:
        path: The file.
        size: ``K`` keypoints.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self._keys = {name: array("q") for name in ("video", "frame", "track")}
        self._points = array("d")
        self._absent = array("B")
        self._scores = array("d")
        self._human = array("B")
        self._places: list[str] = []

    def __len__(self) -> int:
        return len(self._places)

    def add(
        self,
        place: str,
        video: int,
        frame: int,
        track: int,
        points: Sequence[float],
        *,
        absent: Sequence[bool] | None = None,
        scores: Sequence[float] | None = None,
        human: bool | Sequence[bool] = True,
    ) -> None:
        """Add one.

        Args:
            place: Where it stands in the file, for the error that it may give.
            video: Index of the video.
            frame: From 0.
            track: From 1.
            points: ``3 K`` numbers: x, y, visibility of each keypoint.
            absent: ``K``; None where no point is.
            scores: ``K``; None where they are not known, or people made the points.
            human: Whether a person made the points, or ``K`` of it.

        Raises:
            FormatError: The file holds too many.
        """
        size = self._size
        if len(self._absent) + size > MAX_POINTS:
            raise refuse(self._path, place, f"more than {MAX_POINTS} points are too many for one file")
        for name, value in (("video", video), ("frame", frame), ("track", track)):
            # What no column can hold is out of its range all the same.
            self._keys[name].append(value if abs(value) < 2**62 else -1)
        self._points.extend(points)
        self._absent.extend(absent if absent is not None else bytes(size))
        self._scores.extend(scores if scores is not None else [0.0] * size)
        self._human.extend([human] * size if isinstance(human, bool) else human)
        self._places.append(place)

    def dataset(self, skeleton: Skeleton, videos: tuple[Video, ...]) -> Dataset:
        """The table.

        Raises:
            FormatError: A row is out of its range or there twice.
        """
        count = len(self)
        points = np.array(self._points).reshape(count, self._size, 3)
        with np.errstate(over="ignore", invalid="ignore"):  # what does not fit is refused as what it becomes
            columns = {
                **{name: np.array(values, dtype=np.int64) for name, values in self._keys.items()},
                "xy": points[..., :2].astype(np.float32),
                "visibility": np.where(np.isin(points[..., 2], (0, 1, 2)), points[..., 2], 3).astype(np.uint8),
                "absent": np.array(self._absent, dtype=bool).reshape(count, self._size),
                "score": np.array(self._scores, dtype=np.float32).reshape(count, self._size),
                "human": np.array(self._human, dtype=bool).reshape(count, self._size),
            }
        try:
            return Dataset.of(skeleton, videos, **columns)
        except RowError as error:
            place = "" if error.row is None else self._places[error.row]
            raise refuse(self._path, place, error.sentence) from None
