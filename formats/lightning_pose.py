"""Lightning Pose's labels: ``CollectedData.csv`` with a column ``visible`` for each keypoint, one subject a picture.

``visible`` is 0, 1 or 2 as in COCO. Where it is 1, Lightning Pose takes no notice of the place that is written there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from formats.dataset import Dataset
from formats.dlc import FOLDER, SCORER, Config, cells_of, picture, read_labels
from formats.dlc_sheet import header, read_sheet, texts, write_sheet
from formats.errors import refuse
from formats.files import write_file
from formats.names import folder_names

LOSES = (
    "retired", "machine", "absent", "other_subjects", "tracks", "track_names", "sizes", "lengths", "bare_videos",
    "video_names", "skeleton_name", "edges", "swap", "sigmas",
)  # fmt: skip

#: Of the number in a picture's name.
DIGITS = 8


def read(path: Path) -> Dataset:
    """Read a table, or those of a project's folder: one for each view, whose videos are videos of their own.

    Args:
        path: Of the folder or the file.

    Raises:
        FormatError: It cannot be read.
    """
    files = [path]
    if path.is_dir():
        files = sorted(path.glob("CollectedData*.csv"))
        if not files:
            raise refuse(path, "", "there is no CollectedData.csv")
    return read_labels(path, [read_sheet(file) for file in files], Config())


def write(dataset: Dataset, target: Path) -> None:
    """Write a table.

    Args:
        dataset: One subject a frame.
        target: An empty folder.
    """
    heads = header(SCORER, None, dataset.skeleton.keypoints, ("x", "y", "visible"), 1)
    write_file(target / "CollectedData.csv", write_sheet(heads, _pictures(dataset)))


def _pictures(dataset: Dataset) -> Iterator[list[str]]:
    folders = folder_names(video.name for video in dataset.videos)
    nothing = ["", "", "0"] * dataset.skeleton.size
    for number, folder in enumerate(folders):
        for frame, shown in cells_of(dataset, number, None, {}).items():
            cells = [f"{FOLDER}/{folder}/{picture(frame, DIGITS)}"]
            row = shown.get("")
            if row is None:
                yield cells + nothing
                continue
            known = dataset.visibility[row] > 0
            places = np.where(known[:, None], texts(dataset.xy[row]), "")
            yield cells + np.column_stack([places, dataset.visibility[row].astype("U1")]).reshape(-1).tolist()
