"""Reading the poses of one video from a COCO keypoint file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose.formats.coco_layout import Faults, Image, decode
from pose.formats.coco_rows import NO_TRACK, Instances, columns_of, first_of, read_instances, tracks_of
from pose.formats.coco_skeleton import read_skeleton
from pose.skeleton import Skeleton
from pose.track import Track


@dataclass(frozen=True, eq=False)
class CocoPoses:
    """The poses of one video.

    Attributes:
        skeleton: The one asked for, else the one in the file, with 0-based edges.
        width: Pixels; None where images differ or do not say.
        height: Pixels; None where images differ or do not say.
        tracks: By track id. A point that brings no score is a person's label: score 1, radius 0.
        warnings: Sentences on what the file says and the tracks do not carry.
    """

    skeleton: Skeleton
    width: int | None
    height: int | None
    tracks: dict[int, Track]
    warnings: list[str]


def read_coco(data: bytes, *, num_frames: int | None = None, skeleton: Skeleton | None = None) -> CocoPoses:
    """Read the poses of one video, labels or pseudo-labels.

    Images say their ``frame_index``, annotations their ``track_id``; where no annotation has one, each image shows one
    subject, track 1. Points with visibility 0 become 0, 0 whatever coordinates they bring. Crowds and instances without
    a known point are left out with a warning.

    Args:
        data: The file, JSON in UTF-8.
        num_frames: Length of the video; later frames are refused.
        skeleton: The keypoints wanted. The file may name them in another order, and may lack some: those stay unknown.

    Raises:
        CocoError: The file contradicts itself or the arguments. It names up to ``MAX_FAULTS`` places.
    """
    document = decode(data)
    warnings: list[str] = []
    found = read_skeleton(document.categories, warnings)
    columns = columns_of(found.keypoints, skeleton.keypoints if skeleton else found.keypoints, document, warnings)
    faults = Faults()
    frame_at = _frames(document.images, num_frames, faults)
    kept = read_instances(document, found.size, faults)
    frames = np.append(frame_at, -1)[kept.images]
    tracks = _tracks(kept, frames, faults)
    faults.check()

    crowds = len(document.annotations) - len(kept.positions)
    if crowds:
        warnings.append(f"{crowds} crowd annotations are left out")
    if not kept.known.all():
        warnings.append(f"{np.count_nonzero(~kept.known)} annotations without a known point are left out")
    chosen = np.flatnonzero(kept.known)
    return CocoPoses(
        skeleton=skeleton or found,
        width=_shared([image.width for image in document.images]),
        height=_shared([image.height for image in document.images]),
        tracks=tracks_of(kept, chosen, frames[chosen], tracks[chosen], columns),
        warnings=warnings,
    )


def _frames(images: list[Image], num_frames: int | None, faults: Faults) -> np.ndarray:
    """``(I,)`` the frame index of each image, -1 where it has none that is right."""
    frames = np.full(len(images), -1, dtype=np.int64)
    image_of: dict[int, int] = {}
    ids: set[int] = set()
    stop = 2**31 if num_frames is None else num_frames
    for index, image in enumerate(images):
        pointer, frame = f"/images/{index}", image.frame_index
        if image.video_id != images[0].video_id:
            sentence = (
                f"video {image.video_id!r} after video {images[0].video_id!r}: a file holds the poses of one video"
            )
            faults.add(f"{pointer}/video_id", sentence)
        if image.id in ids:
            faults.add(f"{pointer}/id", f"image {image.id} stands there twice")
        ids.add(image.id)
        if frame is None:
            faults.add(f"{pointer}/frame_index", "missing; it says which frame of the video this is, counted from 0")
        elif not 0 <= frame < stop:
            faults.add(f"{pointer}/frame_index", f"frame {frame} is not in the video, which has frames 0 to {stop - 1}")
        elif frame in image_of:
            faults.add(f"{pointer}/frame_index", f"frame {frame} is image {image_of[frame]} already")
        else:
            image_of[frame] = image.id
            frames[index] = frame
    return frames


def _tracks(kept: Instances, frames: np.ndarray, faults: Faults) -> np.ndarray:
    """``(N,)`` the track id of each instance, 1 throughout where the file has none."""
    untracked = kept.tracks == NO_TRACK
    tracked = not untracked.all()
    if tracked and untracked.any():
        for (row,) in first_of(untracked):
            faults.add(f"/annotations/{kept.positions[row]}/track_id", "missing, while other annotations have one")
        return kept.tracks
    tracks = np.where(untracked, 1, kept.tracks)
    order = np.lexsort((frames, tracks))
    for (place,) in first_of((np.diff(frames[order]) == 0) & (np.diff(tracks[order]) == 0) & (frames[order[1:]] >= 0)):
        row = order[place + 1]
        sentence = (
            f"track {tracks[row]} has a pose on frame {frames[row]} already"
            if tracked
            else f"frame {frames[row]} shows two subjects; track_id would say which is which"
        )
        faults.add(f"/annotations/{kept.positions[row]}/track_id", sentence)
    return tracks


def _shared(values: list[int | float | None]) -> int | None:
    distinct = set(values)
    value = distinct.pop() if len(distinct) == 1 else None
    return int(value) if value is not None and value == int(value) else None
