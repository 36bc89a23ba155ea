"""A whole COCO keypoint file in columns, for looking at every field of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import msgspec
import numpy as np

from pose.formats.coco_layout import Document, Fault, Id, rows

#: The fields with numbers for every keypoint, and how many for each.
WIDTHS = {"keypoints": 3, "keypoint_scores": 1, "keypoint_radius90": 1}


class Annotation(msgspec.Struct, gc=False):
    """An annotation with all that pycocotools wants of one."""

    id: Id
    image_id: Id
    category_id: Id
    keypoints: list[float]
    num_keypoints: int
    bbox: tuple[float, float, float, float]
    area: float
    iscrowd: Literal[0, 1]
    track_id: int | None = None
    score: float | None = None
    keypoint_scores: list[float] | None = None
    keypoint_radius90: list[float] | None = None
    source: str | None = None


@dataclass(frozen=True, eq=False)
class CocoColumns:
    """A file with its annotations as columns, those that could be decoded.

    Attributes:
        document: The rest of the file.
        faults: What could not be decoded.
        annotations: ``N`` annotations, with the lists below taken out.
        positions: ``(N,)`` index in the file.
        lengths: ``(N,)`` for each of ``WIDTHS``, how many numbers stand there; -1 where the field is missing.
        sizes: ``(N,)`` keypoints of the category, -1 where there is no such category.
        keypoints: ``(N, K, 3)`` of the largest category; 0 where there is none and where the length is wrong.
        scores: ``(N, K)`` of ``keypoint_scores``, 0 likewise.
        radius90: ``(N, K)`` of ``keypoint_radius90``, 0 likewise.
        images: ``(N,)`` index of the image, -1 where there is no such image.
        extents: ``(N, 2)`` width and height of the image, infinite where it does not say.
    """

    document: Document
    faults: list[Fault]
    annotations: list[Annotation]
    positions: np.ndarray
    lengths: dict[str, np.ndarray]
    sizes: np.ndarray
    keypoints: np.ndarray
    scores: np.ndarray
    radius90: np.ndarray
    images: np.ndarray
    extents: np.ndarray

    def at(self, row: int, field: str) -> str:
        """JSON pointer to a field of the annotation in a row."""
        return f"/annotations/{self.positions[row]}/{field}"

    def column(self, name: str) -> np.ndarray:
        """``(N, ...)`` the field of that name of every annotation."""
        return np.array([getattr(annotation, name) for annotation in self.annotations])


def sheet_of(document: Document) -> CocoColumns:
    """Decode the annotations of a file into columns."""
    size_of = {category.id: len(category.keypoints) for category in document.categories}
    image_of = {image.id: index for index, image in enumerate(document.images)}
    extent_of = np.array([(image.width or np.inf, image.height or np.inf) for image in document.images] or [(0, 0)])
    total, widest = len(document.annotations), max(size_of.values(), default=0)
    columns = {name: np.zeros((total, widest, width)) for name, width in WIDTHS.items()}
    lengths: dict[str, list[int]] = {name: [] for name in WIDTHS}
    faults: list[Fault] = []
    annotations: list[Annotation] = []
    positions = []
    for index, row in enumerate(rows(document.annotations, Annotation, "/annotations")):
        if isinstance(row, tuple):
            faults.append(row)
            continue
        size = size_of.get(row.category_id, -1)
        for name, width in WIDTHS.items():
            values = getattr(row, name)
            lengths[name].append(-1 if values is None else len(values))
            if values and len(values) == width * size:
                columns[name][len(annotations), :size] = np.reshape(values, (size, width))
                setattr(row, name, [])
        annotations.append(row)
        positions.append(index)
    images = np.array([image_of.get(annotation.image_id, -1) for annotation in annotations], dtype=np.int64)
    return CocoColumns(
        document=document,
        faults=faults,
        annotations=annotations,
        positions=np.array(positions, dtype=np.int64),
        lengths={name: np.array(numbers, dtype=np.int64) for name, numbers in lengths.items()},
        sizes=np.array([size_of.get(annotation.category_id, -1) for annotation in annotations], dtype=np.int64),
        keypoints=columns["keypoints"][: len(annotations)],
        scores=columns["keypoint_scores"][: len(annotations), :, 0],
        radius90=columns["keypoint_radius90"][: len(annotations), :, 0],
        images=images,
        extents=np.where(images[:, None] >= 0, extent_of[images], np.inf),
    )
