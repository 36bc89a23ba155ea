"""Reading the poses of one video from a COCO keypoint file."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from pose.formats.coco_layout import (
    MAX_COORDINATE,
    MAX_FAULTS,
    CocoError,
    Document,
    Fault,
    Id,
    Image,
    decode,
    rows,
)
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


class _Annotation(msgspec.Struct, gc=False):
    id: Id
    image_id: Id
    category_id: Id
    keypoints: list[float]
    track_id: int | None = None
    iscrowd: int | bool = 0
    keypoint_scores: list[float] | None = None
    keypoint_radius90: list[float] | None = None


class _Faults(list[Fault]):
    def add(self, pointer: str, sentence: str) -> None:
        if len(self) < MAX_FAULTS:
            self.append((pointer, sentence))

    def check(self) -> None:
        if self:
            raise CocoError(self)


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
    columns = _columns(found.keypoints, skeleton.keypoints if skeleton else found.keypoints, document, warnings)
    faults = _Faults()
    frames = _frames(document.images, num_frames, faults)
    kept = _instances(document, found.size, frames, faults)
    faults.check()

    crowds = len(document.annotations) - len(kept.positions)
    if crowds:
        warnings.append(f"{crowds} crowd annotations are left out")
    known: np.ndarray = np.any(kept.keypoints[..., 2] > 0, axis=1)
    if not known.all():
        warnings.append(f"{np.count_nonzero(~known)} annotations without a known point are left out")
    return CocoPoses(
        skeleton=skeleton or found,
        width=_shared([image.width for image in document.images]),
        height=_shared([image.height for image in document.images]),
        tracks=_tracks(kept, known, columns),
        warnings=warnings,
    )


def _columns(names: Sequence[str], wanted: Sequence[str], document: Document, warnings: list[str]) -> np.ndarray:
    """``(K wanted,)`` where each keypoint stands in the file, -1 for one the file lacks."""
    position = {name: index for index, name in enumerate(names)}
    if unknown := [name for name in names if name not in set(wanted)]:
        index = next(index for index, category in enumerate(document.categories) if category.keypoints)
        pointer = f"/categories/{index}/keypoints/{position[unknown[0]]}"
        known = ", ".join(wanted)
        raise CocoError([(pointer, f"keypoint {unknown[0]!r} is not in the skeleton, which has {known}")])
    if missing := [name for name in wanted if name not in position]:
        warnings.append(f"keypoints the file lacks stay unlabelled: {', '.join(missing)}")
    return np.array([position.get(name, -1) for name in wanted])


def _frames(images: list[Image], num_frames: int | None, faults: _Faults) -> dict[int, int]:
    """The frame index of each image id, -1 where it has none that is right."""
    frames: dict[int, int] = {}
    image_of: dict[int, int] = {}
    stop = 2**31 if num_frames is None else num_frames
    for index, image in enumerate(images):
        pointer, frame = f"/images/{index}", image.frame_index
        if image.video_id != images[0].video_id:
            sentence = (
                f"video {image.video_id!r} after video {images[0].video_id!r}: a file holds the poses of one video"
            )
            faults.add(f"{pointer}/video_id", sentence)
        if image.id in frames:
            faults.add(f"{pointer}/id", f"image {image.id} stands there twice")
        if frame is None:
            faults.add(f"{pointer}/frame_index", "missing; it says which frame of the video this is, counted from 0")
        elif not 0 <= frame < stop:
            faults.add(f"{pointer}/frame_index", f"frame {frame} is not in the video, which has frames 0 to {stop - 1}")
            frame = None
        elif frame in image_of:
            faults.add(f"{pointer}/frame_index", f"frame {frame} is image {image_of[frame]} already")
        else:
            image_of[frame] = image.id
        frames[image.id] = -1 if frame is None else frame
    return frames


@dataclass(frozen=True, eq=False)
class _Instances:
    positions: np.ndarray  # (N,) index in the file's annotations
    frames: np.ndarray  # (N,)
    tracks: np.ndarray  # (N,) 1 throughout where the file has none
    keypoints: np.ndarray  # (N, K, 3) as in the file
    scores: np.ndarray  # (N, K)
    radius90: np.ndarray  # (N, K)


def _instances(document: Document, count: int, frames: dict[int, int], faults: _Faults) -> _Instances:
    posed = {category.id for category in document.categories if category.keypoints}
    # Flat, and growing with the file: a few bytes of it must not ask for much memory.
    keypoints, scores, radius90 = array("d"), array("d"), array("d")
    positions, frame_of, track_of = array("q"), array("q"), array("q")
    ids: set[int] = set()
    tracked, untracked = False, []

    for index, row in enumerate(rows(document.annotations, _Annotation, "/annotations")):
        pointer = f"/annotations/{index}"
        if isinstance(row, tuple):
            faults.add(*row)
            continue
        if row.id in ids:
            faults.add(f"{pointer}/id", f"annotation {row.id} stands there twice")
        ids.add(row.id)
        if row.image_id not in frames:
            faults.add(f"{pointer}/image_id", f"there is no image {row.image_id}")
        if row.iscrowd:
            continue
        if row.category_id not in posed:
            faults.add(f"{pointer}/category_id", f"there is no category {row.category_id} with keypoints")
        if row.track_id is None:
            untracked.append(index)
        elif 1 <= row.track_id <= 2**53:
            tracked = True
        else:
            faults.add(f"{pointer}/track_id", f"{row.track_id} is no track id; they count from 1")
            continue
        given = row.keypoints, row.keypoint_scores or [1.0] * count, row.keypoint_radius90 or [0.0] * count
        if wrong := _wrong_length(given, count):
            name, sentence = wrong
            faults.add(f"{pointer}/{name}", sentence)
            continue
        for flat, values in zip((keypoints, scores, radius90), given, strict=True):
            flat.extend(values)
        positions.append(index)
        frame_of.append(frames.get(row.image_id, -1))
        track_of.append(row.track_id or 1)

    kept = _Instances(
        np.array(positions),
        np.array(frame_of),
        np.array(track_of),
        np.array(keypoints).reshape(-1, count, 3),
        np.array(scores).reshape(-1, count),
        np.array(radius90).reshape(-1, count),
    )
    _check_values(kept, faults)
    if tracked and untracked:
        for index in untracked[:MAX_FAULTS]:
            faults.add(f"/annotations/{index}/track_id", "missing, while other annotations have one")
    else:
        _check_repeats(kept, tracked, faults)
    return kept


def _wrong_length(given: tuple[list[float], list[float], list[float]], count: int) -> Fault | None:
    for name, numbers, each in zip(
        ("keypoints", "keypoint_scores", "keypoint_radius90"), given, (3, 1, 1), strict=True
    ):
        if len(numbers) != each * count:
            meaning = ", x, y and visibility each" if each == 3 else ""
            return name, f"{len(numbers)} numbers; {count} keypoints have {each * count}{meaning}"
    return None


def _check_values(kept: _Instances, faults: _Faults) -> None:
    xy, visibility = kept.keypoints[..., :2], kept.keypoints[..., 2]
    known = visibility > 0
    for row, k in _first(~np.isin(visibility, (0, 1, 2))):
        faults.add(
            f"/annotations/{kept.positions[row]}/keypoints/{3 * k + 2}",
            f"visibility {visibility[row, k]:g} is neither 0 (not labelled), 1 (hidden) nor 2 (visible)",
        )
    for row, k, axis in _first(known[..., None] & (np.abs(xy) > MAX_COORDINATE)):
        faults.add(
            f"/annotations/{kept.positions[row]}/keypoints/{3 * k + axis}",
            f"{xy[row, k, axis]:g} is no pixel of a video",
        )
    for row, k in _first(known & ~((kept.scores >= 0) & (kept.scores <= 1))):
        faults.add(
            f"/annotations/{kept.positions[row]}/keypoint_scores/{k}",
            f"{kept.scores[row, k]:g} is no probability from 0 to 1",
        )
    for row, k in _first(known & ~((kept.radius90 >= 0) & (kept.radius90 <= MAX_COORDINATE))):
        faults.add(
            f"/annotations/{kept.positions[row]}/keypoint_radius90/{k}",
            f"{kept.radius90[row, k]:g} is no radius in pixels",
        )


def _check_repeats(kept: _Instances, tracked: bool, faults: _Faults) -> None:
    order = np.lexsort((kept.frames, kept.tracks))
    frames, tracks = kept.frames[order], kept.tracks[order]
    for (place,) in _first((np.diff(frames) == 0) & (np.diff(tracks) == 0) & (frames[1:] >= 0)):
        frame, track = frames[place], tracks[place]
        sentence = (
            f"track {track} has a pose on frame {frame} already"
            if tracked
            else f"frame {frame} shows two subjects; track_id would say which is which"
        )
        faults.add(f"/annotations/{kept.positions[order[place + 1]]}/track_id", sentence)


def _first(mask: np.ndarray) -> np.ndarray:
    return np.argwhere(mask)[:MAX_FAULTS]


def _tracks(kept: _Instances, chosen: np.ndarray, columns: np.ndarray) -> dict[int, Track]:
    order = np.flatnonzero(chosen)
    order = order[np.lexsort((kept.frames[order], kept.tracks[order]))]
    visibility = np.where(columns >= 0, kept.keypoints[order][:, columns, 2], 0).astype(np.uint8)
    known = visibility > 0
    poses: dict[str, np.ndarray] = {
        "xy": np.where(known[..., None], kept.keypoints[order][:, columns, :2], 0).astype(np.float32),
        "visibility": visibility,
        "score": np.where(known, kept.scores[order][:, columns], 0).astype(np.float32),
        "radius90": np.where(known, kept.radius90[order][:, columns], 0).astype(np.float32),
    }
    ids, starts = np.unique(kept.tracks[order], return_index=True)
    tracks = {}
    for track_id, start, stop in zip(ids, starts, np.append(starts, len(order))[1:], strict=True):
        span = {name: values[start:stop] for name, values in poses.items()}
        tracks[int(track_id)] = Track(frames=kept.frames[order[start:stop]], **span)
    return tracks


def _shared(values: list[int | float | None]) -> int | None:
    distinct = set(values)
    value = distinct.pop() if len(distinct) == 1 else None
    return int(value) if value is not None and value == int(value) else None
