"""Subjects of whom a COCO file says that they are not on a frame: ``absent_tracks`` of its images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from pose.formats.coco_identity import Identities
from pose.formats.coco_layout import MAX_FAULTS, CocoError, Faults, Image, shown, whole
from pose.formats.coco_rows import TRACK
from pose.track import Track


def absences_of(
    images: Sequence[Image],
    frames: np.ndarray,
    identities: Identities,
    labels: Mapping[int, Track],
    count: int,
    faults: Faults,
    *,
    most_points: int | None = None,
) -> dict[int, Track]:
    """Read which tracks are absent on which frames.

    Args:
        images: ``I`` images; ``absent_tracks`` names tracks as annotations do.
        frames: ``(I,)`` the frame of each, -1 where it is wrong.
        identities: Of the annotations.
        labels: People's labels by track id: no subject is both on a frame and absent.
        count: ``K``, the keypoints of the skeleton.
        faults: Takes what is no track, stands there twice, or is contradicted by a label.
        most_points: Points that may be absent at most; None for any number.

    Returns:
        By track id, frames on which all points are absent.

    Raises:
        CocoError: There are more.
    """
    named = {name: number for number, name in identities.names.items()}
    absent: dict[int, list[int]] = {}
    points = 0
    for index, (image, frame) in enumerate(zip(images, frames.tolist(), strict=True)):
        pointer = f"/images/{index}/absent_tracks"
        if image.absent_tracks is None:
            continue
        if not isinstance(image.absent_tracks, list):
            faults.add(pointer, f"expected a list of track ids, got {shown(image.absent_tracks)}")
            continue
        points += len(image.absent_tracks) * count
        if most_points is not None and points > most_points:
            raise CocoError([(pointer, f"more than {most_points} points are too many for one file")])
        for place, said in enumerate(image.absent_tracks):
            number = _number(said, named, identities.numbered)
            if number is None:
                faults.add(f"{pointer}/{place}", f"{shown(said)} is no track of this file")
            elif frame >= 0:
                absent.setdefault(number, []).append(frame)
    for number, gone in absent.items():
        listed = np.sort(np.array(gone, dtype=np.int64))
        both, twice = (
            np.intersect1d(listed, labels[number].frames if number in labels else []),
            listed[1:][np.diff(listed) == 0],
        )
        for found, sentence in (
            (both, f"track {number} is absent, and an annotation labels it"),
            (twice, f"track {number} stands there twice"),
        ):
            for frame in found[:MAX_FAULTS]:
                faults.add(f"/images/{int(np.flatnonzero(frames == frame)[0])}/absent_tracks", sentence)
    return {
        number: Track.labelled(
            np.unique(gone),
            np.zeros((len(set(gone)), count, 3), dtype=np.float32),
            np.ones((len(set(gone)), count), dtype=bool),
        )
        for number, gone in sorted(absent.items())
    }


def _number(said: object, named: Mapping[str, int], numbered: bool) -> int | None:
    if isinstance(said, str) and said in named:
        return named[said]
    number = whole(said)
    if not numbered:
        return named.get(f"{TRACK} {number}")
    return number if number is not None and number >= 1 else None
