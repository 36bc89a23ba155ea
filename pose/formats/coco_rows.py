"""The annotations of a COCO keypoint file as arrays, each checked by itself."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import numpy as np

from pose.formats.coco_layout import MAX_COORDINATE, MAX_FAULTS, CocoError, Document, Faults, plain, rows, whole
from pose.formats.coco_origin import Origin, origin_of
from pose.formats.coco_skeleton import PoseCategories
from pose.formats.coco_skipped import Skipped
from pose.track import Track

#: Where annotations say whose pose they are: fields of their own, and fields of ``attributes``, the first one first.
TRACK = "track_id"
IDENTITY_FIELDS = (TRACK, "object_id", "instance_id", "individual_id", "individual", "identity")
IDENTITY_ATTRIBUTES = (*IDENTITY_FIELDS, "track", "animal_id", "subject_id", "person_id", "id")

Identity = int | str | None


class _Annotation(msgspec.Struct, gc=False):
    """The fields of an annotation that are read; what tools fill in their own ways is taken as it is."""

    id: Any = None
    image_id: Any = None
    category_id: Any = None
    keypoints: list[float | None] | None = None
    iscrowd: Any = 0
    bbox: Any = None
    segmentation: Any = None
    attributes: Any = None
    source: Any = None
    score: Any = None
    keypoint_scores: Any = None
    keypoint_radius90: Any = None
    keypoint_sources: Any = None
    absent: Any = None
    track_id: Any = None
    object_id: Any = None
    instance_id: Any = None
    individual_id: Any = None
    individual: Any = None
    identity: Any = None


@dataclass(frozen=True, eq=False)
class Instances:
    """The annotations of a file that say something of a point: that it is known, or that it is absent.

    Attributes:
        positions: ``(N,)`` index in the file's annotations.
        images: ``(N,)`` index in the file's images; -1 where there is no such image.
        categories: ``(N,)`` category ids.
        keypoints: ``(N, K, 3)`` of the skeleton, 0 where the point is not known.
        scores: ``(N, K)``; 1 where a person made the point.
        radius90: ``(N, K)``; 0 where a person made the point.
        machine: ``(N, K)`` bool: known points that a machine made.
        absent: ``(N, K)`` bool: points that are said to be absent; they are not known.
        identities: What each says of whose pose it is, by field.
    """

    positions: np.ndarray
    images: np.ndarray
    categories: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    radius90: np.ndarray
    machine: np.ndarray
    absent: np.ndarray
    identities: dict[str, list[Identity]]

    def __len__(self) -> int:
        return len(self.positions)

    @property
    def known(self) -> np.ndarray:
        """``(N, K)`` bool, points that are known."""
        known: np.ndarray = self.keypoints[..., 2] > 0
        return known

    def select(self, rows: np.ndarray) -> Instances:
        """Those at these positions."""
        chosen = rows.tolist()
        return Instances(
            **{name: getattr(self, name)[rows] for name in _ARRAYS},
            identities={name: [values[row] for row in chosen] for name, values in self.identities.items()},
        )

    def by_hand(self) -> Instances:
        """The same, every point taken for a person's."""
        known = self.known
        return replace(
            self,
            scores=known.astype(np.float64),
            radius90=np.zeros(known.shape),
            machine=np.zeros(known.shape, dtype=bool),
        )

    def without(self, points: np.ndarray) -> Instances:
        """The same without the points of a mask ``(N, K)``; annotations that say nothing any more go too."""
        keypoints = np.where(points[..., None], 0, self.keypoints)
        left = replace(
            self,
            keypoints=keypoints,
            scores=np.where(points, 0, self.scores),
            radius90=np.where(points, 0, self.radius90),
            machine=self.machine & ~points,
        )
        return left.select(np.flatnonzero((left.known | left.absent).any(axis=1)))


_ARRAYS = ("positions", "images", "categories", "keypoints", "scores", "radius90", "machine", "absent")


