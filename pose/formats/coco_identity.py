"""Identity of the annotations of a COCO file: which of them are one track."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pose.formats.coco_layout import MAX_FAULTS, Faults, shown
from pose.formats.coco_rows import IDENTITY_ATTRIBUTES, IDENTITY_FIELDS, TRACK, Identity, Instances, first_of

#: Fields that say the same as ``track_id`` where both are there: two of them on one track are two subjects.
_SYNONYMS = ("object_id", "attributes.track_id", "attributes.object_id")


@dataclass(frozen=True, eq=False)
class Identities:
    """Which track each of ``N`` instances is on.

    Attributes:
        tracks: ``(N,)`` track ids, from 1.
        names: What the file calls the tracks, by id, where it does not call them ``track_id`` and a number.
        numbered: Whether the ids are the file's own numbers; otherwise the tracks are known by their names alone.
    """

    tracks: np.ndarray
    names: dict[int, str]
    numbered: bool


def identities_of(
    found: Instances,
    frames: np.ndarray,
    categories: dict[int, str],
    faults: Faults,
    warnings: list[str],
    *,
    first_track: int = 1,
) -> Identities:
    """Tell the subjects of a video apart.

    Instances say it in ``track_id``, in another of ``IDENTITY_FIELDS``, or in ``attributes``; the first of these that
    any instance has is taken, and then all must have it. Where none has, each category is a subject, if several are
    used. Where one is, all instances are one subject.

    Args:
        found: ``N`` instances.
        frames: ``(N,)`` the frame of each, -1 where it is wrong.
        categories: Their categories' names by id.
        faults: Takes contradictions: an instance that does not say it, two poses of a subject on one frame, a track
            with two identities.
        warnings: Takes sentences on what was taken for an identity.
        first_track: What ``track_id`` counts from.
    """
    field = next((name for name in _FIELDS if any(value is not None for value in found.identities.get(name, ()))), None)
    if field is not None:
        identities = _by_field(found, field, first_track, faults, warnings)
        if identities is None:
            return Identities(np.full(len(found), first_track), {}, numbered=True)
        if field == TRACK:
            _check_synonyms(found, identities, faults)
            _check_categories(found, identities, categories, warnings)
    else:
        identities = _by_category(found, categories, warnings)
    _check_frames(found, frames, identities, field, faults)
    if field is not None and field != TRACK and 1 < len(found) == len(np.unique(identities.tracks)) != _most(frames):
        warnings.append(f"{field} differs on each of the {len(found)} poses, so that each is a track of its own")
    return identities


_FIELDS = (*IDENTITY_FIELDS, *(f"attributes.{name}" for name in IDENTITY_ATTRIBUTES))


def _by_field(found: Instances, field: str, first_track: int, faults: Faults, warnings: list[str]) -> Identities | None:
    """The tracks that a field tells apart; None where it is faulty."""
    # Trackers write -1 where they do not know.
    values = [None if field != TRACK and isinstance(one, int) and one < 0 else one for one in found.identities[field]]
    pointers = [f"/annotations/{position}/{field.replace('.', '/')}" for position in found.positions.tolist()]
    before = len(faults)
    for pointer, value in zip(pointers, values, strict=True):
        if value is None:
            faults.add(pointer, "missing, while other annotations have one")
        elif field == TRACK and isinstance(value, int) and value < first_track:
            faults.add(pointer, f"{value} is no track id; they count from {first_track}")
    if len(faults) > before or len(faults) == MAX_FAULTS:
        return None
    said = [value for value in values if value is not None]  # all
    distinct = sorted(set(said), key=_natural)
    numbered = all(isinstance(value, int) and value >= (first_track if field == TRACK else 1) for value in distinct)
    number_of = {value: value if numbered else place for place, value in enumerate(distinct, start=1)}
    names = {}
    if field != TRACK or not numbered:
        last = field.rpartition(".")[2]
        names = {int(number_of[one]): f"{last} {one}" if isinstance(one, int) else one for one in distinct}
        if field != TRACK:
            warnings.append(f"{field} tells the {len(distinct)} subjects apart: {_listed([*names.values()])}")
    return Identities(np.array([number_of[value] for value in said], dtype=np.int64), names, numbered)


def _by_category(found: Instances, categories: dict[int, str], warnings: list[str]) -> Identities:
    used = [number for number in categories if (found.categories == number).any()]
    if len(used) < 2:
        if len(found) > 1:
            warnings.append("nothing says which subject is which: all poses are read as those of one, track 1")
        return Identities(np.ones(len(found), dtype=np.int64), {}, numbered=True)
    said = [categories[number] for number in used]
    names = {
        place: name if name and said.count(name) == 1 else f"{name or 'category'} {number}"
        for place, (number, name) in enumerate(zip(used, said, strict=True), start=1)
    }
    warnings.append(f"no annotation has a track_id: each category is read as a subject: {_listed([*names.values()])}")
    tracks = np.zeros(len(found), dtype=np.int64)
    for place, number in enumerate(used, start=1):
        tracks[found.categories == number] = place
    return Identities(tracks, names, numbered=False)


def _check_frames(found: Instances, frames: np.ndarray, said: Identities, field: str | None, faults: Faults) -> None:
    """Two poses of a track on a frame, both with a person's points or both with a machine's, are two subjects'."""
    by_machine = found.machine.any(axis=1)
    by_person = (found.known & ~found.machine).any(axis=1)
    for layer in (by_person, by_machine):
        rows = np.flatnonzero(layer & (frames >= 0))
        rows = rows[np.lexsort((rows, frames[rows], said.tracks[rows]))]
        twice = (np.diff(frames[rows]) == 0) & (np.diff(said.tracks[rows]) == 0)
        for (place,) in first_of(twice):
            row = rows[place + 1]
            name = said.names.get(int(said.tracks[row]))
            if field is not None:
                sentence = f"{f'track {said.tracks[row]}' if name is None else repr(name)} has a pose on frame"
                sentence += f" {frames[row]} already"
            else:
                of = f" of category {name!r}" if name else ""
                sentence = f"frame {frames[row]} shows two subjects{of}; track_id would say which is which"
            pointer = f"/annotations/{found.positions[row]}/{(field or TRACK).replace('.', '/')}"
            if (pointer, sentence) not in faults:
                faults.add(pointer, sentence)


