"""PoseTrack annotation files: people with 15 joints and head boxes, on the frames of many videos kept as images.

The layout read here is that of PoseTrack18 and PoseTrack21 (Andriluka et al., *PoseTrack: a benchmark for human pose
estimation and tracking*, CVPR 2018; Doering et al., *PoseTrack21*, CVPR 2022): COCO keypoints whose images name their
file, and say whether people are labelled there and which regions are to be ignored, and whose annotations carry
``track_id`` and ``bbox_head``. Two of the 17 keypoints, the ears, are never labelled. PoseTrack17's own layout is read
by ``pose.formats.posetrack17``, to which files of it are handed on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np

from pose.formats.coco_layout import CocoError, Faults, Id, decode, fault, rows
from pose.formats.posetrack17 import read_annolist
from pose.formats.posetrack_video import Folder, PoseTrackVideo, place
from pose.skeleton import POSETRACK_15

__all__ = ["ANNOTATION_FOLDERS", "PoseTrackVideo", "find_posetrack", "read_posetrack"]

#: Where the annotations of a split lie below the folder of the data set: PoseTrack17's and 18's place, PoseTrack21's.
ANNOTATION_FOLDERS = ("annotations", "posetrack_data")


def find_posetrack(root: Path, split: str = "val") -> Iterator[PoseTrackVideo]:
    """The videos of a split, in the order of its annotation files.

    Args:
        root: Folder of the data set; file names in the annotations are below it.
        split: ``train``, ``val`` or ``test``.

    Raises:
        FileNotFoundError: There are no annotations of this split.
        CocoError: A file cannot be read; the sentence begins with its name.
    """
    folders = [root / name / split for name in ANNOTATION_FOLDERS]
    files = [file for folder in folders for file in sorted(folder.glob("*.json"))]
    if not files:
        places = " or ".join(str(folder) for folder in folders)
        raise FileNotFoundError(f"there are no PoseTrack annotations: no *.json in {places}")
    for file in files:
        try:
            yield from read_posetrack(file.read_bytes(), root)
        except CocoError as error:
            raise CocoError([(f"{file.name}{pointer}", sentence) for pointer, sentence in error.errors]) from None


def read_posetrack(data: bytes, root: Path = Path()) -> list[PoseTrackVideo]:
    """Read an annotation file of any PoseTrack; a video is what lies in one folder.

    A point with visibility 0 that has coordinates is taken as labelled but hidden, as poseval counts it; only ``0,0,0``
    is not labelled. People without a labelled point are left out.

    Args:
        data: The file, JSON in UTF-8.
        root: Folder that the file names are below.

    Raises:
        CocoError: The file contradicts itself or is laid out otherwise. It names up to ``MAX_FAULTS`` places.
    """
    if b'"annolist"' in data[:1000]:
        return read_annolist(data, root)
    document = decode(data)
    try:
        images = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_Images).images
    except msgspec.ValidationError as error:
        raise CocoError([fault(error)]) from None
    columns, count = _columns([category.keypoints for category in document.categories])
    faults = Faults()
    folders, place_of = _folders(images, faults)
    faults.check()
    _people(document.annotations, columns, count, place_of, faults)
    faults.check()
    return [folder.video(root) for folder in folders.values()]


class _Image(msgspec.Struct, gc=False):
    id: Id
    file_name: str
    is_labeled: bool | int | None = None
    ignore_regions_x: list[list[float]] = []
    ignore_regions_y: list[list[float]] = []


class _Images(msgspec.Struct):
    images: list[_Image]


class _Annotation(msgspec.Struct, gc=False):
    image_id: Id
    track_id: int
    keypoints: list[float]
    bbox_head: list[float] = []


def _columns(categories: Sequence[list[str]]) -> tuple[np.ndarray, int]:
    """``(15,)`` where each joint of ``POSETRACK_15`` stands in the file, and how many keypoints the file has."""
    names = next((names for names in categories if names), [])
    pointer = f"/categories/{list(categories).index(names)}/keypoints" if names else "/categories"
    if missing := [name for name in POSETRACK_15.keypoints if name not in names]:
        raise CocoError([(pointer, f"PoseTrack's joint {missing[0]!r} is not among the keypoints")])
    return np.array([names.index(name) for name in POSETRACK_15.keypoints]), len(names)


def _folders(images: Sequence[_Image], faults: Faults) -> tuple[dict[str, Folder], dict[int, tuple[Folder, int]]]:
    """The videos by folder, and the video and file number of each image id."""
    folders: dict[str, Folder] = {}
    place_of: dict[int, tuple[Folder, int]] = {}
    for index, image in enumerate(images):
        pointer = f"/images/{index}"
        found = place(folders, image.file_name, f"{pointer}/file_name", faults)
        if found is None:
            continue
        folder, number = found
        regions = list(zip(image.ignore_regions_x, image.ignore_regions_y, strict=False))
        if len(image.ignore_regions_x) != len(image.ignore_regions_y) or any(len(x) != len(y) for x, y in regions):
            faults.add(f"{pointer}/ignore_regions_x", "there are not as many x as y in ignore_regions_y")
        elif regions:
            folder.ignored[number] = [np.array(region, dtype=np.float64).T for region in regions]
        if image.id in place_of:
            faults.add(f"{pointer}/id", f"image {image.id} stands there twice")
        place_of[image.id] = found
        if image.is_labeled is not None:
            folder.labelled[number] = bool(image.is_labeled)
    return folders, place_of


def _people(
    annotations: list[msgspec.Raw],
    columns: np.ndarray,
    count: int,
    place_of: dict[int, tuple[Folder, int]],
    faults: Faults,
) -> None:
    for index, row in enumerate(rows(annotations, _Annotation, "/annotations")):
        pointer = f"/annotations/{index}"
        if isinstance(row, tuple):
            faults.add(*row)
        elif row.image_id not in place_of:
            faults.add(f"{pointer}/image_id", f"there is no image {row.image_id}")
        elif len(row.keypoints) != 3 * count:
            faults.add(f"{pointer}/keypoints", f"{len(row.keypoints)} numbers, not {3 * count}: x, y, visibility")
        elif len(row.bbox_head) not in (0, 4):
            faults.add(f"{pointer}/bbox_head", f"{len(row.bbox_head)} numbers, not 4: x, y, width, height")
        else:
            folder, number = place_of[row.image_id]
            pose = np.array(row.keypoints, dtype=np.float64).reshape(-1, 3)[columns]
            folder.add(number, row.track_id, pose, row.bbox_head, pointer, faults)