def read_instances(
    document: Document,
    posed: PoseCategories,
    faults: Faults,
    skipped: Skipped,
    *,
    machine_poses: Literal["keep", "skip", "human"] = "keep",
    most_points: int | None = None,
) -> Instances:
    """Decode and check the annotations; those that are faulty may be left out.

    Args:
        document: The file.
        posed: Its categories that are read.
        faults: Takes what is wrong.
        skipped: Takes what is no pose of the skeleton: crowds, boxes, masks, other categories, poses without a point.
        machine_poses: What becomes of poses that a machine made. Only where they are kept as such, their scores have
            to be right; where they are skipped, those with a point of a person's stay as they are.
        most_points: Points of poses, unknown ones among them, that may be kept; None for any number.

    Raises:
        CocoError: There are more.
    """
    count = posed.skeleton.size
    image_at = {image.id: index for index, image in enumerate(document.images)}
    # Flat, and growing with the file: a few bytes of it must not ask for much memory.
    keypoints, scores, radius90, machine, absent = array("d"), array("d"), array("d"), array("B"), array("B")
    positions, image_of, category_of = array("q"), array("q"), array("q")
    identities: dict[str, list[Identity]] = {}
    ids: set[int] = set()
    same = list(range(count))
    score_faults = faults if machine_poses == "keep" else Faults()
    orders = {number: None if (order := each.tolist()) == same else order for number, each in posed.columns.items()}

    for index, row in enumerate(rows(document.annotations, _Annotation, "/annotations")):
        pointer = f"/annotations/{index}"
        if isinstance(row, tuple):
            faults.add(*row)
            continue
        category = whole(row.category_id)
        if (foreign := _foreign(row, category, posed)) is not None:
            skipped.add(foreign[0], pointer, foreign[1])
            continue
        number, image = whole(row.id), whole(row.image_id)
        if number is not None and number in ids:
            faults.add(f"{pointer}/id", f"annotation {number} stands there twice")
        if number is not None:
            ids.add(number)
        if image not in image_at:
            faults.add(f"{pointer}/image_id", f"there is no image {row.image_id}")
        if category not in posed.columns:
            faults.add(f"{pointer}/category_id", f"there is no category {row.category_id} with keypoints")
            continue
        assert category is not None
        assert row.keypoints is not None
        size, flat = posed.sizes[category], _numbers(row.keypoints)
        if len(flat) != 3 * size:
            sentence = f"{len(flat)} numbers; {size} keypoints have {3 * size}, x, y and visibility each"
            faults.add(f"{pointer}/keypoints", sentence)
            continue
        if not any(flat[2::3]) and not row.absent:
            skipped.add("unlabelled", pointer)
            continue
        origin = origin_of(row, size, pointer, score_faults)
        if machine_poses == "skip" and origin.kind is not None and not _by_person(flat, origin) and not row.absent:
            skipped.add(origin.kind, pointer)
            continue
        if most_points is not None and len(machine) + count > most_points:
            sentence = f"more than {most_points} points are too many for one file; split it by frames"
            raise CocoError([(pointer, sentence)])
        columns = orders[category]
        parts: tuple[tuple[array[Any], Sequence[Any], int], ...] = (
            (keypoints, flat, 3),
            (scores, origin.scores, 1),
            (radius90, origin.radius90, 1),
            (machine, origin.machine, 1),
            (absent, absent_points(row.absent or [], flat[2::3], pointer, faults), 1),
        )
        for target, values, each in parts:
            target.extend(values if columns is None else _ordered(values, columns, each))
        positions.append(index)
        image_of.append(image_at.get(image, -1) if image is not None else -1)
        category_of.append(category)
        _note_identities(identities, row, len(positions), pointer, faults)

    found = Instances(
        positions=np.array(positions, dtype=np.int64),
        images=np.array(image_of, dtype=np.int64),
        categories=np.array(category_of, dtype=np.int64),
        keypoints=np.array(keypoints).reshape(-1, count, 3),
        scores=np.array(scores).reshape(-1, count),
        radius90=np.array(radius90).reshape(-1, count),
        machine=np.array(machine, dtype=bool).reshape(-1, count),
        absent=np.array(absent, dtype=bool).reshape(-1, count),
        identities={name: values + [None] * (len(positions) - len(values)) for name, values in identities.items()},
    )
    _check_points(found, posed, faults)
    known = found.known
    return replace(
        found,
        keypoints=np.where(known[..., None], found.keypoints, 0),
        scores=np.where(known, found.scores, 0),
        radius90=np.where(known, found.radius90, 0),
        machine=found.machine & known,
    )


