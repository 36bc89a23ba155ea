"""PoseTrack18 and 21: a JSON file a video, people with 15 joints.

Reading also takes PoseTrack17's own layout. A hidden joint is one with a place and visibility 0, as poseval has it.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from formats.dataset import Dataset, RowError, Video
from formats.dlc_sheet import texts
from formats.errors import FormatError, refuse
from formats.files import files_of, read_file, write_file
from formats.names import folder_names
from pose import boxes
from pose.formats.coco_layout import CocoError
from pose.formats.coco_write import MIN_PADDING, PADDING
from pose.formats.posetrack import PoseTrackVideo, read_posetrack
from pose.skeleton import POSETRACK_15

LOSES = (
    "retired", "own_skeleton", "machine", "hidden_in_corner", "absent", "track_names", "sizes", "bare_videos",
    "video_names", "video_order",
)  # fmt: skip

#: A frame has four digits in an image's id.
MAX_FRAMES = 10_000

#: The joints of a file: PoseTrack's own and the two ears, which are never labelled.
KEYPOINTS = (*POSETRACK_15.keypoints[:3], "left_ear", "right_ear", *POSETRACK_15.keypoints[3:])


def read(path: Path) -> Dataset:
    """Read an annotation file, or those of a folder; videos are in the order of their names.

    Args:
        path: Of the file or folder.

    Raises:
        FormatError: It cannot be read.
    """
    files = files_of(path, ".json")
    found: list[PoseTrackVideo] = []
    for file in files:
        try:
            found += read_posetrack(read_file(file))
        except CocoError as error:
            raise FormatError(file, error.errors) from None
    found.sort(key=lambda video: video.name)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in ("video", "frame", "track", "xy", "visibility")}
    for number, video in enumerate(found):
        first = int(any(track < 1 for track in video.tracks))  # PoseTrack counts people from 0
        for track, poses in video.tracks.items():
            columns["video"].append(np.full(len(poses), number))
            columns["frame"].append(poses.frames)
            columns["track"].append(np.full(len(poses), track + first))
            columns["xy"].append(poses.xy)
            columns["visibility"].append(poses.visibility)
    blank = {"xy": (0, POSETRACK_15.size, 2), "visibility": (0, POSETRACK_15.size)}
    table = {name: np.concatenate([np.zeros(blank.get(name, 0)), *parts]) for name, parts in columns.items()}
    videos = tuple(
        Video(name=video.name, num_frames=len(video.frames), empty=tuple(video.labelled.tolist())) for video in found
    )
    try:
        return Dataset.of(POSETRACK_15, videos, **table)
    except RowError as error:
        raise refuse(path, "", error.sentence) from None


def write(dataset: Dataset, target: Path) -> None:
    """Write a file for each video.

    Args:
        dataset: Of PoseTrack's joints, in any order.
        target: An empty folder.

    Raises:
        FormatError: The joints are others, or a video has too many frames.
    """
    names = dataset.skeleton.keypoints
    if {*names} != {*POSETRACK_15.keypoints}:
        raise refuse(
            target, "", f"PoseTrack has the joints {', '.join(POSETRACK_15.keypoints)}, not {', '.join(names)}"
        )
    columns = [names.index(name) if name in names else -1 for name in KEYPOINTS]
    for number, folder in enumerate(folder_names(video.name for video in dataset.videos)):
        document = _document(dataset, number, folder, columns, target)
        write_file(target / "annotations" / "val" / f"{folder}.json", json.dumps(document, separators=(",", ":")))


def _document(dataset: Dataset, number: int, folder: str, columns: list[int], target: Path) -> dict[str, object]:
    video, rows = dataset.videos[number], dataset.rows_of(number)
    frames = dataset.frame[rows]
    length = video.num_frames or int(max(frames.max(initial=-1), max(video.empty, default=-1))) + 1
    if length > MAX_FRAMES:
        raise refuse(target, "", f"video {video.name!r} has {length} frames; PoseTrack numbers {MAX_FRAMES} at most")
    first = 10_000_000_000 + (number + 1) * MAX_FRAMES
    labelled, shown = {*frames.tolist(), *video.empty}, {*frames.tolist()}
    images = [
        {
            "has_no_densepose": True,
            "is_labeled": frame in labelled,
            "file_name": f"images/val/{folder}/{frame:06d}.jpg",
            "nframes": length,
            "frame_id": first + frame,
            "vid_id": f"{number + 1:06d}",
            "ignore_regions_x": [],
            "ignore_regions_y": [],
            "id": first + frame,
            "has_labeled_person": frame in shown,
        }
        for frame in range(length)
    ]
    people: list[dict[str, object]] = []
    of_frame: dict[int, int] = {}
    for row in range(rows.start, rows.stop):
        frame, track = int(dataset.frame[row]), int(dataset.track[row])
        place = of_frame[frame] = of_frame.get(frame, -1) + 1
        people.append(
            {
                "bbox_head": [],
                "keypoints": _keypoints(dataset, row, columns),
                "track_id": track,
                "image_id": first + frame,
                "bbox": _box(dataset, row),
                "scores": [],
                "category_id": 1,
                "id": (first + frame) * 100 + place,
            }
        )
    category = {"supercategory": "person", "id": 1, "name": "person", "keypoints": KEYPOINTS, "skeleton": _edges()}
    return {"images": images, "annotations": people, "categories": [category]}


def _keypoints(dataset: Dataset, row: int, columns: list[int]) -> list[float]:
    places = texts(dataset.xy[row])
    numbers: list[float] = []
    for k in columns:
        seen = int(dataset.visibility[row, k]) if k >= 0 else 0
        numbers += [float(places[k, 0]), float(places[k, 1]), int(seen == 2)] if seen else [0, 0, 0]
    return numbers


def _box(dataset: Dataset, row: int) -> list[float]:
    xy = dataset.xy[row].astype(np.float64)
    box = boxes.around(xy, dataset.visibility[row], relative=PADDING, minimum=MIN_PADDING)
    rounded: list[float] = np.round(box, 2).tolist()
    return rounded


def _edges() -> list[list[int]]:
    place = [KEYPOINTS.index(name) + 1 for name in POSETRACK_15.keypoints]
    return [[place[a], place[b]] for a, b in POSETRACK_15.edges]
