"""PoseTrack17's annotation files, the ``annolist`` that its MATLAB structures are in JSON, as poseval reads it.

Every number stands in a list of its own. A person is an ``annorect`` with the corners of the head box, a ``track_id``
and ``annopoints``, whose points say by ``id`` which joint they are. File names are like
``images/bonn_5sec/000342_mpii/00000001.jpg``, numbered from 1, and lie below the folder of the data set.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np

from pose.formats.coco_layout import CocoError, Faults, fault
from pose.formats.posetrack_video import Folder, PoseTrackVideo, place
from pose.skeleton import POSETRACK_15

#: Joints by ``id``.
JOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "head_bottom", "nose", "head_top",
)  # fmt: skip

_COLUMNS = np.array([POSETRACK_15.keypoints.index(name) for name in JOINTS])

_Number = Annotated[list[float], msgspec.Meta(min_length=1, max_length=1)]
_Integer = Annotated[list[int], msgspec.Meta(min_length=1, max_length=1)]
_Flag = Annotated[list[bool | int], msgspec.Meta(min_length=1, max_length=1)]


class _Place(msgspec.Struct, gc=False):
    x: _Number
    y: _Number


class _Point(msgspec.Struct, gc=False):
    id: _Integer
    x: _Number
    y: _Number
    is_visible: _Flag | None = None


class _Points(msgspec.Struct, gc=False):
    point: list[_Point] = []


class _Person(msgspec.Struct, gc=False):
    track_id: _Integer
    annopoints: list[_Points] = []
    x1: _Number | None = None
    y1: _Number | None = None
    x2: _Number | None = None
    y2: _Number | None = None


class _Name(msgspec.Struct, gc=False):
    name: str


class _Region(msgspec.Struct, gc=False):
    point: list[_Place] = []


class _Frame(msgspec.Struct, gc=False):
    image: Annotated[list[_Name], msgspec.Meta(min_length=1, max_length=1)]
    annorect: list[_Person] = []
    ignore_regions: list[_Region] = []
    is_labeled: _Flag | None = None


class _Document(msgspec.Struct):
    annolist: list[_Frame]


def read_annolist(data: bytes, root: Path = Path()) -> list[PoseTrackVideo]:
    """Read an annotation file of PoseTrack17; a video is what lies in one folder.

    Args:
        data: The file, JSON in UTF-8.
        root: Folder that the file names are below.

    Raises:
        CocoError: The file contradicts itself or is laid out otherwise.
    """
    try:
        document = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_Document)
    except msgspec.ValidationError as error:
        raise CocoError([fault(error)]) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CocoError([("", f"not JSON: {error}")]) from None
    folders: dict[str, Folder] = {}
    faults = Faults()
    for index, frame in enumerate(document.annolist):
        pointer = f"/annolist/{index}"
        found = place(folders, frame.image[0].name, f"{pointer}/image/0/name", faults)
        if found is None:
            continue
        folder, number = found
        regions = [np.array([[corner.x[0], corner.y[0]] for corner in region.point]) for region in frame.ignore_regions]
        if any(map(len, regions)):
            folder.ignored[number] = [region for region in regions if len(region)]
        if frame.is_labeled is not None:
            folder.labelled[number] = bool(frame.is_labeled[0])
        for row, person in enumerate(frame.annorect):
            below = f"{pointer}/annorect/{row}"
            pose = _pose(person, below, faults)
            folder.add(number, person.track_id[0], pose, _head_box(person), below, faults)
    faults.check()
    return [folder.video(root) for folder in folders.values()]


def _pose(person: _Person, pointer: str, faults: Faults) -> np.ndarray:
    pose = np.zeros((len(JOINTS), 3))
    seen: set[int] = set()
    for point in person.annopoints[0].point if person.annopoints else ():
        joint = point.id[0]
        if not 0 <= joint < len(JOINTS):
            faults.add(f"{pointer}/annopoints/0/point", f"{joint} is no joint; they count from 0 to {len(JOINTS) - 1}")
            continue
        if joint in seen:
            faults.add(f"{pointer}/annopoints/0/point", f"joint {joint}, {JOINTS[joint]}, stands there twice")
        seen.add(joint)
        visible = point.is_visible is None or bool(point.is_visible[0])
        pose[_COLUMNS[joint]] = point.x[0], point.y[0], visible
    return pose


def _head_box(person: _Person) -> list[float]:
    if person.x1 is None or person.y1 is None or person.x2 is None or person.y2 is None:
        return []
    return [person.x1[0], person.y1[0], person.x2[0] - person.x1[0], person.y2[0] - person.y1[0]]