def absent_points(said: Any, visibility: Sequence[float], pointer: str, faults: Faults) -> list[bool]:
    """Which keypoints of a category are on a list of absent ones, one entry each.

    Args:
        said: The field ``absent``, keypoints from 0.
        visibility: Of each keypoint: one that is absent has no place.
        pointer: To what has the field.
        faults: Takes what is no list of keypoints that have no place.
    """
    absent = [False] * len(visibility)
    if not isinstance(said, list):
        faults.add(f"{pointer}/absent", "expected a list of keypoints, counted from 0")
        return absent
    for place, name in enumerate(said):
        k = whole(name)
        if k is None or not 0 <= k < len(absent):
            faults.add(
                f"{pointer}/absent/{place}", f"there is no such keypoint; they count from 0 to {len(absent) - 1}"
            )
        elif visibility[k]:
            faults.add(f"{pointer}/absent/{place}", f"keypoint {k} is absent, and has a place")
        else:
            absent[k] = True
    return absent


def check_scores(found: Instances, posed: PoseCategories, faults: Faults) -> None:
    """See that what a machine says of its own points are probabilities and radii."""
    bad = found.machine & ~((found.scores >= 0) & (found.scores <= 1))
    for row, k in first_of(bad):
        sentence = f"{found.scores[row, k]:g} is no probability from 0 to 1"
        faults.add(pointer_to(found, posed, row, k, "keypoint_scores", 1), sentence)
    bad = found.machine & ~((found.radius90 >= 0) & (found.radius90 <= MAX_COORDINATE))
    for row, k in first_of(bad):
        sentence = f"{found.radius90[row, k]:g} is no radius in pixels"
        faults.add(pointer_to(found, posed, row, k, "keypoint_radius90", 1), sentence)


def tracks_of(
    found: Instances, points: np.ndarray, frames: np.ndarray, tracks: np.ndarray, absent: np.ndarray | None = None
) -> dict[int, Track]:
    """Some points of instances, of one video, as tracks by id.

    Args:
        found: ``N`` instances.
        points: ``(N, K)`` bool: those that are taken; instances without any are left out.
        frames: ``(N,)`` their frames.
        tracks: ``(N,)`` their track ids.
        absent: ``(N, K)`` bool: points that are absent; None for none.
    """
    absent = np.zeros_like(points) if absent is None else absent
    chosen = np.flatnonzero((points | absent).any(axis=1))
    chosen = chosen[np.lexsort((frames[chosen], tracks[chosen]))]
    frames, tracks, points = frames[chosen], tracks[chosen], points[chosen]
    poses: dict[str, np.ndarray] = {
        "xy": np.where(points[..., None], found.keypoints[chosen, :, :2], 0).astype(np.float32),
        "visibility": np.where(points, found.keypoints[chosen, :, 2], 0).astype(np.uint8),
        "score": np.where(points, found.scores[chosen], 0).astype(np.float32),
        "radius90": np.where(points, found.radius90[chosen], 0).astype(np.float32),
        "absent": absent[chosen],
    }
    ids, starts = np.unique(tracks, return_index=True)
    by_id = {}
    for track_id, start, stop in zip(ids, starts, np.append(starts, len(chosen))[1:], strict=True):
        span = {name: values[start:stop] for name, values in poses.items()}
        by_id[int(track_id)] = Track(frames=frames[start:stop].astype(np.int64), **span)
    return by_id


