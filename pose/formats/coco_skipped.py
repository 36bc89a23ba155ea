"""Annotations that an import skips because they are no labels of the skeleton, counted by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from pose.formats.coco_layout import MAX_FAULTS

#: What an annotation of each kind is, one of them and several.
_KINDS = {
    "crowd": ("a crowd", "crowds"),
    "box": ("a box without keypoints", "boxes without keypoints"),
    "mask": ("a mask without keypoints", "masks without keypoints"),
    "empty": ("no keypoints", "no keypoints"),
    "unlabelled": ("no known point", "no known point"),
    "category": ("another category", "another category"),
    "pseudo": ("a machine's pose", "a machine's poses"),
    "accepted": ("a machine's pose that a person accepted", "a machine's poses that a person accepted"),
    "predicted": ("a machine's pose, as its scores show", "a machine's poses, as their scores show"),
}


class Skipped:
    """Annotations that are passed over, with the place of the first of each kind."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._first: dict[tuple[str, str], str] = {}

    def add(self, kind: str, pointer: str, detail: str = "") -> None:
        """Count one.

        Args:
            kind: ``crowd``, ``box``, ``mask``, ``empty``, ``unlabelled``, ``category``, ``pseudo``, ``accepted`` or
                ``predicted``.
            pointer: Where it stands.
            detail: What else tells it from others of its kind, such as the category's name.
        """
        self._counts[kind, detail] += 1
        self._first.setdefault((kind, detail), pointer)

    @property
    def kinds(self) -> dict[str, int]:
        """The number of each kind, in the order in which they were found."""
        counts: Counter[str] = Counter()
        for (kind, _), count in self._counts.items():
            counts[kind] += count
        return dict(counts)

    def sentences(self) -> Iterator[str]:
        """Sentences about the skipped annotations; of many details the first ``MAX_FAULTS``."""
        for (kind, detail), count in [*self._counts.items()][:MAX_FAULTS]:
            one, several = _KINDS[kind]
            what = f"{one if count == 1 else several}{detail and f' ({detail})'}"
            first = self._first[kind, detail]
            yield (
                f"1 annotation is skipped, {first}: {what}"
                if count == 1
                else f"{count} annotations are skipped, the first at {first}: {what}"
            )
