"""DeepLabCut's tables of predictions, ``VIDEODLC_….csv`` or ``.h5``: every frame of a video, with a likelihood.

What Posetween writes there as likelihood is its score, the probability that the point is within tolerance; a point that
is not known is empty, never interpolated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from formats.dataset import MAX_FRAMES, Dataset, Video
from formats.dlc import cells_of, subjects_of
from formats.dlc_h5 import Predictions, read_predictions
from formats.dlc_sheet import Line, Sheet, header, read_sheet, texts, write_sheet
from formats.errors import refuse
from formats.files import files_of, write_file
from formats.individuals import numbered
from formats.names import folder_names
from formats.rows import Rows
from pose.skeleton import Skeleton, SkeletonError

LOSES = (
    "retired", "human", "radius90", "run", "hidden", "absent", "track_numbers", "empty_frames", "sizes", "video_names",
    "video_order", "skeleton_name", "edges", "swap", "sigmas",
)  # fmt: skip

SCORER = "DLC_posetween"


def read(path: Path) -> Dataset:
    """Read a table, or those of a folder; a folder's videos are in the order of their names.

    Where a table is there as ``.csv`` and as ``.h5``, the first is read.

    Args:
        path: Of the file or folder.

    Raises:
        FormatError: It cannot be read.
    """
    files = files_of(path, ".csv", ".h5")
    texts_ = [file for file in files if file.suffix != ".h5"]
    there = {file.with_suffix("") for file in texts_}
    arrays = [read_predictions(file) for file in files if file.suffix == ".h5" and file.with_suffix("") not in there]
    sheets: list[Sheet | Predictions] = [*(read_sheet(file) for file in texts_), *arrays]
    sheets.sort(key=_name)
    keypoints = tuple(dict.fromkeys(name for sheet in sheets for name in sheet.keypoints))
    try:
        skeleton = Skeleton(name="", keypoints=keypoints)
    except SkeletonError as error:
        raise refuse(path, "bodyparts", str(error)) from None
    names = list(dict.fromkeys(name for sheet in sheets for name in sheet.individuals if name))
    number_of = dict(zip(names, numbered(names), strict=True)) | {"": (1, None)}
    rows = Rows(path, skeleton.size)
    videos = []
    for number, sheet in enumerate(sheets):
        last, used = -1, set()
        lines = _lines(sheet, keypoints) if isinstance(sheet, Sheet) else _frames_of(sheet, keypoints)
        for place, frame, individual, points in lines:
            last = max(last, frame)
            if not any(point[2] for point in points):
                continue
            used.add(individual)
            where = f"{sheet.path.name}, {place}" if path.is_dir() else place
            flat = [value for point in points for value in point[:3]]
            track = number_of[individual][0]
            rows.add(where, number, frame, track, flat, scores=[point[3] for point in points], human=False)
        tracks = {number_of[one][0]: name for one in used if (name := number_of[one][1]) is not None}
        videos.append(Video(name=_name(sheet), num_frames=last + 1, tracks=dict(sorted(tracks.items()))))
    return rows.dataset(skeleton, tuple(videos))


#: x, y, visibility and likelihood.
_Point = tuple[float, float, float, float]


def _lines(sheet: Sheet, keypoints: tuple[str, ...]) -> Iterator[tuple[str, int, str, list[_Point]]]:
    for line in sheet.lines:
        frame = _frame(sheet, line)
        for individual in sheet.individuals:
            yield line.place, frame, individual, sheet.points(line, individual, keypoints)


def _frames_of(found: Predictions, keypoints: tuple[str, ...]) -> Iterator[tuple[str, int, str, list[_Point]]]:
    known = np.isfinite(found.values[..., :2]).all(axis=-1)
    values = np.zeros((*found.values.shape[:2], len(keypoints), 4))
    columns = [keypoints.index(name) for name in found.keypoints]
    values[:, :, columns, :2] = np.where(known[..., None], found.values[..., :2], 0)
    values[:, :, columns, 2] = 2.0 * known
    values[:, :, columns, 3] = np.nan_to_num(found.values[..., 2], nan=0.0)
    for row, frame in enumerate(found.frames.tolist()):
        for subject, individual in enumerate(found.individuals):
            yield f"frame {frame}", frame, individual, values[row, subject].tolist()


def _frame(sheet: Sheet, line: Line) -> int:
    found = re.fullmatch(r"([0-9]{1,15})(?:\.0*)?", line.index)
    if not found or int(found[1]) >= MAX_FRAMES:
        raise refuse(sheet.path, line.place, f"{line.index[:80]!r} is no number of a frame")
    return int(found[1])


def _name(sheet: Sheet | Predictions) -> str:
    """The video's name: that of the file up to the network's name, which the header says."""
    stem = sheet.path.stem
    name = stem[: max(stem.rfind(sheet.scorer), 0)] if sheet.scorer else ""
    return name or re.split(r"DLC[_A-Z]", stem)[0] or stem


def write(dataset: Dataset, target: Path) -> None:
    """Write a table for each video.

    Args:
        dataset: What.
        target: An empty folder.
    """
    subjects, name_of = subjects_of(dataset)
    heads = header(SCORER, subjects, dataset.skeleton.keypoints, ("x", "y", "likelihood"), 1)
    for number, folder in enumerate(folder_names(video.name for video in dataset.videos)):
        lines = _frames(dataset, number, subjects, name_of)
        write_file(target / f"{folder}{SCORER}.csv", write_sheet(heads, lines))


def _frames(
    dataset: Dataset, number: int, subjects: list[str] | None, name_of: dict[tuple[int, int], str]
) -> Iterator[list[str]]:
    shown = cells_of(dataset, number, subjects, name_of)
    unknown = [""] * (3 * dataset.skeleton.size)
    for frame in range(dataset.videos[number].num_frames or max(shown, default=-1) + 1):
        cells = [str(frame)]
        for subject in subjects or [""]:
            row = shown.get(frame, {}).get(subject)
            if row is None:
                cells += unknown
                continue
            values = texts(np.concatenate([dataset.xy[row], dataset.score[row][:, None]], axis=1))
            cells += np.where(dataset.visibility[row][:, None] > 0, values, "").reshape(-1).tolist()
        yield cells