def first_of(mask: np.ndarray) -> np.ndarray:
    """The first ``MAX_FAULTS`` places of a mask."""
    return np.argwhere(mask)[:MAX_FAULTS]


def pointer_to(found: Instances, posed: PoseCategories, row: int, k: int, name: str, width: int, place: int = 0) -> str:
    """JSON pointer to one of the numbers that an instance has for each keypoint.

    Args:
        found: The instances.
        posed: The categories they are of.
        row: Which instance.
        k: Which keypoint of the skeleton.
        name: Which field.
        width: Numbers it has for each keypoint.
        place: Which of them.
    """
    column = posed.columns[int(found.categories[row])][k]
    return f"/annotations/{found.positions[row]}/{name}/{width * column + place}"


def _foreign(row: _Annotation, category: int | None, posed: PoseCategories) -> tuple[str, str] | None:
    """The kind of an annotation that is no pose of the skeleton, and a detail; None where it is one."""
    if whole(row.iscrowd) or row.iscrowd is True:
        return "crowd", ""
    if category in posed.names and category not in posed.columns:
        return "category", posed.names[category] or str(category)
    if row.keypoints:
        return None
    return "mask" if row.segmentation else "box" if row.bbox else "empty", ""


def _numbers(keypoints: list[float | None]) -> list[float]:
    """The numbers of a pose; a point of which one is null is not known."""
    if None not in keypoints:
        return keypoints  # type: ignore[return-value]
    flat: list[float] = []
    for start in range(0, len(keypoints), 3):
        point = keypoints[start : start + 3]
        flat += [0.0] * len(point) if None in point else point  # type: ignore[arg-type]
    return flat


def _by_person(flat: list[float], origin: Origin) -> bool:
    """Return whether a person made a known point of a pose."""
    return any(v and not made for v, made in zip(flat[2::3], origin.machine, strict=True))


def _ordered(values: Sequence[Any], columns: list[int], each: int) -> list[Any]:
    ordered: list[Any] = []
    for k in columns:
        ordered += values[each * k : each * (k + 1)] if k >= 0 else [0] * each
    return ordered


def _note_identities(
    identities: dict[str, list[Identity]], row: _Annotation, count: int, pointer: str, faults: Faults
) -> None:
    for name in IDENTITY_FIELDS:
        if (value := getattr(row, name)) is not None:
            if name == TRACK and isinstance(value, int | float) and whole(value) is None:
                faults.add(f"{pointer}/{name}", f"{value!r} is no track id")
            _note_identity(identities, name, value, count)
    if isinstance(row.attributes, dict):
        for name in IDENTITY_ATTRIBUTES:
            if (value := row.attributes.get(name)) is not None:
                _note_identity(identities, f"attributes.{name}", value, count)


def _note_identity(identities: dict[str, list[Identity]], name: str, value: Any, count: int) -> None:
    if isinstance(value, bool | list | dict):
        return
    number = whole(value)
    identity: Identity = number if number is not None else plain(str(value)) or None
    values = identities.setdefault(name, [])
    values += [None] * (count - 1 - len(values))
    values.append(identity)


def _check_points(found: Instances, posed: PoseCategories, faults: Faults) -> None:
    xy, visibility = found.keypoints[..., :2], found.keypoints[..., 2]
    for row, k in first_of(~np.isin(visibility, (0, 1, 2))):
        faults.add(
            pointer_to(found, posed, row, k, "keypoints", 3, 2),
            f"visibility {visibility[row, k]:g} is neither 0 (not labelled), 1 (hidden) nor 2 (visible)",
        )
    for row, k, axis in first_of((visibility > 0)[..., None] & (np.abs(xy) > MAX_COORDINATE)):
        sentence = f"{xy[row, k, axis]:g} is no pixel of a video"
        faults.add(pointer_to(found, posed, row, k, "keypoints", 3, axis), sentence)
