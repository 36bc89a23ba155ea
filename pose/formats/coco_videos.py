"""Reading any COCO keypoint file for training: the poses of many videos, or of stills, in one file.

Which frames belong together is taken from what the images say:

- ``frame_index``, as Posetween and TAO write it: the frame of the video of ``video_id``, counted from 0.
- ``video_id`` alone: the numbers in the file names of a video's images are its frames, the lowest one being frame 0.
- Neither, as in COCO itself: each image is a still, a video of one frame.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import msgspec
import numpy as np

from pose.formats.coco_identity import Identities, identities_of
from pose.formats.coco_layout import CocoError, Faults, Image, decode, fault, whole
from pose.formats.coco_rows import Instances, check_scores, read_instances, tracks_of
from pose.formats.coco_skeleton import posed
from pose.formats.coco_skipped import Skipped
from pose.formats.video_labels import VideoLabels
from pose.image_folder import MAX_FRAMES, SUFFIXES, number_of, renumbered
from pose.skeleton import Skeleton


class _Video(msgspec.Struct, gc=False):
    id: int | str
    name: str = ""
    file_name: str = ""


class _Listed(msgspec.Struct):
    videos: list[_Video] = []


@dataclass(eq=False)
class Sequence:
    """A video or a still as it is being read.

    Attributes:
        name: What the file calls it, else its id, else the folder of its images.
        folder: The folder that all of its images are in; empty where there is none.
        still: Whether it is a still.
        images: The position in the file of each frame's image.
        file: The video file that the file names.
        listed: Whether the file names it.
    """

    name: str
    folder: str
    still: bool
    images: dict[int, int] = field(default_factory=dict)
    file: str = ""
    listed: bool = False


def read_coco_videos(data: bytes, root: Path = Path(), *, skeleton: Skeleton | None = None) -> list[VideoLabels]:
    """Read the poses of all videos and stills of a file, in the order in which they are first named.

    Where annotations say no identity, the subjects of a still are numbered from 1, and a frame of a video shows one
    subject, track 1, or one of each category. What is no pose of the skeleton is left out, and so are videos of which
    nothing remains. ``VideoLabels.file`` is what ``videos[].file_name`` names, if there is such a file.

    Args:
        data: The file, JSON in UTF-8.
        root: Folder that the file names are below.
        skeleton: The keypoints wanted. The file may name them in another order, and may lack some: those stay unknown.

    Raises:
        CocoError: The file contradicts itself or ``skeleton``. It names up to ``MAX_FAULTS`` places.
    """
    document = decode(data)
    warnings: list[str] = []
    categories = posed(document, skeleton, warnings)
    faults = Faults()
    sequences = sequences_of(data, document.images, faults)
    kept = read_instances(document, categories, faults, Skipped())
    check_scores(kept, categories, faults)
    faults.check()

    by_image: dict[int, list[int]] = defaultdict(list)
    for row, image in enumerate(kept.images.tolist()):
        by_image[image].append(row)
    places = []
    for sequence in sequences:
        where = [(row, frame) for frame, image in sequence.images.items() for row in by_image.get(image, ())]
        if where:
            rows, frames = np.array(where, dtype=np.int64).T
            shown = kept.select(rows)
            tracks = who_is_who(shown, frames, categories.names, still=sequence.still, faults=faults).tracks
            places.append((sequence, shown, frames, tracks))
    faults.check()
    return [
        VideoLabels(
            name=sequence.name,
            skeleton=categories.skeleton,
            tracks=tracks_of(shown, shown.known, frames, tracks, shown.absent),
            frames=_files(sequence, document.images, root),
            file=_video_file(sequence, root),
        )
        for sequence, shown, frames, tracks in places
    ]


def sequences_of(data: bytes, images: list[Image], faults: Faults) -> list[Sequence]:
    """The videos and stills of a file, in the order in which they are first named.

    Args:
        data: The file.
        images: Its images.
        faults: Takes what is wrong with how they are numbered.

    Raises:
        CocoError: The list of videos is none.
    """
    try:
        listed = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_Listed).videos
    except msgspec.ValidationError as error:
        raise CocoError([fault(error)]) from None
    grouped: dict[tuple[str, int | float | str], list[int]] = defaultdict(list)
    lone = any(image.video_id is None and image.frame_index is not None for image in images)
    ids: set[int] = set()
    for index, image in enumerate(images):
        if image.id in ids:
            faults.add(f"/images/{index}/id", f"image {image.id} stands there twice")
        ids.add(image.id)
        _check_inside(image.file_name or "", f"/images/{index}/file_name", faults)
        # Images without a video are frames of one if some of them say which frame they are.
        still = image.video_id is None and not lone
        grouped["still" if still else "video", index if still else _id(image)].append(index)
    videos: dict[int | float | str, tuple[int, _Video]] = {
        video.id: (place, video) for place, video in enumerate(listed)
    }
    sequences = []
    for (kind, key), members in grouped.items():
        image = images[members[0]]
        if kind == "still":
            name = image.file_name or f"image {image.id}"
            sequences.append(Sequence(name, "", still=True, images={0: members[0]}))
            continue
        place, video = videos.get(key, (0, _Video(str(key))))
        _check_inside(video.file_name, f"/videos/{place}/file_name", faults)
        folders = {str(PurePosixPath(images[index].file_name or "").parent) for index in members}
        folder = folders.pop().removeprefix(".") if len(folders) == 1 else ""
        first = str(PurePosixPath(image.file_name or "").parent)
        name = video.name or video.file_name or str(key) or (first if first != "." else "video")
        frames = _frames(members, images, faults)
        found = Sequence(name, folder, still=False, images=frames, file=video.file_name, listed=key in videos)
        sequences.append(found)
    return sequences


def _id(image: Image) -> int | float | str:
    return "" if image.video_id is None else image.video_id


def _frames(members: list[int], images: list[Image], faults: Faults) -> dict[int, int]:
    """The positions of a video's images by frame."""
    indexed = any(images[index].frame_index is not None for index in members)
    numbers = [
        whole(images[index].frame_index) if indexed else number_of(images[index].file_name or "") for index in members
    ]
    field = "frame_index" if indexed else "file_name"
    frames: dict[int, int] = {}
    for index, number in zip(members, numbers, strict=True):
        pointer, name = f"/images/{index}/{field}", images[index].file_name
        if number is None:
            said = images[index].frame_index
            missing = "missing, while other images of this video have one" if said is None else f"{said!r} is no frame"
            faults.add(pointer, missing if indexed else f"{name!r} has no number, and there is no frame_index either")
        elif number < 0:
            faults.add(pointer, f"{number} is no frame; they count from 0")
        elif number in frames:
            faults.add(pointer, f"frame {number} is image {images[frames[number]].id} already")
        else:
            frames[number] = index
    first = 0 if indexed else min(frames, default=0)
    return {number - first: index for number, index in frames.items()}


