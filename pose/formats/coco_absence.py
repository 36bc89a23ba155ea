"""Absences in a COCO file: the subjects, and the points of subjects, that its images say are not there.

``absent_tracks`` names subjects. ``absent_keypoints`` has an entry for each subject of which some points are absent and
no other point is known, ``{"track_id": 1, "category_id": 1, "absent": [0, 2]}``; a subject that has an annotation has
them there. Readers of COCO pass over fields of images that they do not know, while an annotation without a known point
is counted as a subject by some.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pose.formats.coco_identity import Identities
from pose.formats.coco_layout import MAX_FAULTS, CocoError, Faults, Image, shown, whole
from pose.formats.coco_rows import TRACK, absent_points
from pose.formats.coco_skeleton import PoseCategories
from pose.track import Track

TRACKS, KEYPOINTS = "absent_tracks", "absent_keypoints"


def absences_of(
    images: Sequence[Image],
    frames: np.ndarray,
    identities: Identities,
    labels: Mapping[int, Track],
    categories: PoseCategories,
    faults: Faults,
    *,
    most_points: int | None = None,
) -> dict[int, Track]:
    """Read what is absent on which frames.

    Args:
        images: ``I`` images; they name tracks as annotations do.
        frames: ``(I,)`` the frame of each, -1 where it is wrong.
        identities: Of the annotations.
        labels: People's labels by track id: no subject is both on a frame and absent, and no point.
        categories: In whose order keypoints are counted, ``K`` of the skeleton.
        faults: Takes what is no track or keypoint, stands there twice, or is contradicted by a label.
        most_points: Points that may be absent at most; None for any number.

    Returns:
        By track id, the frames on which points are absent.

    Raises:
        CocoError: There are more.
    """
    count = categories.skeleton.size
    whose = _Names(identities)
    places, tracks, points = array("q"), array("q"), array("B")
    for index, image in enumerate(images):
        before: set[tuple[str, int]] = set()
        for field, number, absent in _said(index, image, whose, categories, faults):
            pointer = f"/images/{index}/{field}"
            if most_points is not None and len(points) + count > most_points:
                raise CocoError([(pointer, f"more than {most_points} points are too many for one file")])
            if (field, number) in before:
                faults.add(pointer, f"track {number} stands there twice")
            elif frames[index] >= 0:
                places.append(index)
                tracks.append(number)
                points.extend(absent)
            before.add((field, number))
    rows = np.array(places, dtype=np.int64)
    found = _by_track(frames[rows], np.array(tracks, dtype=np.int64), np.array(points, dtype=bool).reshape(-1, count))
    for number, track in found.items():
        if number in labels:
            _check(number, track, labels[number], images, frames, faults)
    return found


class _Names:
    """The names by which images call the tracks of a file."""

    def __init__(self, identities: Identities) -> None:
        self._named = {name: number for number, name in identities.names.items()}
        self._numbered = identities.numbered

    def number(self, said: object) -> int | None:
        """The track that is meant; None where there is none."""
        if isinstance(said, str) and said in self._named:
            return self._named[said]
        number = whole(said)
        if not self._numbered:
            return self._named.get(f"{TRACK} {number}")
        return number if number is not None and number >= 1 else None


def _said(
    index: int, image: Image, whose: _Names, categories: PoseCategories, faults: Faults
) -> Iterator[tuple[str, int, Sequence[bool]]]:
    """The statements of an image: in which field, of which track, and which of its points are absent."""
    everything = [True] * categories.skeleton.size
    for pointer, said in _listed(index, image.absent_tracks, TRACKS, "track ids", faults):
        number = whose.number(said)
        if number is None:
            faults.add(pointer, f"{shown(said)} is no track of this file")
        else:
            yield TRACKS, number, everything
    for pointer, said in _listed(index, image.absent_keypoints, KEYPOINTS, "objects", faults):
        if not isinstance(said, dict):
            faults.add(pointer, f"expected an object with track_id and absent, got {shown(said)}")
            continue
        number, category = whose.number(said.get(TRACK)), _category(said, pointer, categories, faults)
        if number is None:
            faults.add(f"{pointer}/{TRACK}", f"{shown(said.get(TRACK))} is no track of this file")
        if number is not None and category is not None:
            size, columns = categories.sizes[category], categories.columns[category]
            absent = absent_points(said.get("absent"), [0.0] * size, pointer, faults)
            yield KEYPOINTS, number, [k >= 0 and absent[k] for k in columns.tolist()]


def _listed(index: int, values: Any, field: str, what: str, faults: Faults) -> Iterator[tuple[str, Any]]:
    pointer = f"/images/{index}/{field}"
    if values is None:
        return
    if not isinstance(values, list):
        faults.add(pointer, f"expected a list of {what}, got {shown(values)}")
        return
    yield from ((f"{pointer}/{place}", value) for place, value in enumerate(values))


def _category(said: Mapping[str, Any], pointer: str, categories: PoseCategories, faults: Faults) -> int | None:
    """The category in whose order an entry counts keypoints; it may be left out where there is one alone."""
    if said.get("category_id") is None and len({tuple(order) for order in categories.columns.values()}) == 1:
        return min(categories.columns)
    category = whole(said.get("category_id"))
    if category is not None and category in categories.columns:
        return category
    faults.add(f"{pointer}/category_id", f"there is no category {shown(said.get('category_id'))} with keypoints")
    return None


def _by_track(frames: np.ndarray, tracks: np.ndarray, points: np.ndarray) -> dict[int, Track]:
    """``(N,)`` frames and tracks with their absent points ``(N, K)``, put together."""
    order = np.lexsort((frames, tracks))
    frames, tracks, points = frames[order], tracks[order], points[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (np.diff(frames) != 0) | (np.diff(tracks) != 0)
    starts = np.flatnonzero(fresh)
    points = np.logical_or.reduceat(points, starts, axis=0) if len(starts) else points
    some: np.ndarray = np.any(points, axis=1)
    frames, tracks, points = frames[starts][some], tracks[starts][some], points[some]
    nowhere = np.zeros((*points.shape, 3), dtype=np.float32)
    numbers, begin = np.unique(tracks, return_index=True)
    return {
        number: Track.labelled(frames[first:last], nowhere[first:last], points[first:last])
        for number, first, last in zip(numbers.tolist(), begin, np.append(begin, len(tracks))[1:], strict=True)
    }


def _check(
    number: int, absent: Track, labelled: Track, images: Sequence[Image], frames: np.ndarray, faults: Faults
) -> None:
    """See that nothing is both absent and labelled."""
    both, rows, places = np.intersect1d(absent.frames, labelled.frames, return_indices=True)
    gone, there = absent.absent[rows], labelled.visibility[places] > 0
    for row in np.flatnonzero((gone & there).any(axis=1))[:MAX_FAULTS]:
        index = int(np.flatnonzero(frames == both[row])[0])
        if gone[row].all():
            field, sentence = TRACKS, f"track {number} is absent, and an annotation labels it"
        else:
            k = int(np.flatnonzero(gone[row] & there[row])[0])
            field, sentence = (
                KEYPOINTS,
                f"keypoint {k} of track {number} is absent, and an annotation has a place for it",
            )
        faults.add(f"/images/{index}/{field if getattr(images[index], field) else KEYPOINTS}", sentence)
