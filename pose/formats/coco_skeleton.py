"""A skeleton as a COCO category, there and back without loss."""

from __future__ import annotations

from typing import Any

from pose.formats.coco_layout import Category, CocoError
from pose.skeleton import Skeleton, SkeletonError


def read_skeleton(categories: list[Category], warnings: list[str]) -> Skeleton:
    """The one skeleton that all categories with keypoints share.

    Args:
        categories: Those of the file, which counts ``skeleton`` from 1.
        warnings: Takes a sentence where the file counts from 0.

    Raises:
        CocoError: No category has keypoints, two have different ones, or one contradicts itself.
    """
    posed = [(index, category) for index, category in enumerate(categories) if category.keypoints]
    if not posed:
        raise CocoError([("/categories", "no category names keypoints")])
    seen: set[int] = set()
    for index, category in enumerate(categories):
        if category.id in seen:
            raise CocoError([(f"/categories/{index}/id", f"category {category.id} stands there twice")])
        seen.add(category.id)
    first, category = posed[0]
    for index, other in posed[1:]:
        if other.keypoints != category.keypoints:
            sentence = f"other keypoints than category {category.id}; a video has one skeleton"
            raise CocoError([(f"/categories/{index}/keypoints", sentence)])
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
            name=category.name,
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