def _check_synonyms(found: Instances, said: Identities, faults: Faults) -> None:
    for field in _SYNONYMS:
        values = found.identities.get(field)
        if values is None:
            continue
        first: dict[int, tuple[Identity, int]] = {}
        for track, value, position in zip(said.tracks.tolist(), values, found.positions.tolist(), strict=True):
            if value is None:
                continue
            before, place = first.setdefault(track, (value, position))
            if before != value:
                sentence = (
                    f"{shown(value)}, while /annotations/{place} of the same track_id {track} has {shown(before)}"
                )
                faults.add(f"/annotations/{position}/{field.replace('.', '/')}", sentence)


def _check_categories(found: Instances, said: Identities, categories: dict[int, str], warnings: list[str]) -> None:
    pairs = np.unique(np.stack([said.tracks, found.categories], axis=1), axis=0)
    tracks, counts = np.unique(pairs[:, 0], return_counts=True)
    for track in tracks[counts > 1][:MAX_FAULTS].tolist():
        names = [categories[int(number)] or str(number) for number in pairs[pairs[:, 0] == track, 1]]
        warnings.append(f"track_id {track} has poses of several categories: {_listed(names)}")


def _most(frames: np.ndarray) -> int:
    """Most poses on one frame."""
    return int(np.unique(frames, return_counts=True)[1].max(initial=0))


def _natural(value: Identity) -> tuple[bool, int, str]:
    return (isinstance(value, str), value if isinstance(value, int) else 0, str(value))


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return shown if len(names) <= 5 else f"{shown} and {len(names) - 5} more"
