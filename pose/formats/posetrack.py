"""PoseTrack annotation files: people with 15 joints and head boxes, on the frames of many videos kept as images.

The layout is that of PoseTrack18 and PoseTrack21 (Andriluka et al., *PoseTrack: a benchmark for human pose estimation
and tracking*, CVPR 2018; Doering et al., *PoseTrack21*, CVPR 2022), which PoseTrack17 is usually converted to: COCO
keypoints whose images name their file, and say whether people are labelled there and which regions are to be ignored,
and whose annotations carry ``track_id`` and ``bbox_head``. Two of the 17 keypoints, the ears, are never labelled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np

from pose.formats.coco_layout import MAX_COORDINATE, MAX_FAULTS, CocoError, Fault, Id, decode, fault, rows
from pose.skeleton import POSETRACK_15
from pose.track import Track

#: Where the annotations of a split lie below the folder of the data set: PoseTrack18's place and PoseTrack21's.
ANNOTATION_FOLDERS = ("annotations", "posetrack_data")

#: A video whose file names span more frames than this is refused.
MAX_FRAMES = 100_000


@dataclass(frozen=True, eq=False)
class PoseTrackVideo:
    """One video and the people labelled in it.

    Attributes:
        name: Folder of the frames, such as ``000342_mpii_test``.
        frames: The image files; the lowest number listed is frame 0. A number that the annotation file leaves out has
            its place here too.
        labelled: ``(L,)`` frame indices on which people are labelled, if there are any.
        tracks: Poses in the order of ``POSETRACK_15``, by track id.
        head_boxes: ``(F, 4)`` x, y, width, height on the frames of the track of the same id; NaN where there is none.
        ignored: ``(P, 2)`` corners of each region to be ignored, by frame index.
    """

    name: str
    frames: tuple[Path, ...]
    labelled: np.ndarray
    tracks: dict[int, Track]
    head_boxes: dict[int, np.ndarray]
    ignored: dict[int, list[np.ndarray]]


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
    """Read an annotation file; a video is what lies in one folder.

    A point with visibility 0 that has coordinates is taken as labelled but hidden, as poseval counts it; only ``0,0,0``
    is not labelled. People without a labelled point are left out.

    Args:
        data: The file, JSON in UTF-8.
        root: Folder that the file names are below.

    Raises:
        CocoError: The file contradicts itself or is laid out otherwise. It names up to ``MAX_FAULTS`` places.
    """
    if b'"annolist"' in data[:1000]:
        raise CocoError(
            [("", "this is PoseTrack17's annolist; poseval's convert.py turns it into the layout read here")]
        )
    document = decode(data)
    try:
        images = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_Images).images
    except msgspec.ValidationError as error:
        raise CocoError([fault(error)]) from None
    columns, count = _columns([category.keypoints for category in document.categories])
    faults: list[Fault] = []
    folders, place_of = _folders(images, faults)
    if not faults:
        _people(document.annotations, columns, count, folders, place_of, faults)
    if faults:
        raise CocoError(faults)
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


@dataclass(eq=False)
class _Folder:
    """A video as it is being read; ``files`` are the listed names by number."""

    name: str
    files: dict[int, PurePosixPath] = field(default_factory=dict)
    labelled: dict[int, bool] = field(default_factory=dict)
    ignored: dict[int, list[np.ndarray]] = field(default_factory=dict)
    people: dict[int, dict[int, tuple[np.ndarray, list[float]]]] = field(default_factory=dict)

    def video(self, root: Path) -> PoseTrackVideo:
        first = min(self.files)
        people = {number: dict(sorted(found.items())) for number, found in sorted(self.people.items())}
        return PoseTrackVideo(
            name=self.name,
            frames=tuple(root / self._file(number) for number in range(first, max(self.files) + 1)),
            labelled=np.array(sorted(number - first for number, is_so in self.labelled.items() if is_so), np.int64),
            tracks={
                number: Track.labelled(np.array(list(found)) - first, np.stack([pose for pose, _ in found.values()]))
                for number, found in people.items()
            },
            head_boxes={
                number: np.array([box or [np.nan] * 4 for _, box in found.values()], dtype=np.float64)
                for number, found in people.items()
            },
            ignored={number - first: regions for number, regions in sorted(self.ignored.items())},
        )

    def _file(self, number: int) -> PurePosixPath:
        if number in self.files:
            return self.files[number]
        pattern = self.files[min(self.files)]
        return pattern.with_name(re.sub(r"^\d+", lambda found: f"{number:0{len(found[0])}}", pattern.name))


def _columns(categories: Sequence[list[str]]) -> tuple[np.ndarray, int]:
    """``(15,)`` where each joint of ``POSETRACK_15`` stands in the file, and how many keypoints the file has."""
    names = next((names for names in categories if names), [])
    pointer = f"/categories/{list(categories).index(names)}/keypoints" if names else "/categories"
    if missing := [name for name in POSETRACK_15.keypoints if name not in names]:
        raise CocoError([(pointer, f"PoseTrack's joint {missing[0]!r} is not among the keypoints")])
    return np.array([names.index(name) for name in POSETRACK_15.keypoints]), len(names)


def _folders(images: Sequence[_Image], faults: list[Fault]) -> tuple[dict[str, _Folder], dict[int, tuple[str, int]]]:
    """The videos by folder, and the folder and file number of each image id."""
    folders: dict[str, _Folder] = {}
    place_of: dict[int, tuple[str, int]] = {}
    for index, image in enumerate(images):
        file = PurePosixPath(image.file_name)
        digits = re.match(r"\d+", file.name)
        pointer = f"/images/{index}"
        if not digits or file.is_absolute() or ".." in file.parts:
            _add(
                faults,
                f"{pointer}/file_name",
                f"{image.file_name!r} is not like images/val/000342_mpii_test/000000.jpg",
            )
            continue
        number = int(digits[0])
        folder = folders.setdefault(str(file.parent), _Folder(file.parent.name))
        regions = list(zip(image.ignore_regions_x, image.ignore_regions_y, strict=False))
        if len(image.ignore_regions_x) != len(image.ignore_regions_y) or any(len(x) != len(y) for x, y in regions):
            _add(faults, f"{pointer}/ignore_regions_x", "there are not as many x as y in ignore_regions_y")
        elif regions:
            folder.ignored[number] = [np.array(region, dtype=np.float64).T for region in regions]
        if image.id in place_of:
            _add(faults, f"{pointer}/id", f"image {image.id} stands there twice")
        if number in folder.files:
            _add(faults, f"{pointer}/file_name", f"{folder.files[number]} and {file} are both frame {number}")
        place_of[image.id] = (str(file.parent), number)
        folder.files[number] = file
        if max(folder.files) - min(folder.files) >= MAX_FRAMES:
            _add(faults, f"{pointer}/file_name", f"frames {min(folder.files)} to {max(folder.files)} are too many")
        if image.is_labeled is not None:
            folder.labelled[number] = bool(image.is_labeled)
    return folders, place_of


def _people(
    annotations: list[msgspec.Raw],
    columns: np.ndarray,
    count: int,
    folders: dict[str, _Folder],
    place_of: dict[int, tuple[str, int]],
    faults: list[Fault],
) -> None:
    for index, row in enumerate(rows(annotations, _Annotation, "/annotations")):
        pointer = f"/annotations/{index}"
        if isinstance(row, tuple):
            _add(faults, *row)
            continue
        if row.image_id not in place_of:
            _add(faults, f"{pointer}/image_id", f"there is no image {row.image_id}")
            continue
        name, number = place_of[row.image_id]
        if len(row.keypoints) != 3 * count:
            _add(faults, f"{pointer}/keypoints", f"{len(row.keypoints)} numbers, not {3 * count}: x, y, visibility")
            continue
        if len(row.bbox_head) not in (0, 4):
            _add(faults, f"{pointer}/bbox_head", f"{len(row.bbox_head)} numbers, not 4: x, y, width, height")
            continue
        pose = np.array(row.keypoints, dtype=np.float64).reshape(-1, 3)[columns]
        known = pose.any(axis=1)
        if not known.any():
            continue
        if (np.abs(pose) > MAX_COORDINATE).any():
            _add(faults, f"{pointer}/keypoints", f"a coordinate is beyond {MAX_COORDINATE:.0f} pixels")
        pose[:, 2] = np.where(pose[:, 2] > 0, 2, known)
        folder = folders[name]
        poses = folder.people.setdefault(row.track_id, {})
        if number in poses:
            _add(faults, f"{pointer}/track_id", f"track {row.track_id} has a pose on {folder.files[number]} already")
        poses[number] = pose, row.bbox_head
        folder.labelled.setdefault(number, True)


def _add(faults: list[Fault], pointer: str, sentence: str) -> None:
    if len(faults) < MAX_FAULTS:
        faults.append((pointer, sentence))
