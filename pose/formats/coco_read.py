"""Reading the poses of one video from a COCO keypoint file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from pose.formats.coco_absence import absences_of
from pose.formats.coco_frames import BY_FIELD, ImageFrames, Numbering, frames_of, rescaled, scales_of
from pose.formats.coco_identity import identities_of
from pose.formats.coco_layout import Document, Faults, Image, counted, decode
from pose.formats.coco_rows import Instances, check_scores, pointer_to, read_instances, tracks_of
from pose.formats.coco_skeleton import PoseCategories, posed
from pose.formats.coco_skipped import Skipped
from pose.skeleton import Skeleton
from pose.track import Track

_PLACES = 3  # that a warning names

# Only a person's point has score 1 (``pose.track``), however sure a machine is.
_NOT_A_PERSON = float(np.nextafter(np.float32(1), np.float32(0)))


@dataclass(frozen=True)
class Reading:
    """Options of reading a file.

    Attributes:
        numbering: How images say which frame of the video they are.
        scale: What happens to images of another size than the video's: ``refuse``, or ``fit`` the coordinates.
        machine: What happens to a machine's poses: ``keep`` them apart from people's, ``skip`` them, or take them for
            a person's (``human``).
    """

    numbering: Numbering = BY_FIELD
    scale: Literal["refuse", "fit"] = "refuse"
    machine: Literal["keep", "skip", "human"] = "keep"


#: ``frame_index`` at the video's size, a machine's poses apart from people's.
AS_IS = Reading()


@dataclass(frozen=True, eq=False)
class CocoPoses:
    """The poses of one video.

    Attributes:
        skeleton: The one asked for, else the one in the file, with 0-based edges.
        width: Pixels; None where images differ or do not say.
        height: Pixels; None where images differ or do not say.
        labels: What people labelled, by track id: score 1, radius 0, or that points are absent.
        pseudo: What machines made, by track id: scores are below 1.
        names: What the file calls the tracks, by id, where it does not call them ``track_id`` and a number.
        numbered: Whether track ids are the file's own numbers; otherwise tracks are known by their names alone.
        file_names: File name of each image whose frame is known, by frame, ascending.
        offset: Number that the first frame of the video was taken to have in the file.
        skipped: How many annotations were passed over, by kind (see ``coco_skipped``).
        warnings: Sentences on what the file says and the tracks do not carry.
    """

    skeleton: Skeleton
    width: int | None
    height: int | None
    labels: dict[int, Track]
    pseudo: dict[int, Track]
    names: dict[int, str]
    numbered: bool
    file_names: dict[int, str]
    offset: int
    skipped: dict[str, int]
    warnings: list[str]

    @cached_property
    def tracks(self) -> dict[int, Track]:
        """All poses by track id, people's over machines'."""
        merged = {**self.pseudo, **self.labels}
        for number in self.pseudo.keys() & self.labels.keys():
            merged[number] = self.labels[number].over(self.pseudo[number])
        return dict(sorted(merged.items()))


def read_coco(
    data: bytes,
    *,
    num_frames: int | None = None,
    size: tuple[int, int] | None = None,
    skeleton: Skeleton | None = None,
    reading: Reading = AS_IS,
    most_points: int | None = None,
) -> CocoPoses:
    """Read the poses of one video, labels and pseudo-labels.

    Images say their ``frame_index`` or have its number in their file name, annotations their ``track_id`` or another
    identity (``coco_identity``); where nothing does, each image shows one subject, track 1. ``source`` and scores say
    who made a pose (``coco_origin``). Points with visibility 0 become 0, 0 whatever coordinates they bring. Crowds,
    boxes, masks, other categories and poses without a known point are skipped with a warning, and so are points outside
    of the video and at 0, 0 told of.

    Args:
        data: The file, JSON in UTF-8.
        num_frames: Length of the video; later frames are refused.
        size: Width and height of the video; None to take coordinates as they are.
        skeleton: The keypoints wanted. The file may name them in another order, and may lack some: those stay unknown.
        reading: How it is read.
        most_points: Points of poses, unknown ones among them, that are read at most; None for any number.

    Raises:
        CocoError: The file contradicts itself or the arguments, or holds more. It names up to ``MAX_FAULTS`` places.
        PatternError: The pattern for file names cannot be used.
    """
    document = decode(data)
    warnings: list[str] = []
    categories = posed(document, skeleton, warnings)
    faults, skipped = Faults(), Skipped()
    frames = frames_of(document.images, reading.numbering, num_frames, faults, warnings)
    scales = scales_of(document.images, size, reading.scale, faults, warnings)
    found = read_instances(
        document, categories, faults, skipped, machine_poses=reading.machine, most_points=most_points
    )
    found = _made(found, reading, warnings)
    check_scores(found, categories, faults)
    np.minimum(found.scores, _NOT_A_PERSON, out=found.scores, where=found.machine)
    frame_of = np.append(frames.indices, -1)[found.images]
    identities = identities_of(found, frame_of, categories.names, faults, warnings)
    faults.check()

    warnings += skipped.sentences()
    _tell_of_zeros(found, categories, warnings)
    _tell_of_shares(found, warnings)
    _rescale(found, scales)
    _tell_of_outside(found, categories, document, size, warnings)
    labels = tracks_of(found, found.known & ~found.machine, frame_of, identities.tracks, found.absent)
    absent = absences_of(
        document.images, frames.indices, identities, labels, categories, faults, most_points=most_points
    )
    faults.check()
    for number, track in absent.items():
        labels[number] = labels[number].over(track) if number in labels else track
    return CocoPoses(
        skeleton=categories.skeleton,
        width=_shared([image.width for image in document.images]),
        height=_shared([image.height for image in document.images]),
        labels=dict(sorted(labels.items())),
        pseudo=tracks_of(found, found.machine, frame_of, identities.tracks),
        names=identities.names,
        numbered=identities.numbered,
        file_names=_file_names(document.images, frames),
        offset=frames.offset,
        skipped=skipped.kinds,
        warnings=warnings,
    )


def _made(found: Instances, reading: Reading, warnings: list[str]) -> Instances:
    """The points that are read of those that a machine made, and people's."""
    poses = found.machine.any(axis=1)
    count, first = int(poses.sum()), found.positions[poses][:1]
    if reading.machine == "human":
        if count:
            made = counted(count, "pose")
            warnings.append(f"{made} of a machine taken for a person's, the first /annotations/{first[0]}")
        return found.by_hand()
    if reading.machine == "keep" or not count:
        return found
    points = counted(int(found.machine.sum()), "point")
    warnings.append(
        f"{points} of a machine left out of {counted(count, 'pose')} with a person's as well, "
        f"the first /annotations/{first[0]}"
    )
    return found.without(found.machine)


