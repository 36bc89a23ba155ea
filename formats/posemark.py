"""PoseMark's layout: a folder a session, COCO keypoints of single frames and of clips, names that say which frame.

``PROJECT/sub-X_ses-Y/Frames/sub-X_ses-Y_cam-Z_framelabels.json``, and in ``Clips`` ``…_start-N_dur-M_cliplabels.json``
and ``…_startlabels.json``. The frame of an image is the number after ``frame-`` in its ``file_name``, in the session's
video. One animal; https://poseinterface.neuroinformatics.dev.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from formats import coco
from formats.dataset import COLUMNS, Dataset, RowError, Video
from formats.errors import FormatError, refuse
from formats.files import files_below, read_file
from formats.layers import merged
from formats.sessions import session_names
from pose import boxes
from pose.formats.coco_layout import CocoError
from pose.formats.coco_skeleton import write_skeleton
from pose.formats.coco_write import AREA_SHARE, MIN_PADDING, PADDING

LOSES = (
    "retired", "machine", "absent", "other_subjects", "tracks", "track_names", "lengths", "bare_videos", "sessions",
)  # fmt: skip

#: What label files end with.
LABELS = ("_framelabels.json", "_cliplabels.json", "_startlabels.json", "_videolabels.json")

_IMAGE = re.compile(r"(sub-[A-Za-z0-9]+_ses-[A-Za-z0-9]+_cam-[A-Za-z0-9]+)_frame-([0-9]{1,15})(?:\.[A-Za-z0-9]+)?")


@dataclass(frozen=True)
class _Part:
    """What a label file says of one session."""

    video: Video
    dataset: Dataset


def read(path: Path) -> Dataset:
    """Read a label file, or those of a folder and below.

    Args:
        path: Of the file or folder.

    Raises:
        FormatError: It cannot be read; places are JSON pointers.
    """
    if not path.is_dir():
        files = [path]
    elif not (files := [file for file in files_below(path) if file.name.endswith(LABELS)]):
        raise refuse(path, "", f"there is no {LABELS[0]}")
    parts = [_part(file) for file in files]
    if len({part.dataset.skeleton.keypoints for part in parts}) > 1:
        raise refuse(path, "/categories", "the files have different keypoints")
    names = sorted({part.video.name for part in parts})
    columns, videos = [], []
    for number, name in enumerate(names):
        mine = [part for part in parts if part.video.name == name]
        for part in mine:
            table = {column: getattr(part.dataset, column) for column in COLUMNS}
            columns.append(table | {"video": np.full(len(part.dataset), number)})
        empty = {frame for part in mine for frame in part.video.empty}
        size = next(((one.width, one.height) for one in (part.video for part in mine) if one.width), (None, None))
        videos.append(Video(name=name, width=size[0], height=size[1], empty=tuple(sorted(empty))))
    skeleton = parts[0].dataset.skeleton
    try:
        return Dataset.of(skeleton, tuple(videos), **merged(columns, skeleton.size))
    except RowError as error:
        raise refuse(path, "", error.sentence) from None


def _part(path: Path) -> _Part:
    data = read_file(path)
    try:
        document = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = None  # the reader of COCO says what is wrong
    sessions: set[str] = set()
    images = document.get("images") if isinstance(document, dict) else None
    for place, image in enumerate(images if isinstance(images, list) else ()):
        name = image.get("file_name") if isinstance(image, dict) else None
        found = _IMAGE.fullmatch(name) if isinstance(name, str) else None
        if found is None:
            sentence = "expected a name such as sub-01_ses-02_cam-top_frame-0012.png"
            raise refuse(path, f"/images/{place}/file_name", sentence)
        sessions.add(found[1])
        image |= {"video_id": 1, "frame_index": int(found[2])}
    if len(sessions) > 1:
        raise refuse(path, "/images", f"images of several videos: {', '.join(sorted(sessions)[:5])}")
    try:
        dataset = coco.dataset_of(data if document is None else msgspec.json.encode(document))
    except CocoError as error:
        raise FormatError(path, error.errors) from None
    except RowError as error:
        raise refuse(path, "", error.sentence) from None
    if not sessions:
        raise refuse(path, "/images", "there is no image")
    (video,) = dataset.videos
    return _Part(Video(name=sessions.pop(), width=video.width, height=video.height, empty=video.empty), dataset)


def write(dataset: Dataset, target: Path) -> None:
    """Write the frame labels of each session.

    The size of a video that is not known is taken to be the least one that holds its points.

    Args:
        dataset: Whose skeleton has no retired keypoints.
        target: An empty folder: what belongs below a project's.
    """
    for number, name in enumerate(session_names(video.name for video in dataset.videos)):
        frames = np.unique([*dataset.frame[dataset.rows_of(number)].tolist(), *dataset.videos[number].empty])
        place = target / name.rpartition("_cam-")[0] / "Frames"
        place.mkdir(parents=True, exist_ok=True)
        document = labels(dataset, number, name, [int(frame) for frame in frames], ending=".png")
        text = json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
        (place / f"{name}{LABELS[0]}").write_bytes(text.encode() + b"\n")


def labels(dataset: Dataset, video: int, name: str, frames: Sequence[int], *, ending: str = "") -> dict[str, Any]:
    """A label file.

    Args:
        dataset: The poses, one subject a frame.
        video: Which video.
        name: What the session's video is called, ``sub-X_ses-Y_cam-Z``.
        frames: The frames that are images, ascending.
        ending: Of the images' names: with one, images are numbered by their frame; without, as those of a clip.
    """
    length, height, width = dataset.shape_of(video)
    digits = max(len(str(max(length - 1, *frames, 0))), 4) if frames else 4
    numbers = {frame: frame if ending else place for place, frame in enumerate(frames)}
    images = [
        {"id": number, "file_name": f"{name}_frame-{frame:0{digits}d}{ending}", "width": width, "height": height}
        for frame, number in numbers.items()
    ]
    rows = dataset.rows_of(video)
    shown = [row for row in range(rows.start, rows.stop) if int(dataset.frame[row]) in numbers]
    xy, visibility = dataset.xy[shown].astype(np.float64), dataset.visibility[shown]
    box = boxes.around(xy, visibility, relative=PADDING, minimum=MIN_PADDING)
    box = np.round(boxes.clip(box, width, height, least=1.0), 2)
    annotations = [
        {
            "id": place + 1,
            "image_id": numbers[int(dataset.frame[row])],
            "category_id": 1,
            "keypoints": [
                value
                for (x, y), v in zip(xy[place].tolist(), visibility[place].tolist(), strict=True)
                for value in ((x, y, v) if v else (0, 0, 0))
            ],
            "num_keypoints": int((visibility[place] > 0).sum()),
            "bbox": box[place].tolist(),
            "area": round(AREA_SHARE * float(box[place, 2] * box[place, 3]), 2),
            "iscrowd": 0,
        }
        for place, row in enumerate(shown)
    ]
    return {"images": images, "annotations": annotations, "categories": [write_skeleton(dataset.skeleton)]}