def _check_inside(name: str, pointer: str, faults: Faults) -> None:
    file = PurePosixPath(name)
    if file.is_absolute() or ".." in file.parts:
        faults.add(pointer, f"{name!r} does not lie in the folder of the data set")


def who_is_who(
    shown: Instances, frames: np.ndarray, categories: dict[int, str], *, still: bool, faults: Faults
) -> Identities:
    """The subjects of a video or still; those of a still are numbered from 1 where nothing says who they are.

    Args:
        shown: ``N`` instances.
        frames: ``(N,)`` the frame of each.
        categories: Their categories' names by id.
        still: Whether it is a still.
        faults: Takes contradictions, see ``identities_of``.
    """
    if still and not any(value is not None for values in shown.identities.values() for value in values):
        return Identities(np.arange(1, len(shown) + 1), {}, numbered=True)
    return identities_of(shown, frames, categories, faults, [], first_track=0)


def _files(sequence: Sequence, images: list[Image], root: Path) -> tuple[Path, ...]:
    """The image files of a video; empty where they are not named, or frames between them cannot be."""
    named = {frame: root / (images[index].file_name or "") for frame, index in sequence.images.items()}
    if any(file.suffix.lower() not in SUFFIXES for file in named.values()):
        return ()
    length = max(named) + 1
    if len(named) == length:
        return tuple(named[frame] for frame in range(length))
    numbers = {(number_of(file.name) or 0) - frame for frame, file in named.items()}
    if length > MAX_FRAMES or len(numbers) > 1 or len({file.parent for file in named.values()}) > 1:
        return ()
    first, pattern = numbers.pop(), next(iter(named.values()))
    return tuple(named.get(frame) or renumbered(pattern, first + frame) for frame in range(length))


def _video_file(sequence: Sequence, root: Path) -> Path | None:
    file = root / sequence.file
    return file if sequence.file and file.is_file() else None
