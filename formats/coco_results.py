"""COCO results: a list of detections with the image ids of a truth file, as pycocotools' ``loadRes`` takes them.

The list says nothing of videos and skeletons, so it is written for one truth file and never read as a project.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np

from formats.coco import called
from formats.dataset import Dataset
from formats.errors import FormatError, refuse
from formats.files import read_file
from formats.names import folder_names
from pose import boxes
from pose.formats.coco_layout import CocoError, Faults, decode
from pose.formats.coco_skeleton import posed
from pose.formats.coco_videos import sequences_of
from pose.formats.coco_write import MIN_PADDING, PADDING

_SHOWN = 5  # names in a sentence


class _Detection(msgspec.Struct, gc=False):
    image_id: int
    category_id: int
    keypoints: list[float]
    score: float
    bbox: list[float]


class _Truth:
    """What a truth file numbers: images by video and frame, its category and keypoints.

    Args:
        path: The file.

    Raises:
        FormatError: It cannot be read, or names no single category of poses.
    """

    def __init__(self, path: Path) -> None:
        data = read_file(path)
        try:
            document, faults = decode(data), Faults()
            categories = posed(document, None, [])
            sequences = sequences_of(data, document.images, faults)
            faults.check()
        except CocoError as error:
            raise FormatError(path, error.errors) from None
        if len(categories.columns) > 1:
            sentence = f"{len(categories.columns)} categories have keypoints, and a detection is of one"
            raise refuse(path, "/categories", sentence)
        (self.category,) = categories.columns
        self.keypoints = categories.skeleton.keypoints
        self.names = [called(sequence) for sequence in sequences]
        counts = Counter(self.names)
        self._alone = {name: place for place, name in enumerate(self.names) if counts[name] == 1}
        self.images = [
            {frame: document.images[place].id for frame, place in sequence.images.items()} for sequence in sequences
        ]

    def video(self, *names: str) -> int | None:
        """The place of the video with the first of some names that is one video's alone; None where none is."""
        return next((self._alone[name] for name in names if name in self._alone), None)


def write(dataset: Dataset, target: Path, truth: Path) -> int:
    """Write the poses on those frames that are images of a truth file.

    Keypoints are matched by name, videos by name; one that the truth lacks is left out, one that the data set lacks is
    ``0,0,0``. A detection's score is the mean over its known points. Its box is that of its known points, since
    pycocotools would else take one of all points, also of those at 0, 0.

    Args:
        dataset: The poses.
        target: The file.
        truth: The COCO file that they are to be measured against.

    Returns:
        How many poses were left out, being on no image of it.

    Raises:
        FormatError: The truth cannot be read, or has none of the videos, keypoints or frames.
        OSError: The file cannot be written.
    """
    against = _Truth(truth)
    column = {name: place for place, name in enumerate(dataset.skeleton.keypoints)}
    shared = [(place, column[name]) for place, name in enumerate(against.keypoints) if name in column]
    if not shared:
        raise refuse(truth, "/categories", f"its keypoints are others: {', '.join(against.keypoints[:_SHOWN])}")
    into, of = np.array(shared).T
    image_ids = _images(dataset, against, truth)
    visibility = np.zeros((len(dataset), len(against.keypoints)), dtype=np.uint8)
    visibility[:, into] = dataset.visibility[:, of]
    kept = np.flatnonzero((image_ids >= 0) & (visibility > 0).any(axis=1))
    if not len(kept):
        raise refuse(truth, "/images", "no pose is on any of its images")
    points = np.zeros((len(kept), len(against.keypoints), 3))
    points[:, into, :2] = np.round(dataset.xy[kept][:, of].astype(np.float64), 2) + 0.0
    points[..., 2] = visibility[kept]
    points[points[..., 2] == 0] = 0
    known = visibility[kept][:, into] > 0
    score = np.where(known, dataset.score[kept][:, of].astype(np.float64), 0).sum(axis=1) / known.sum(axis=1)
    box = boxes.around(points[..., :2], points[..., 2], relative=PADDING, minimum=MIN_PADDING)
    columns = (image_ids[kept], points.reshape(len(kept), -1), np.round(score, 6), np.round(box, 2))
    encoder = msgspec.json.Encoder()
    with target.open("wb") as stream:
        stream.write(b"[\n")
        for row, (image, flat, sure, around) in enumerate(zip(*(one.tolist() for one in columns), strict=True)):
            detection = _Detection(image, against.category, flat, sure, around)
            stream.write((b",\n" if row else b"") + encoder.encode(detection))
        stream.write(b"\n]\n")
    return len(dataset) - len(kept)


def _images(dataset: Dataset, against: _Truth, truth: Path) -> np.ndarray:
    """``(N,)`` the image of each row, -1 for none."""
    found = np.full(len(dataset), -1, dtype=np.int64)
    matched = 0
    names = [video.name for video in dataset.videos]
    counts = Counter(names)
    for number, (name, folder) in enumerate(zip(names, folder_names(names), strict=True)):
        # Where two are called alike, the numbers that our files give them tell them apart.
        place = against.video(*([name] if counts[name] == 1 else []), folder)
        if place is None:
            continue
        matched += 1
        rows, images = dataset.rows_of(number), against.images[place]
        found[rows] = [images.get(frame, -1) for frame in dataset.frame[rows].tolist()]
    if not matched:
        theirs = ", ".join(against.names[:_SHOWN])
        ours = ", ".join(names[:_SHOWN])
        raise refuse(truth, "/images", f"its videos ({theirs}) are called otherwise than those of the poses ({ours})")
    return found
