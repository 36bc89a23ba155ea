"""DeepLabCut projects: ``config.yaml`` and ``labeled-data/VIDEO/CollectedData_….csv``, one subject or several.

The number in a picture's name is its frame, as DeepLabCut counts when it extracts pictures. What lies in
``config.yaml`` beside what is read here is DeepLabCut's own business: to train there, make a project with it and copy
``labeled-data``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np

from formats import yaml_text
from formats.dataset import Dataset, Video
from formats.dlc_sheet import Line, Sheet, header, read_sheet, texts, write_sheet
from formats.errors import refuse
from formats.files import files_below, write_file
from formats.individuals import PREFIX, individuals, numbered
from formats.names import folder_names
from formats.rows import Rows
from pose.skeleton import Skeleton, SkeletonError

LOSES = ("retired", "machine", "hidden", "absent", "track_numbers", "lengths", "video_names", "swap", "sigmas")

SCORER = "posetween"
CONFIG = "config.yaml"
FOLDER = "labeled-data"

#: Of the number in a picture's name, at least.
DIGITS = 4


def read(path: Path) -> Dataset:
    """Read a project, a folder of its labels, or one table of labels.

    Args:
        path: Of the folder or of a ``CollectedData….csv``.

    Raises:
        FormatError: It cannot be read.
    """
    if path.is_dir():
        # A project that made training sets has its labels once more in them.
        root = path / FOLDER if (path / FOLDER).is_dir() else path
        files = [file for file in files_below(root) if re.fullmatch(r"CollectedData.*\.csv", file.name)]
        config = _config(path / CONFIG) if (path / CONFIG).is_file() else None
        if not files and config is None:
            raise refuse(path, "", f"there is neither a {CONFIG} nor a CollectedData….csv")
    else:
        files, config = [path], None
    return read_labels(path, [read_sheet(file) for file in files], config or Config())


@dataclass(frozen=True)
class Config:
    """What is read of a ``config.yaml``.

    Attributes:
        task: What the project is about.
        keypoints: Their names; empty where it does not say.
        edges: By name.
        videos: Width and height of each video, by name; None where it does not say.
    """

    task: str = ""
    keypoints: tuple[str, ...] = ()
    edges: tuple[tuple[str, str], ...] = ()
    videos: dict[str, tuple[int, int] | None] = field(default_factory=dict)


def read_labels(path: Path, sheets: list[Sheet], config: Config) -> Dataset:
    """Read tables of labels.

    Args:
        path: What is read, for errors.
        sheets: Tables whose lines are pictures.
        config: Of the project.

    Raises:
        FormatError: They contradict themselves.
    """
    keypoints = tuple(dict.fromkeys([*config.keypoints, *(name for sheet in sheets for name in sheet.keypoints)]))
    position = {name: place for place, name in enumerate(keypoints)}
    edges = tuple((position[a], position[b]) for a, b in config.edges if a in position and b in position and a != b)
    try:
        skeleton = Skeleton(name=config.task, keypoints=keypoints, edges=edges)
    except SkeletonError as error:
        raise refuse(path, "bodyparts", str(error)) from None
    names = list(dict.fromkeys(name for sheet in sheets for name in sheet.individuals if name))
    number_of = dict(zip(names, numbered(names), strict=True)) | {"": (1, None)}
    rows, videos = Rows(path, skeleton.size), {name: place for place, name in enumerate(config.videos)}
    tracks: dict[int, dict[int, str]] = {}
    empty: dict[int, list[int]] = {}
    for sheet in sheets:
        for line in sheet.lines:
            video, frame = _picture(sheet, line)
            number = videos.setdefault(video, len(videos))
            somebody = False
            for individual in sheet.individuals:
                points = sheet.points(line, individual, keypoints)
                if not any(point[2] for point in points):
                    continue
                somebody = True
                track, called = number_of[individual]
                if called is not None:
                    tracks.setdefault(number, {})[track] = called
                place = f"{sheet.path.name}, {line.place}" if path.is_dir() else line.place
                rows.add(place, number, frame, track, [value for point in points for value in point[:3]])
            if not somebody:
                empty.setdefault(number, []).append(frame)
    listed = []
    for name, number in videos.items():
        width, height = config.videos.get(name) or (None, None)
        listed.append(
            Video(
                name=name,
                width=width,
                height=height,
                tracks=dict(sorted(tracks.get(number, {}).items())),
                empty=tuple(sorted({*empty.get(number, ())})),
            )
        )
    return rows.dataset(skeleton, tuple(listed))


def _picture(sheet: Sheet, line: Line) -> tuple[str, int]:
    """The video that a line is of, and its frame."""
    file = PurePosixPath(line.index)
    digits = re.findall(r"[0-9]{1,15}", file.stem)
    if not digits:
        raise refuse(sheet.path, line.place, f"{line.index[:80]!r} has no number of a frame")
    folder = [part for part in file.parts[:-1] if part != FOLDER]
    return "/".join(folder) or sheet.path.absolute().parent.name or "video", int(digits[-1])


def _config(path: Path) -> Config:
    found = yaml_text.load(path)
    keypoints = yaml_text.strings(found.get("bodyparts"))
    if not keypoints or yaml_text.said_true(found.get("multianimalproject")):
        keypoints = [
            *yaml_text.strings(found.get("multianimalbodyparts")),
            *yaml_text.strings(found.get("uniquebodyparts")),
        ] or keypoints
    pairs = [yaml_text.strings(pair) for pair in yaml_text.items(found.get("skeleton"))]
    videos: dict[str, tuple[int, int] | None] = {}
    sets = found.get("video_sets")
    for name, about in sets.items() if isinstance(sets, dict) else ():
        stem = PurePosixPath(str(name).replace("\\", "/")).stem
        videos[stem] = _size(about.get("crop") if isinstance(about, dict) else None)
    task = found.get("Task")
    return Config(
        task=task if isinstance(task, str) else "",
        keypoints=tuple(dict.fromkeys(name for name in keypoints if name.strip())),
        edges=tuple(dict.fromkeys((pair[0], pair[1]) for pair in pairs if len(pair) == 2)),
        videos=videos,
    )


def _size(crop: object) -> tuple[int, int] | None:
    """The size of a video by its crop, which is the whole of it unless somebody changed it."""
    found = (
        re.fullmatch(r"\s*0\s*,\s*([0-9]{1,6})\s*,\s*0\s*,\s*([0-9]{1,6})\s*", crop) if isinstance(crop, str) else None
    )
    return (int(found[1]), int(found[2])) if found and int(found[1]) and int(found[2]) else None


def write(dataset: Dataset, target: Path) -> None:
    """Write a project's labels.

    Args:
        dataset: What.
        target: An empty folder.
    """
    subjects, name_of = subjects_of(dataset)
    folders = folder_names(video.name for video in dataset.videos)
    write_file(target / CONFIG, yaml_text.dump(_about(dataset, folders, subjects)))
    heads = header(SCORER, subjects, dataset.skeleton.keypoints, ("x", "y"), 3)
    for number, folder in enumerate(folders):
        lines = [*_pictures(dataset, number, folder, subjects, name_of)]
        if lines:
            write_file(target / FOLDER / folder / f"CollectedData_{SCORER}.csv", write_sheet(heads, iter(lines)))


def subjects_of(dataset: Dataset) -> tuple[list[str] | None, dict[tuple[int, int], str]]:
    """The individuals of a table, None for one that knows none; and the name of each video's track there."""
    names, name_of = individuals(dataset)
    alone = names in ([], [f"{PREFIX}1"])
    return (None, dict.fromkeys(name_of, "")) if alone else (names, name_of)


