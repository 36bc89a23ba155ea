"""The annotations of a COCO keypoint file as arrays, each checked by itself."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import msgspec
import numpy as np

from pose.formats.coco_layout import MAX_COORDINATE, MAX_FAULTS, CocoError, Document, Fault, Faults, Id, rows
from pose.track import Track

#: Stands for a track id that an annotation lacks.
NO_TRACK = -1


class _Annotation(msgspec.Struct, gc=False):
    id: Id
    image_id: Id
    category_id: Id
    keypoints: list[float]
    track_id: int | None = None
    iscrowd: int | bool = 0
    keypoint_scores: list[float] | None = None
    keypoint_radius90: list[float] | None = None


@dataclass(frozen=True, eq=False)
class Instances:
    """The annotations of a file that are no crowds.

    Attributes:
        positions: ``(N,)`` index in the file's annotations.
        images: ``(N,)`` index in the file's images; -1 where there is no such image.
        tracks: ``(N,)`` track ids, ``NO_TRACK`` where the file has none.
        keypoints: ``(N, K, 3)`` as in the file.
        scores: ``(N, K)``; 1 where the file has none.
        radius90: ``(N, K)``; 0 where the file has none.
    """

    positions: np.ndarray
    images: np.ndarray
    tracks: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    radius90: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """``(N,)`` bool, where some point is known."""
        known: np.ndarray = np.any(self.keypoints[..., 2] > 0, axis=1)
        return known


def read_instances(document: Document, count: int, faults: Faults, *, first_track: int = 1) -> Instances:
    """Decode and check the annotations; those that are faulty may be left out.

    Args:
        document: The file.
        count: ``K``, the keypoints of its skeleton.
        faults: Takes what is wrong.
        first_track: What track ids count from.
    """
    posed = {category.id for category in document.categories if category.keypoints}
    image_at = {image.id: index for index, image in enumerate(document.images)}
    # Flat, and growing with the file: a few bytes of it must not ask for much memory.
    keypoints, scores, radius90 = array("d"), array("d"), array("d")
    positions, image_of, track_of = array("q"), array("q"), array("q")
    ids: set[int] = set()

    for index, row in enumerate(rows(document.annotations, _Annotation, "/annotations")):
        pointer = f"/annotations/{index}"
        if isinstance(row, tuple):
            faults.add(*row)
            continue
        if row.id in ids:
            faults.add(f"{pointer}/id", f"annotation {row.id} stands there twice")
        ids.add(row.id)
        if row.image_id not in image_at:
            faults.add(f"{pointer}/image_id", f"there is no image {row.image_id}")
        if row.iscrowd:
            continue
        if row.category_id not in posed:
            faults.add(f"{pointer}/category_id", f"there is no category {row.category_id} with keypoints")
        if row.track_id is not None and not first_track <= row.track_id <= 2**53:
            faults.add(f"{pointer}/track_id", f"{row.track_id} is no track id; they count from {first_track}")
            continue
        given = row.keypoints, row.keypoint_scores or [1.0] * count, row.keypoint_radius90 or [0.0] * count
        if wrong := _wrong_length(given, count):
            name, sentence = wrong
            faults.add(f"{pointer}/{name}", sentence)
            continue
        for flat, values in zip((keypoints, scores, radius90), given, strict=True):
            flat.extend(values)
        positions.append(index)
        image_of.append(image_at.get(row.image_id, -1))
        track_of.append(NO_TRACK if row.track_id is None else row.track_id)

    found = Instances(
        np.array(positions),
        np.array(image_of),
        np.array(track_of),
        np.array(keypoints).reshape(-1, count, 3),
        np.array(scores).reshape(-1, count),
        np.array(radius90).reshape(-1, count),
    )
    _check_values(found, faults)
    return found


def tracks_of(
    found: Instances, chosen: np.ndarray, frames: np.ndarray, tracks: np.ndarray, columns: np.ndarray
) -> dict[int, Track]:
    """Some instances, of one video, as tracks by id.

    Args:
        found: All.
        chosen: ``(M,)`` which of them.
        frames: ``(M,)`` their frames.
        tracks: ``(M,)`` their track ids.
        columns: ``(K wanted,)`` where each keypoint stands in the file, -1 for one the file lacks.
    """
    order = np.lexsort((frames, tracks))
    chosen, frames, tracks = chosen[order], frames[order], tracks[order]
    visibility = np.where(columns >= 0, found.keypoints[chosen][:, columns, 2], 0).astype(np.uint8)
    known = visibility > 0
    poses: dict[str, np.ndarray] = {
        "xy": np.where(known[..., None], found.keypoints[chosen][:, columns, :2], 0).astype(np.float32),
        "visibility": visibility,
        "score": np.where(known, found.scores[chosen][:, columns], 0).astype(np.float32),
        "radius90": np.where(known, found.radius90[chosen][:, columns], 0).astype(np.float32),
    }
    ids, starts = np.unique(tracks, return_index=True)
    by_id = {}
    for track_id, start, stop in zip(ids, starts, np.append(starts, len(order))[1:], strict=True):
        span = {name: values[start:stop] for name, values in poses.items()}
        by_id[int(track_id)] = Track(frames=frames[start:stop].astype(np.int64), **span)
    return by_id


def columns_of(names: tuple[str, ...], wanted: tuple[str, ...], document: Document, warnings: list[str]) -> np.ndarray:
    """``(K wanted,)`` where each keypoint stands in the file, -1 for one the file lacks.

    Args:
        names: The file's.
        wanted: In the order wanted.
        document: The file.
        warnings: Takes a sentence on those that the file lacks.

    Raises:
        CocoError: The file has a keypoint that is not wanted.
    """
    position = {name: index for index, name in enumerate(names)}
    if unknown := [name for name in names if name not in set(wanted)]:
        index = next(index for index, category in enumerate(document.categories) if category.keypoints)
        pointer = f"/categories/{index}/keypoints/{position[unknown[0]]}"
        known = ", ".join(wanted)
        raise CocoError([(pointer, f"keypoint {unknown[0]!r} is not in the skeleton, which has {known}")])
    if missing := [name for name in wanted if name not in position]:
        warnings.append(f"keypoints the file lacks stay unlabelled: {', '.join(missing)}")
    return np.array([position.get(name, -1) for name in wanted])


def first_of(mask: np.ndarray) -> np.ndarray:
    """The first ``MAX_FAULTS`` places of a mask."""
    return np.argwhere(mask)[:MAX_FAULTS]


def _wrong_length(given: tuple[list[float], list[float], list[float]], count: int) -> Fault | None:
    for name, numbers, each in zip(
        ("keypoints", "keypoint_scores", "keypoint_radius90"), given, (3, 1, 1), strict=True
    ):
        if len(numbers) != each * count:
            meaning = ", x, y and visibility each" if each == 3 else ""
            return name, f"{len(numbers)} numbers; {count} keypoints have {each * count}{meaning}"
    return None


def _check_values(found: Instances, faults: Faults) -> None:
    xy, visibility = found.keypoints[..., :2], found.keypoints[..., 2]
    known = visibility > 0
    for row, k in first_of(~np.isin(visibility, (0, 1, 2))):
        faults.add(
            f"/annotations/{found.positions[row]}/keypoints/{3 * k + 2}",
            f"visibility {visibility[row, k]:g} is neither 0 (not labelled), 1 (hidden) nor 2 (visible)",
        )
    for row, k, axis in first_of(known[..., None] & (np.abs(xy) > MAX_COORDINATE)):
        faults.add(
            f"/annotations/{found.positions[row]}/keypoints/{3 * k + axis}",
            f"{xy[row, k, axis]:g} is no pixel of a video",
        )
    for row, k in first_of(known & ~((found.scores >= 0) & (found.scores <= 1))):
        faults.add(
            f"/annotations/{found.positions[row]}/keypoint_scores/{k}",
            f"{found.scores[row, k]:g} is no probability from 0 to 1",
        )
    for row, k in first_of(known & ~((found.radius90 >= 0) & (found.radius90 <= MAX_COORDINATE))):
        faults.add(
            f"/annotations/{found.positions[row]}/keypoint_radius90/{k}",
            f"{found.radius90[row, k]:g} is no radius in pixels",
        )
