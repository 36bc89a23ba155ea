"""CVAT's XML 1.1: skeletons in tracks, with ``outside``, ``occluded`` and ``keyframe``; also in images.

What a person set is a keyframe; the frames between are CVAT's own, and are read as a machine's points of which nobody
knows how good they are. An element that is outside of the frame is absent. Of a keypoint of which nothing is known
nothing is written on that frame, so that CVAT shows it where it interpolates it to be.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from formats.cvat_labels import Label, Labels, label_lines
from formats.dataset import Dataset, Video
from formats.dlc_sheet import texts
from formats.errors import refuse
from formats.rows import MAX_POINTS, Rows
from formats.xml_text import XmlFile, allowed, tag

LOSES = ("retired", "machine", "track_names", "empty_frames", "swap", "sigmas")

#: Kinds of points in a file.
_HIDDEN, _SEEN, _OUTSIDE, _BETWEEN_HIDDEN, _BETWEEN_SEEN = 1, 2, 3, 4, 5


def read(path: Path) -> Dataset:
    """Read a file of a task, of a job or of a project.

    Args:
        path: The file.

    Raises:
        FormatError: It cannot be read.
    """
    file = XmlFile(path)
    reading = _Reading(file)
    file.read(reading.start, reading.end)
    if not reading.is_cvat:
        raise refuse(path, "line 1", "this is not CVAT's: it does not begin with annotations")
    return reading.dataset()


@dataclass
class _Task:
    """A task, which is a video."""

    name: str = ""
    width: int | None = None
    height: int | None = None
    size: int | None = None


@dataclass
class _Subjects:
    """Skeletons on frames as they come; the points of one are those up to its ``ends``."""

    task: list[str] = field(default_factory=list)
    frame: array[int] = field(default_factory=lambda: array("q"))
    track: array[int] = field(default_factory=lambda: array("q"))
    ends: array[int] = field(default_factory=lambda: array("q"))
    places: list[str] = field(default_factory=list)
    columns: array[int] = field(default_factory=lambda: array("i"))
    xy: array[float] = field(default_factory=lambda: array("d"))
    kinds: array[int] = field(default_factory=lambda: array("B"))


class _Reading:
    """What is known of a file so far."""

    def __init__(self, file: XmlFile) -> None:
        self._file = file
        self._labels = Labels()
        self._tasks: dict[str, _Task] = {}
        self._task = _Task()
        self._task_id = ""
        self._from_cvat = False
        self._subjects = _Subjects()
        self._owner: dict[str, str] = {}
        self._track = 0
        self._in_image = 0
        self._keyframe = True
        self.is_cvat = False

    def start(self, name: str, around: list[str], attributes: dict[str, str]) -> None:
        """An element begins."""
        if not around:
            self.is_cvat = name == "annotations"
        elif name == "task" and "meta" in around:
            self._task, self._task_id = _Task(), ""
        elif name == "label" and around[-1] == "labels":
            self._labels.listed.append(Label())
        elif name == "track" and len(around) == 1:
            self._owner, self._track = attributes, self._number(attributes, "id")
        elif name == "image" and len(around) == 1:
            self._owner, self._in_image = attributes, 0
            task = self._task_of(attributes)
            for side in ("width", "height"):
                if getattr(task, side) is None and attributes.get(side, "").isdecimal():
                    setattr(task, side, int(attributes[side][:9]) or None)
        elif name == "skeleton" and around[-1] in ("track", "image"):
            self._skeleton(around[-1], attributes)
        elif name == "points" and around[-1] == "skeleton":
            self._point(attributes)

    def end(self, name: str, around: list[str], text: str) -> None:
        """An element ends."""
        within = around[-1] if around else ""
        if "meta" in around:
            self._head(name, within, around, text if name in ("name", "parent") else text.strip())
        elif name == "skeleton" and within in ("track", "image"):
            self._subjects.ends.append(len(self._subjects.kinds))

    def _head(self, name: str, within: str, around: list[str], text: str) -> None:
        if within == "label" and name in ("name", "type", "parent", "svg"):
            setattr(self._labels.listed[-1], name, text)
        elif within == "task" and name == "name":
            self._task.name = text
        elif within in ("task", "job") and name in ("id", "size"):
            if name == "id":
                self._task_id = text
            elif text.isascii() and text.isdigit():
                self._task.size = int(text[:9]) or None
        elif within == "original_size" and name in ("width", "height") and text.isascii() and text.isdigit():
            setattr(self._task, name, int(text[:9]) or None)
        elif name == "dumped":
            self._from_cvat = True
        elif name in ("task", "job"):
            self._tasks[self._task_id] = self._task

    def _task_of(self, attributes: dict[str, str]) -> _Task:
        return self._tasks.setdefault(self._key(attributes), self._task if not self._tasks else _Task())

    def _key(self, attributes: dict[str, str]) -> str:
        said = attributes.get("task_id")
        return said if said is not None else next(iter(self._tasks), "")

    def _skeleton(self, within: str, attributes: dict[str, str]) -> None:
        subjects = self._subjects
        self._labels.used.setdefault(self._owner.get("label", attributes.get("label", "")))
        if within == "image":
            self._in_image += 1
            frame, track = self._number(self._owner, "id"), self._in_image
        else:
            frame, track = self._number(attributes, "frame"), self._track
        self._task_of(self._owner)
        subjects.task.append(self._key(self._owner))
        subjects.frame.append(frame)
        subjects.track.append(track)
        subjects.places.append(self._file.place)

    def _point(self, attributes: dict[str, str]) -> None:
        place = self._labels.column(attributes.get("label", ""))
        if place < 0 or len(self._subjects.kinds) >= MAX_POINTS:
            raise self._file.fault("too many keypoints")
        found = re.fullmatch(r"\s*([-+.0-9eE]{1,40})\s*,\s*([-+.0-9eE]{1,40})\s*", attributes.get("points", ""))
        try:
            x, y = (float(found[1]), float(found[2])) if found else (np.nan, np.nan)
        except ValueError:
            x = y = np.nan
        if not (np.isfinite(x) and np.isfinite(y)):
            raise self._file.fault(f"points is {attributes.get('points', '')[:40]!r}, not x,y")
        outside, hidden = attributes.get("outside") == "1", attributes.get("occluded") == "1"
        if attributes.get("keyframe", "1") == "1":
            kind = _OUTSIDE if outside else _HIDDEN if hidden else _SEEN
        elif outside:
            return
        else:
            kind = _BETWEEN_HIDDEN if hidden else _BETWEEN_SEEN
        self._subjects.columns.append(place)
        self._subjects.xy.extend((x, y))
        self._subjects.kinds.append(kind)

    def _number(self, attributes: dict[str, str], name: str) -> int:
        text = attributes.get(name, "")
        if not re.fullmatch(r"[0-9]{1,15}", text):
            raise self._file.fault(f"{name} is {text[:40]!r}, no number")
        return int(text)

    def dataset(self) -> Dataset:
        """The table."""
        subjects, file = self._subjects, self._file
        skeleton, columns = self._labels.skeleton(file.path)
        order = np.empty(max(columns) + 1, dtype=np.int64)
        order[columns] = np.arange(len(columns))
        numbers = {key: place for place, key in enumerate(self._tasks)}
        first = dict.fromkeys(numbers, 0)
        for key, track in zip(subjects.task, subjects.track, strict=True):
            if track == 0:  # CVAT counts tracks from 0
                first[key] = 1
        rows = Rows(file.path, skeleton.size)
        begin = 0
        ended = self._ended()
        for row, end in enumerate(subjects.ends):
            points = np.zeros((skeleton.size, 3))
            kinds = np.zeros(skeleton.size, dtype=np.uint8)
            places = order[np.array(subjects.columns[begin:end], dtype=np.int64)]
            if len(np.unique(places)) < len(places):
                raise refuse(file.path, subjects.places[row], "a keypoint stands there twice")
            kinds[places] = subjects.kinds[begin:end]
            points[places, :2] = np.array(subjects.xy[2 * begin : 2 * end]).reshape(-1, 2)
            points[:, 2] = np.array([0, 1, 2, 0, 1, 2])[kinds]
            key = subjects.task[row]
            if kinds.any() and row not in ended:
                rows.add(
                    subjects.places[row],
                    numbers[key],
                    subjects.frame[row],
                    subjects.track[row] + first[key],
                    points.reshape(-1).tolist(),
                    absent=(kinds == _OUTSIDE).tolist(),
                    human=(kinds < _BETWEEN_HIDDEN).tolist(),
                )
            begin = end
        return rows.dataset(skeleton, tuple(self._videos()))

    def _videos(self) -> Iterator[Video]:
        last: dict[str, int] = {}
        for key, frame in zip(self._subjects.task, self._subjects.frame, strict=True):
            last[key] = max(frame, last.get(key, -1))
        for key, task in self._tasks.items():
            # A task may be of every tenth frame, say, and counts these alone.
            whole = task.size is not None and last.get(key, -1) < task.size
            yield Video(
                name=task.name or "video",
                width=task.width,
                height=task.height,
                num_frames=task.size if whole else None,
            )

    def _ended(self) -> set[int]:
        """Where CVAT made an end of a pose that was set on one frame alone: nobody said that the subject is gone."""
        subjects = self._subjects
        rows: dict[tuple[str, int], list[int]] = {}
        for row, key in enumerate(zip(subjects.task, subjects.track, strict=True)):
            rows.setdefault(key, []).append(row)
        bounds = [0, *subjects.ends]
        ended = set()
        for of_track in rows.values():
            if len(of_track) != 2 or not self._from_cvat:
                continue
            kinds = subjects.kinds[bounds[of_track[1]] : bounds[of_track[1] + 1]]
            if kinds and all(kind == _OUTSIDE for kind in kinds):
                ended.add(of_track[1])
        return ended


def write(dataset: Dataset, target: Path) -> None:
    """Write a file: of a task where there is one video, of a project where there are several.

    Args:
        dataset: What.
        target: The file.
    """
    with target.open("w", encoding="utf-8", newline="\n") as stream:
        for line in _lines(dataset):
            stream.write(line + "\n")


def _lines(dataset: Dataset) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield "<annotations>"
    yield "<version>1.1</version>"
    yield "<meta>"
    labels = label_lines(dataset.skeleton)
    project = len(dataset.videos) != 1
    if project:
        yield from ("<project>", *labels, "<tasks>")
    for number, video in enumerate(dataset.videos, start=1):
        yield from _task(number, video, [] if project else labels)
    if project:
        yield from ("</tasks>", "</project>")
    yield "</meta>"
    for number in range(len(dataset.videos)):
        of_task = {"task_id": number + 1, "subset": "Train"} if project else {}
        yield from _tracks(dataset, number, dict(of_task))
    yield "</annotations>"


def _task(number: int, video: Video, labels: list[str]) -> Iterator[str]:
    yield "<task>"
    yield f"<id>{number}</id>"
    name = allowed(video.name).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    yield f"<name>{name}</name>"
    if video.num_frames is not None:
        yield f"<size>{video.num_frames}</size>"
    yield "<mode>interpolation</mode>"
    yield from labels
    if video.width is not None and video.height is not None:
        yield f"<original_size><width>{video.width}</width><height>{video.height}</height></original_size>"
    yield "</task>"


def _tracks(dataset: Dataset, number: int, of_task: dict[str, object]) -> Iterator[str]:
    rows = np.arange(len(dataset))[dataset.rows_of(number)]
    label = dataset.skeleton.name or "subject"
    for track in np.unique(dataset.track[rows]).tolist():
        yield tag("track", {"id": track, "label": label, "source": "manual", **of_task})
        for row in rows[dataset.track[rows] == track].tolist():
            yield from _shape(dataset, row)
        yield "</track>"


def _shape(dataset: Dataset, row: int) -> Iterator[str]:
    gone, visibility, places = dataset.absent[row], dataset.visibility[row], texts(dataset.xy[row])
    shape = {"frame": int(dataset.frame[row]), "keyframe": 1, "outside": int(gone.all()), "occluded": 0, "z_order": 0}
    yield tag("skeleton", dict(shape))
    for k, name in enumerate(dataset.skeleton.keypoints):
        if visibility[k] or gone[k]:
            point = {"label": name, "keyframe": 1, "outside": int(gone[k]), "occluded": int(visibility[k] == 1)}
            yield tag("points", {**point, "points": f"{places[k, 0]},{places[k, 1]}"}, end=True)
    yield "</skeleton>"