def _rescale(found: Instances, scales: np.ndarray) -> None:
    by_row = np.append(scales, [[1.0, 1.0]], axis=0)[found.images][:, None]
    known = found.known
    found.keypoints[..., :2] = np.where(known[..., None], rescaled(found.keypoints[..., :2], by_row), 0)
    found.radius90[...] = found.radius90 * np.sqrt(by_row.prod(axis=-1))


def _tell_of_zeros(found: Instances, categories: PoseCategories, warnings: list[str]) -> None:
    zeros = found.known & (found.keypoints[..., :2] == 0).all(axis=-1)
    if places := _places(zeros, found, categories):
        warnings.append(
            f"{counted(int(zeros.sum()), 'point')} at (0, 0) with v > 0, {places}; "
            "a point that is not labelled has v = 0"
        )


def _tell_of_shares(found: Instances, warnings: list[str]) -> None:
    xy = found.keypoints[..., :2][found.known]
    if np.any(xy % 1) and np.all((xy >= 0) & (xy <= 1)):
        warnings.append("all coordinates are from 0 to 1: are they shares of the image? they are taken as pixels")


def _tell_of_outside(
    found: Instances, categories: PoseCategories, document: Document, size: tuple[int, int] | None, warnings: list[str]
) -> None:
    if size is None:
        extents = [(image.width or np.inf, image.height or np.inf) for image in document.images]
        limits = np.array([*extents, (np.inf, np.inf)])[found.images]
    else:
        limits = np.broadcast_to(np.array(size, dtype=float), (len(found), 2))
    xy = found.keypoints[..., :2]
    # Pixel centres are at integers, so that the image ends half a pixel beyond the last one.
    outside = found.known & ~((xy >= -0.5) & (xy <= limits[:, None] - 0.5)).all(axis=-1)
    if places := _places(outside, found, categories):
        of = "the image" if size is None else f"the video's {size[0]} x {size[1]} pixels"
        warnings.append(f"{counted(int(outside.sum()), 'point')} with v > 0 outside {of}, {places}")


def _places(mask: np.ndarray, found: Instances, categories: PoseCategories) -> str:
    """The first of the points of a mask in words; empty where there are none."""
    places = [
        f"{categories.skeleton.keypoints[k]} ({found.keypoints[row, k, 0]:g}, {found.keypoints[row, k, 1]:g}) at "
        + pointer_to(found, categories, row, k, "keypoints", 3)
        for row, k in np.argwhere(mask)[:_PLACES]
    ]
    return f"the first {', '.join(places)}" if places else ""


def _file_names(images: list[Image], frames: ImageFrames) -> dict[int, str]:
    order = np.argsort(frames.indices, kind="stable")
    return {int(frames.indices[index]): images[index].file_name or "" for index in order if frames.indices[index] >= 0}


def _shared(values: list[int | float | None]) -> int | None:
    distinct = set(values)
    value = distinct.pop() if len(distinct) == 1 else None
    return int(value) if value is not None and value == int(value) else None
