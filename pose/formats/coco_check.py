"""The mistakes that COCO keypoint files are known for, each found by a rule of its own.

The rules are those on which pycocotools, mmpose, DeepLabCut, CVAT and Label Studio stumble or, worse, do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

import msgspec
import numpy as np

from pose.boxes import corners
from pose.formats.coco_layout import MAX_COORDINATE, MAX_FAULTS, CocoError, Document, Fault, decode, whole
from pose.formats.coco_sheet import WIDTHS, CocoColumns, sheet_of
from pose.formats.coco_write import AREA_SHARE, RULES

#: Boxes are rounded to two decimals, edge by edge.
_ROUNDING = 0.011


@dataclass(frozen=True)
class Finding:
    """A mistake in a file.

    Attributes:
        rule: Name of the rule.
        severity: ``error`` where a reader fails or is misled, ``warning`` where it may be meant.
        pointer: JSON pointer into the file.
        sentence: What is wrong.
    """

    rule: str
    severity: Literal["error", "warning"]
    pointer: str
    sentence: str


Rule = Callable[[CocoColumns], Iterator[Fault]]


def check_coco(data: bytes) -> list[Finding]:
    """Look for mistakes in a COCO keypoint file; an empty list means none.

    Each rule reports its first ``MAX_FAULTS`` places. A file that is not laid out as COCO gets that one finding.

    Args:
        data: The file.
    """
    try:
        document = decode(data)
    except CocoError as error:
        return [Finding("layout", "error", pointer, sentence) for pointer, sentence in error.errors]
    sheet = sheet_of(document)
    levels: tuple[tuple[Literal["error", "warning"], Iterable[Rule]], ...] = (("error", ERRORS), ("warning", WARNINGS))
    return [
        Finding(rule.__name__.strip("_"), severity, pointer, sentence)
        for severity, rules in levels
        for rule in rules
        for pointer, sentence in islice(rule(sheet), MAX_FAULTS)
    ]


def _fields(sheet: CocoColumns) -> Iterator[Fault]:
    yield from sheet.faults
    for index, image in enumerate(sheet.document.images):
        for name in ("file_name", "width", "height"):
            if not getattr(image, name):
                yield f"/images/{index}/{name}", "this field is missing"


def _ids(sheet: CocoColumns) -> Iterator[Fault]:
    lists = {
        "images": [image.id for image in sheet.document.images],
        "categories": [category.id for category in sheet.document.categories],
        "annotations": [annotation.id for annotation in sheet.annotations],
    }
    for name, ids in lists.items():
        positions = sheet.positions.tolist() if name == "annotations" else range(len(ids))
        seen: set[int] = set()
        for position, number in zip(positions, ids, strict=True):
            if number in seen:
                yield f"/{name}/{position}/id", f"{number} stands there twice; pycocotools keeps the last"
            elif number < 1:
                yield f"/{name}/{position}/id", "ids count from 1; pycocotools takes 0 for no match"
            seen.add(number)


def _references(sheet: CocoColumns) -> Iterator[Fault]:
    for row in _where(sheet.images < 0):
        yield sheet.at(row, "image_id"), f"there is no image {sheet.annotations[row].image_id}"
    for row in _where(sheet.sizes < 0):
        yield sheet.at(row, "category_id"), f"there is no category {sheet.annotations[row].category_id}"


def _lengths(sheet: CocoColumns) -> Iterator[Fault]:
    for name, width in WIDTHS.items():
        lengths = sheet.lengths[name]
        for row in _where((sheet.sizes >= 0) & (lengths >= 0) & (lengths != width * sheet.sizes)):
            size = sheet.sizes[row]
            yield sheet.at(row, name), f"{lengths[row]} numbers; {size} keypoints have {width * size}"


def _skeletons(sheet: CocoColumns) -> Iterator[Fault]:
    for index, category in enumerate(sheet.document.categories):
        count = len(category.keypoints)
        if not count:
            yield f"/categories/{index}/keypoints", "no keypoints"
        if len(set(category.keypoints)) < count:
            yield f"/categories/{index}/keypoints", "a keypoint stands there twice"
        for place, (a, b) in enumerate(category.skeleton or []):
            if not (1 <= a <= count and 1 <= b <= count):
                yield (
                    f"/categories/{index}/skeleton/{place}",
                    f"[{a}, {b}] is not within 1 to {count}; COCO counts from 1",
                )


def _visibility(sheet: CocoColumns) -> Iterator[Fault]:
    for row, k in _where(~np.isin(sheet.keypoints[..., 2], (0, 1, 2))):
        yield sheet.at(row, f"keypoints/{3 * k + 2}"), f"{sheet.keypoints[row, k, 2]:g} is not 0, 1 or 2"


def _unknown_points(sheet: CocoColumns) -> Iterator[Fault]:
    for row, k in _where((sheet.keypoints[..., 2] == 0) & (sheet.keypoints[..., :2] != 0).any(axis=-1)):
        yield sheet.at(row, f"keypoints/{3 * k}"), "a point with v = 0 has coordinates; it is written 0,0,0"


def _counts(sheet: CocoColumns) -> Iterator[Fault]:
    counts = (sheet.keypoints[..., 2] > 0).sum(axis=1)
    for row in _where((sheet.lengths["keypoints"] == 3 * sheet.sizes) & (counts != sheet.column("num_keypoints"))):
        said = sheet.annotations[row].num_keypoints
        yield sheet.at(row, "num_keypoints"), f"{said}, but {counts[row]} points have v > 0"


def _coordinates(sheet: CocoColumns) -> Iterator[Fault]:
    for row, k, axis in _where(np.abs(sheet.keypoints[..., :2]) > MAX_COORDINATE):
        value = sheet.keypoints[row, k, axis]
        yield sheet.at(row, f"keypoints/{3 * k + axis}"), f"{value:g} is no pixel of a video"


def _boxes(sheet: CocoColumns) -> Iterator[Fault]:
    if not sheet.annotations:
        return
    box = sheet.column("bbox")
    for row in _where((box[:, 2:] <= 0).any(axis=1)):
        yield sheet.at(row, "bbox"), "width and height are positive; mmpose drops an instance with an empty box"
    low, high = corners(box)
    outside = np.any((low < -_ROUNDING) | (high > sheet.extents + _ROUNDING), axis=1)
    for row in _where(outside):
        width, height = sheet.extents[row]
        two_corners = np.all(box[row, 2:] > box[row, :2]) and np.all(box[row, 2:] <= sheet.extents[row])
        hint = "; are these two corners? COCO wants x, y, width, height" if two_corners else ""
        yield sheet.at(row, "bbox"), f"reaches out of the image of {width:g} x {height:g}{hint}"


def _areas(sheet: CocoColumns) -> Iterator[Fault]:
    area = sheet.column("area")
    for row in _where(~(area > 0)):
        yield sheet.at(row, "area"), f"{area[row]:g}; OKS divides by it, so it is positive"
    if sheet.annotations and _area_rule(sheet.document) == RULES["area_rule"]:
        width, height = sheet.column("bbox")[:, 2:].T
        for row in _where(np.abs(area - AREA_SHARE * width * height) > _ROUNDING):
            yield sheet.at(row, "area"), f"{area[row]:g} does not follow the area_rule of info"


def _area_rule(document: Document) -> object:
    try:
        info = msgspec.json.decode(document.info)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return info.get("area_rule") if isinstance(info, dict) else None


def _scores(sheet: CocoColumns) -> Iterator[Fault]:
    for row, annotation in enumerate(sheet.annotations):
        if annotation.score is not None and not 0 <= annotation.score <= 1:
            yield sheet.at(row, "score"), f"{annotation.score:g} is no probability from 0 to 1"
    for row, k in _where((sheet.scores < 0) | (sheet.scores > 1)):
        yield sheet.at(row, f"keypoint_scores/{k}"), f"{sheet.scores[row, k]:g} is no probability from 0 to 1"
    for row, k in _where(sheet.radius90 < 0):
        yield sheet.at(row, f"keypoint_radius90/{k}"), f"{sheet.radius90[row, k]:g} is no radius"


def _frames(sheet: CocoColumns) -> Iterator[Fault]:
    frames: dict[object, int] = {}
    names: dict[object, int] = {}
    for index, image in enumerate(sheet.document.images):
        frame = whole(image.frame_index)
        if image.frame_index is not None:
            if frame is None or frame < 0:
                yield f"/images/{index}/frame_index", "frames are whole numbers that count from 0"
            first = frames.setdefault((image.video_id, image.frame_index), image.id)
            if first != image.id:
                yield f"/images/{index}/frame_index", f"frame {image.frame_index} is image {first} already"
            number = re.search(r"(\d+)\.\w+$", image.file_name or "")
            if number is None or int(number[1]) != frame:
                yield f"/images/{index}/file_name", f"{image.file_name!r} does not end in frame {image.frame_index}"
        if image.file_name and names.setdefault(image.file_name, image.id) != image.id:
            yield f"/images/{index}/file_name", f"{image.file_name!r} is image {names[image.file_name]} already"


def _tracks(sheet: CocoColumns) -> Iterator[Fault]:
    seen: dict[tuple[int, int], int] = {}
    for row, annotation in enumerate(sheet.annotations):
        if annotation.track_id is None:
            continue
        if annotation.track_id < 1:
            yield sheet.at(row, "track_id"), "track ids count from 1; sleap-io takes 0 for none"
        first = seen.setdefault((annotation.image_id, annotation.track_id), annotation.id)
        if first != annotation.id:
            sentence = f"track {annotation.track_id} is on image {annotation.image_id} already, as annotation {first}"
            yield sheet.at(row, "track_id"), sentence


def _sources(sheet: CocoColumns) -> Iterator[Fault]:
    for row, annotation in enumerate(sheet.annotations):
        if annotation.source is None and sheet.lengths["keypoint_scores"][row] >= 0:
            yield sheet.at(row, "source"), "missing; nothing else tells a pseudo-label from a person's label"
        elif annotation.source not in (None, "human", "accepted", "pseudo"):
            yield sheet.at(row, "source"), f"{annotation.source!r} is not human, accepted or pseudo"


def _nothing_known(sheet: CocoColumns) -> Iterator[Fault]:
    for row in _where(~(sheet.keypoints[..., 2] > 0).any(axis=1) & (sheet.lengths["keypoints"] == 3 * sheet.sizes)):
        yield sheet.at(row, "keypoints"), "no point is known; evaluation ignores the instance"


def _outside(sheet: CocoColumns) -> Iterator[Fault]:
    xy, known = sheet.keypoints[..., :2], sheet.keypoints[..., 2] > 0
    out = known & ~_in_image(xy, sheet)
    swapped = np.count_nonzero(known & ~_in_image(xy[..., ::-1], sheet)) < np.count_nonzero(out)
    hint = "; more points would lie inside with x and y swapped" if swapped else ""
    for row, k in _where(out):
        x, y = xy[row, k]
        yield sheet.at(row, f"keypoints/{3 * k}"), f"({x:g}, {y:g}) lies outside the image{hint}"


def _in_image(xy: np.ndarray, sheet: CocoColumns) -> np.ndarray:
    # Pixel centres are at integers, so the image ends half a pixel beyond the last one.
    inside: np.ndarray = np.all((xy >= -0.5) & (xy <= sheet.extents[:, None] - 0.5), axis=-1)
    return inside


def _shares(sheet: CocoColumns) -> Iterator[Fault]:
    xy = sheet.keypoints[sheet.keypoints[..., 2] > 0][:, :2]
    if np.any(xy % 1) and np.all((xy >= 0) & (xy <= 1)):
        yield "/annotations", "all coordinates are from 0 to 1; they are pixels, not shares of the image"


def _points_outside_box(sheet: CocoColumns) -> Iterator[Fault]:
    if not sheet.annotations:
        return
    xy, known = sheet.keypoints[..., :2], sheet.keypoints[..., 2] > 0
    box = sheet.column("bbox")[:, None]
    inside = ((xy >= box[..., :2] - _ROUNDING) & (xy <= box[..., :2] + box[..., 2:] + _ROUNDING)).all(axis=-1)
    inside |= ((xy < 0) | (xy > sheet.extents[:, None] - 0.5)).any(axis=-1)
    for row, k in _where(known & ~inside):
        yield sheet.at(row, "bbox"), f"does not hold keypoint {k}"


def _where(mask: np.ndarray | np.bool) -> list[Any]:
    """The first places of a mask: row numbers, or index tuples where it has more axes."""
    places = np.argwhere(mask)[:MAX_FAULTS]
    first: list[Any] = (places[:, 0] if mask.ndim == 1 else places).tolist()
    return first


ERRORS: tuple[Rule, ...] = (
    _fields, _ids, _references, _lengths, _skeletons, _visibility, _unknown_points, _counts, _coordinates, _boxes,
    _areas, _scores, _frames, _tracks, _sources,
)  # fmt: skip
WARNINGS: tuple[Rule, ...] = (_nothing_known, _outside, _shares, _points_outside_box)
