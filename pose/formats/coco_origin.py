"""The origin of an annotation's points: a person or a machine, and how sure the machine is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from pose.formats.coco_layout import Faults

#: What ``source`` says where a person made a pose; ``manual`` is CVAT's word. Everything else says that a machine did.
_PERSON = frozenset(("human", "manual"))

#: What counts in ``attributes``, where people keep fields of their own under the same name.
_KNOWN = _PERSON | {"accepted", "pseudo", "auto", "semi-auto", "predicted"}


class _Row(Protocol):
    keypoints: list[float | None] | None
    attributes: Any
    source: Any
    score: Any
    keypoint_scores: Any
    keypoint_radius90: Any
    keypoint_sources: Any


@dataclass(frozen=True)
class Origin:
    """The origin of each of a category's ``S`` keypoints.

    Attributes:
        machine: ``S`` bools.
        scores: ``S``; 1 for a person's point.
        radius90: ``S``; 0 for a person's point.
        kind: ``pseudo`` or ``accepted`` as ``source`` says, ``predicted`` where only scores tell that a machine made
            it; None for a person's pose.
    """

    machine: Sequence[bool]
    scores: Sequence[float]
    radius90: Sequence[float]
    kind: str | None


def origin_of(row: _Row, size: int, pointer: str, faults: Faults) -> Origin:
    """Read ``source``, ``keypoint_sources`` and the scores of an annotation.

    A person's points have score 1 and radius 0 whatever the file says. A machine's point takes its own score, else the
    annotation's, else 0: nothing is known of it. Without a radius it takes the extent of the pose.

    Args:
        row: The annotation; ``source`` and ``score`` may also stand in its ``attributes``.
        size: ``S``.
        pointer: Where it stands.
        faults: Takes lists of the wrong length, where a machine made a point.
    """
    attributes = row.attributes if isinstance(row.attributes, dict) else {}
    source = row.source
    if source is None and attributes.get("source") in _KNOWN:
        source = attributes["source"]
    score = _number(attributes.get("score") if row.score is None else row.score)
    kind = _kind(source, score, row)
    if kind is None and row.keypoint_sources is None:
        return _person(size)
    machine = [kind is not None] * size
    sources = row.keypoint_sources
    if isinstance(sources, list) and len(sources) == size:
        machine = [
            default if said is None else not _by_person(said) for said, default in zip(sources, machine, strict=True)
        ]
    if not any(machine):
        return _person(size)
    scores = _each(row.keypoint_scores, size, "keypoint_scores", 0.0 if score is None else score, pointer, faults)
    extent = 0.0 if _has_numbers(row.keypoint_radius90) else _extent(row.keypoints or [])
    radius90 = _each(row.keypoint_radius90, size, "keypoint_radius90", extent, pointer, faults)
    return Origin(
        machine,
        [value if made else 1.0 for value, made in zip(scores, machine, strict=True)],
        [value if made else 0.0 for value, made in zip(radius90, machine, strict=True)],
        kind or "pseudo",
    )


@cache
def _person(size: int) -> Origin:
    return Origin((False,) * size, (1.0,) * size, (0.0,) * size, None)


def _by_person(source: Any) -> bool:
    return isinstance(source, str) and source.strip().lower() in _PERSON


def _kind(source: Any, score: float | None, row: _Row) -> str | None:
    if source is not None and source != "":
        if _by_person(source):
            return None
        return "accepted" if source == "accepted" else "pseudo"
    unsure = (
        (score is not None and score != 1) or _differs(row.keypoint_scores, 1) or _differs(row.keypoint_radius90, 0)
    )
    return "predicted" if unsure else None


def _differs(values: Any, certain: float) -> bool:
    """Return whether one of a file's scores, which belong to known points, is not what a person's would be."""
    return isinstance(values, list) and any(_number(value) not in (None, 0, certain) for value in values)


def _has_numbers(values: Any) -> bool:
    return isinstance(values, list) and bool(values)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _each(values: Any, size: int, name: str, otherwise: float, pointer: str, faults: Faults) -> list[float]:
    if not _has_numbers(values):
        return [otherwise] * size
    if len(values) != size:
        faults.add(f"{pointer}/{name}", f"{len(values)} numbers; {size} keypoints have {size}")
        return [otherwise] * size
    numbers = [_number(value) for value in values]
    return [otherwise if number is None else number for number in numbers]


def _extent(keypoints: list[float | None]) -> float:
    points = [
        (x, y)
        for x, y, v in zip(keypoints[::3], keypoints[1::3], keypoints[2::3], strict=False)
        if v and x is not None and y is not None
    ]
    if not points:
        return 0.0
    xs, ys = zip(*points, strict=True)
    extent = float(((max(xs) - min(xs)) ** 2 + (max(ys) - min(ys)) ** 2) ** 0.5)
    return max(extent, 1.0)
