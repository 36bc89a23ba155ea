"""Label Studio's JSON: a task a picture, keypoints in a rectangle for each subject, in hundredths of its size.

Label Studio offers no keypoints in videos. People's points are in ``annotations``, a machine's in ``predictions`` with
a score each. What else Posetween must know lies where Label Studio keeps it untouched: ``data`` of a task, ``meta`` of
a task and of a rectangle.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from formats.dataset import Dataset, Video
from formats.dlc_sheet import texts
from formats.label_studio_read import dataset_of
from formats.names import folder_names
from formats.pictures import picture
from pose import boxes
from pose.formats.coco_skeleton import write_skeleton
from pose.formats.coco_write import MIN_PADDING, PADDING

LOSES = ("retired", "radius90", "run", "absent", "lengths", "bare_videos")


def read(path: Path) -> Dataset:
    """Read an export.

    Args:
        path: The file.

    Raises:
        FormatError: It cannot be read; places are JSON pointers.
    """
    return dataset_of(path)


def write(dataset: Dataset, target: Path) -> None:
    """Write tasks to be imported.

    Args:
        dataset: Whose videos say how large they are.
        target: The file.
    """
    with target.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write("[")
        for number, task in enumerate(_tasks(dataset), start=1):
            if number == 1:
                task["meta"] = {"skeleton": write_skeleton(dataset.skeleton)}
            stream.write(("," if number > 1 else "") + "\n" + json.dumps({"id": number, **task}, separators=(",", ":")))
        stream.write("\n]\n")


def _tasks(dataset: Dataset) -> Iterator[dict[str, Any]]:
    folders = folder_names(video.name for video in dataset.videos)
    for number, (folder, video) in enumerate(zip(folders, dataset.videos, strict=True)):
        rows = dataset.rows_of(number)
        by_frame: dict[int, list[int]] = {frame: [] for frame in video.empty}
        for row in range(rows.start, rows.stop):
            by_frame.setdefault(int(dataset.frame[row]), []).append(row)
        for frame, shown in sorted(by_frame.items()):
            data: dict[str, Any] = {"image": picture(folder, frame), "video": video.name, "video_id": number + 1}
            data["frame_index"] = frame
            if video.width is not None and video.height is not None:
                data |= {"width": video.width, "height": video.height}
            by_people = [part for row in shown for part in regions(dataset, row, video, machine=False)]
            by_machine = [part for row in shown for part in regions(dataset, row, video, machine=True)]
            task: dict[str, Any] = {"data": data}
            if by_people or not shown:
                task["annotations"] = [{"result": by_people}]
            if by_machine:
                task["predictions"] = [{"model_version": "posetween", "result": by_machine}]
            yield task


def regions(dataset: Dataset, row: int, video: Video, *, machine: bool) -> Iterator[dict[str, Any]]:
    """The rectangle of a subject, and those of its points that a machine made, or that people did.

    Args:
        dataset: The poses.
        row: Which.
        video: Its video, which says how large it is.
        machine: Whose points.
    """
    wanted = dataset.machine[row] if machine else dataset.human[row]
    if not wanted.any():
        return
    assert video.width is not None
    assert video.height is not None
    size, track = np.array([video.width, video.height], dtype=np.float64), int(dataset.track[row])
    about = {"to_name": "image", "original_width": video.width, "original_height": video.height, "image_rotation": 0}
    name = f"{'m' if machine else 'p'}{track}"
    visibility = np.where(wanted, dataset.visibility[row], 0)
    xy, scores = dataset.xy[row].astype(np.float64), texts(dataset.score[row])
    box = boxes.around(xy, visibility, relative=PADDING, minimum=MIN_PADDING)
    x, y, width, height = (100 * boxes.clip(box, *size, least=1.0) / np.tile(size, 2)).tolist()
    yield {
        "id": name,
        "type": "rectanglelabels",
        "from_name": "subjects",
        **about,
        "meta": {"track_id": track, "text": [video.tracks[track]] if track in video.tracks else []},
        "value": {"x": x, "y": y, "width": width, "height": height, "rotation": 0}
        | {"rectanglelabels": [dataset.skeleton.name or "subject"]},
    }
    for k in np.flatnonzero(wanted).tolist():
        x, y = (100 * xy[k] / size).tolist()
        point: dict[str, Any] = {"id": f"{name}k{k}", "type": "keypointlabels", "from_name": "keypoints", **about}
        point |= {"parentID": name, "hidden": bool(visibility[k] == 1)}
        if machine:
            point["score"] = float(scores[k])
        labels = [dataset.skeleton.keypoints[k]]
        yield point | {"value": {"x": x, "y": y, "width": 0.5, "keypointlabels": labels}}
