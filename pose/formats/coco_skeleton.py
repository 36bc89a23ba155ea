"""A skeleton as a COCO category, there and back without loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from pose.formats.coco_layout import Category, CocoError, Document, plain, rows, whole
from pose.skeleton import Skeleton, SkeletonError


@dataclass(frozen=True)
class PoseCategories:
    """The categories of a file whose annotations are poses of one skeleton.

    Attributes:
        skeleton: The one wanted, else the file's.
        names: Name of each category of the file by id, also of those that are not read.
        sizes: Keypoints of each category that is read, by id.
        columns: ``(K,)`` for each category that is read, by id: where the skeleton's keypoints stand in it, -1 for
            one that it lacks.
    """

    skeleton: Skeleton
    names: dict[int, str]
    sizes: dict[int, int]
    columns: dict[int, np.ndarray]


def posed(document: Document, wanted: Skeleton | None, warnings: list[str]) -> PoseCategories:
    """Find the categories that are read: those with the keypoints wanted, else with the only keypoints that are used.

    Args:
        document: The file.
        wanted: The keypoints wanted, by name and in any order; a category may lack some.
        warnings: Takes sentences on what the categories lack.

    Raises:
        CocoError: There are no such categories, they have different keypoints, or one contradicts itself.
    """
    categories = document.categories
    seen: set[int] = set()
    for index, category in enumerate(categories):
        if category.id in seen:
            raise CocoError([(f"/categories/{index}/id", f"category {category.id} stands there twice")])
        seen.add(category.id)
    with_keypoints = [(index, category) for index, category in enumerate(categories) if category.keypoints]
    if not with_keypoints:
        raise CocoError([("/categories", "no category names keypoints")])
    read = _of_skeleton(with_keypoints, wanted) if wanted else _of_one_kind(with_keypoints, document)
    found = [read_skeleton(index, category, [] if place else warnings) for place, (index, category) in enumerate(read)]
    skeleton = wanted or found[0]
    columns = {}
    for _, category in read:
        position = {name: index for index, name in enumerate(category.keypoints)}
        columns[category.id] = np.array([position.get(name, -1) for name in skeleton.keypoints])
        missing = [name for name in skeleton.keypoints if name not in position]
        sentence = f"keypoints the file lacks stay unlabelled: {', '.join(missing)}"
        if missing and sentence not in warnings:
            warnings.append(sentence)
    return PoseCategories(
        skeleton=skeleton,
        names={category.id: plain(category.name or "") for category in categories},
        sizes={category.id: len(category.keypoints) for _, category in read},
        columns=columns,
    )


def _of_skeleton(categories: list[tuple[int, Category]], wanted: Skeleton) -> list[tuple[int, Category]]:
    known = set(wanted.keypoints)
    fitting = [(index, category) for index, category in categories if known.issuperset(category.keypoints)]
    if not fitting:
        index, category = categories[0]
        place, unknown = next((place, name) for place, name in enumerate(category.keypoints) if name not in known)
        sentence = f"keypoint {unknown!r} is not in the skeleton, which has {', '.join(wanted.keypoints)}"
        raise CocoError([(f"/categories/{index}/keypoints/{place}", sentence)])
    return fitting


def _of_one_kind(categories: list[tuple[int, Category]], document: Document) -> list[tuple[int, Category]]:
    used = categories
    if len({frozenset(category.keypoints) for _, category in categories}) > 1:
        heads = rows(document.annotations, _Head, "/annotations")
        named = {whole(head.category_id) for head in heads if isinstance(head, _Head) and head.keypoints}
        used = [(index, category) for index, category in categories if category.id in named] or categories[:1]
    first = used[0][1]
    for index, other in used[1:]:
        if {*other.keypoints} != {*first.keypoints}:
            sentence = f"other keypoints than category {first.id}; a video has one skeleton"
            raise CocoError([(f"/categories/{index}/keypoints", sentence)])
    return [(index, category) for index, category in categories if {*category.keypoints} == {*first.keypoints}]


class _Head(msgspec.Struct, gc=False):
    category_id: Any = None
    keypoints: Any = None


def read_skeleton(first: int, category: Category, warnings: list[str]) -> Skeleton:
    """The skeleton of a category.

    Args:
        first: The category's place in the file.
        category: Counts ``skeleton`` from 1.
        warnings: Takes a sentence where it counts from 0.

    Raises:
        CocoError: It contradicts itself.
    """
    pointer, count = f"/categories/{first}", len(category.keypoints)
    pairs = category.skeleton or []
    start = 0 if any(0 in pair for pair in pairs) else 1
    if start == 0:
        warnings.append(f"{pointer}/skeleton counts keypoints from 0; COCO counts from 1")
    for index, (a, b) in enumerate(pairs):
        if not (start <= a < count + start and start <= b < count + start) or a == b:
            sentence = f"[{a}, {b}] does not join two of the keypoints {start} to {count + start - 1}"
            raise CocoError([(f"{pointer}/skeleton/{index}", sentence)])
    position = {name: index for index, name in enumerate(category.keypoints)}
    for index, names in enumerate(category.swap or []):
        if unknown := [name for name in names if name not in position]:
            raise CocoError([(f"{pointer}/swap/{index}", f"{unknown[0]!r} is not one of the keypoints")])
    try:
        return Skeleton(
            name=category.name or "",
            keypoints=tuple(category.keypoints),
            edges=tuple((a - start, b - start) for a, b in pairs),
            swap=tuple((position[a], position[b]) for a, b in category.swap or []),
            sigmas=tuple(category.sigmas or ()),
        )
    except SkeletonError as error:
        raise CocoError([(pointer + error.pointer, str(error))]) from None


def write_skeleton(skeleton: Skeleton, supercategory: str = "") -> dict[str, Any]:
    """The skeleton as category 1; ``supercategory`` is the skeleton's name where empty."""
    names = skeleton.keypoints
    category: dict[str, Any] = {
        "id": 1,
        "name": skeleton.name,
        "supercategory": supercategory or skeleton.name,
        "keypoints": names,
        "skeleton": [(a + 1, b + 1) for a, b in skeleton.edges],
        "swap": [(names[a], names[b]) for a, b in skeleton.swap],
    }
    return category | ({"sigmas": skeleton.sigmas} if skeleton.sigmas else {})