def picture(frame: int, least: int = DIGITS) -> str:
    """The name of a frame's picture.

    Args:
        frame: From 0.
        least: Digits at least.
    """
    return f"img{frame:0{least}d}.png"


def cells_of(
    dataset: Dataset, number: int, subjects: list[str] | None, name_of: dict[tuple[int, int], str]
) -> dict[int, dict[str, int]]:
    """By frame of a video, ascending, the row of each subject; frames that show nobody have none."""
    rows = dataset.rows_of(number)
    found: dict[int, dict[str, int]] = {frame: {} for frame in dataset.videos[number].empty}
    for row in range(rows.start, rows.stop):
        name = name_of[number, int(dataset.track[row])] if subjects is not None else ""
        found.setdefault(int(dataset.frame[row]), {})[name] = row
    return dict(sorted(found.items()))


def _pictures(
    dataset: Dataset, number: int, folder: str, subjects: list[str] | None, name_of: dict[tuple[int, int], str]
) -> Iterator[list[str]]:
    unknown = [""] * (2 * dataset.skeleton.size)
    for frame, shown in cells_of(dataset, number, subjects, name_of).items():
        cells = [FOLDER, folder, picture(frame)]
        for subject in subjects or [""]:
            row = shown.get(subject)
            if row is None:
                cells += unknown
                continue
            known = np.repeat(dataset.visibility[row] > 0, 2)
            cells += np.where(known, texts(dataset.xy[row]).reshape(-1), "").tolist()
        yield cells


def _about(dataset: Dataset, folders: list[str], subjects: list[str] | None) -> dict[str, object]:
    skeleton = dataset.skeleton
    names = [*skeleton.keypoints]
    sets = {}
    for folder, video in zip(folders, dataset.videos, strict=True):
        known = video.width is not None and video.height is not None
        sets[f"videos/{folder}.mp4"] = {"crop": f"0, {video.width}, 0, {video.height}"} if known else {}
    several: dict[str, object] = {"bodyparts": names}
    if subjects is not None:
        several = {
            "individuals": subjects,
            "uniquebodyparts": [],
            "multianimalbodyparts": names,
            "bodyparts": "MULTI!",
        }
    return {
        "Task": skeleton.name,
        "scorer": SCORER,
        "multianimalproject": subjects is not None,
        "identity": False,
        "video_sets": sets,
        **several,
        "skeleton": [[names[a], names[b]] for a, b in skeleton.edges],
    }
